"""The confirmation: what it asks for, when it ends, and what it may never do."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_eval.confirm.evidence import RULE, Cell, Key, Limit, Stored
from ci_eval.confirm.machine import Confirmation, DimensionDecision, Question, Rerun, Result, Side, start

ONE = Fraction(1)
FULL = replace(RULE, telling_from=1000)
Passes = Callable[[str, str, Side, int], bool | None]
"""What a run gives: case, scorer, side and the number of the run (0: the first look)."""


def cells(count: int, *, scorers: Sequence[str] = ("s",), dimension: str = "d") -> list[Cell]:
    return [Cell(f"c{number}", scorer, dimension) for number in range(count) for scorer in scorers]


def all_pass(_case: str, _scorer: str, _side: Side, _run: int) -> bool | None:
    return True


def broken(*cases: str, since: int = 0) -> Passes:
    """The candidate fails in these cases, from a run on."""
    return lambda case, _scorer, side, run: not (case in cases and side == "candidate" and run >= since)


def once(*cases: str) -> Passes:
    """The candidate fails in these cases at the first look, and never again."""
    return lambda case, _scorer, side, run: not (case in cases and side == "candidate" and run == 0)


@dataclass
class Driver:
    """Plays the gate: makes the runs that are asked for, and remembers what was asked."""

    passes: Passes
    order: random.Random | None = None

    def __post_init__(self) -> None:
        self.runs: Counter[tuple[str, Side]] = Counter()
        self.todos: list[tuple[Rerun, ...]] = []

    def first(self, question: Question, side: Side) -> dict[Key, bool | None]:
        planned = {cell.case for cell in question.cells} if question.planned is None else set(question.planned)
        wanted = [cell for cell in question.cells if cell.case in planned]
        self.runs.update({(case, side) for case in planned})
        return {cell.key: self.passes(*cell.key, side, 0) for cell in wanted}

    def start(self, question: Question) -> Confirmation:
        return start(question, self.first(question, "base"), self.first(question, "candidate"))

    def finish(self, question: Question) -> Confirmation:
        state = self.start(question)
        while todo := state.todo():
            self.todos.append(todo)
            for chunk in self._chunks(self._results(question, todo)):
                state = state.observe(chunk)
        return state

    def decide(self, question: Question) -> Mapping[str, DimensionDecision]:
        return self.finish(question).decision()

    def _results(self, question: Question, todo: Iterable[Rerun]) -> list[Result]:
        found: list[Result] = []
        for case, side, runs in todo:
            for _ in range(runs):
                number = self.runs[case, side]
                self.runs[case, side] += 1
                answers = {c.scorer: self.passes(*c.key, side, number) for c in question.cells if c.case == case}
                found.append((case, side, answers))
        return found

    def _chunks(self, results: list[Result]) -> Iterator[list[Result]]:
        if self.order is None:
            yield results
            return
        self.order.shuffle(results)
        while results:
            size = self.order.randint(1, len(results))
            yield results[:size]
            del results[:size]


def decide(question: Question, passes: Passes) -> DimensionDecision:
    return Driver(passes).decide(question)["d"]


def ask(count: int, **settings: object) -> Question:
    return Question(cells(count), {"d": ONE}, **settings)  # type: ignore[arg-type]


def test_no_flip_needs_no_rerun() -> None:
    driver = Driver(all_pass)
    found = driver.decide(ask(300))["d"]
    assert driver.todos == []
    assert (found.verdict, found.why) == ("pass", "half margin")
    assert (found.drop, found.standard_error) == (Fraction(0), 0.0)


def test_flips_below_half_the_limit_pass_without_a_rerun() -> None:
    assert decide(ask(300), broken("c1")).why == "half margin"


def test_half_the_limit_is_not_below_it() -> None:
    driver = Driver(once("c1"))
    assert driver.decide(ask(200))["d"].verdict == "pass"
    assert driver.todos[0] == (Rerun("c1", "base", 7), Rerun("c1", "candidate", 7))


def test_both_directions_are_rerun_on_both_sides() -> None:
    def passes(case: str, _scorer: str, side: Side, run: int) -> bool:
        return run > 0 or (case, side) not in {("c1", "candidate"), ("c2", "candidate"), ("c3", "base")}

    driver = Driver(passes)
    driver.decide(ask(300))
    assert {(case, side) for case, side, _ in driver.todos[0]} == {
        (case, side) for case in ("c1", "c2", "c3") for side in ("base", "candidate")
    }


def test_cases_that_broke_outright_are_settled_after_one_batch() -> None:
    driver = Driver(broken("c1", "c2", "c3"))
    found = driver.decide(ask(300))["d"]
    assert (found.verdict, found.why) == ("regression", "settled")
    assert (found.drop, found.standard_error) == (ONE, 0.0)
    assert (len(driver.todos), found.fresh) == (1, 42)


def test_a_drop_below_the_limit_passes_however_sure_it_is() -> None:
    found = decide(ask(300), broken("c1", "c2"))
    assert found.verdict == "pass"
    assert found.drop == Fraction(2, 3)


def test_flips_that_do_not_come_back_pass() -> None:
    found = decide(ask(300), once("c1", "c2", "c3"))
    assert found.verdict == "pass"
    assert found.drop == 0


def test_soft_breaks_are_promoted() -> None:
    """Cells that base always passes and the candidate passes every other time stand for those that were not seen."""
    soft = [f"c{number}" for number in range(4)]
    found = decide(ask(300), lambda case, _scorer, side, run: side == "base" or case not in soft or run % 2 == 1)
    assert (found.verdict, found.drop) == ("regression", Fraction(4, 3))


def test_a_drop_that_is_not_surely_below_the_limit_fails() -> None:
    """Two soft breaks of 300 cases are two thirds of a point, give or take more than the third that is left."""
    found = decide(ask(300), lambda case, _s, side, run: side == "base" or case not in {"c1", "c2"} or run % 2 == 1)
    assert (found.verdict, found.why) == ("regression", "final look")
    assert found.drop < 1 < found.interval[1]


def test_settled_cases_are_not_rerun_with_the_others() -> None:
    coins = {"c3", "c4"}

    def passes(case: str, _scorer: str, side: Side, run: int) -> bool:
        if case in coins:
            return run // 2 % 2 == 0 and (side, run) != ("candidate", 0)
        return not (case in {"c1", "c2"} and side == "candidate")

    driver = Driver(passes)
    driver.decide(ask(300))
    assert [{case for case, _, _ in todo} for todo in driver.todos[:2]] == [{"c1", "c2", *coins}, coins]


def test_coin_flips_on_both_sides_pass() -> None:
    flaky = {f"c{number}" for number in range(8)}
    found = decide(ask(300), lambda case, _s, side, run: case not in flaky or (run + (side == "candidate")) % 2 == 0)
    assert (found.verdict, abs(found.drop) < 1) == ("pass", True)


def test_a_diffuse_drop_fails_though_no_flip_comes_back() -> None:
    question = ask(300)
    found = decide(question, once(*(f"c{number}" for number in range(9))))
    assert (found.verdict, found.why) == ("regression", "diffuse")


def test_a_diffuse_drop_must_be_against_cells_that_main_never_failed() -> None:
    flips = [f"c{number}" for number in range(9)]
    question = ask(300, stored={(case, "s"): Stored(4, 5) for case in flips})
    assert decide(question, once(*flips)).verdict == "pass"


def test_five_cells_are_no_diffuse_drop() -> None:
    """The sign test needs six against none."""
    assert decide(ask(300), once(*(f"c{number}" for number in range(5)))).verdict == "pass"


def test_cells_of_one_case_have_one_vote_on_a_diffuse_drop() -> None:
    """Six cases flip, base fails four of them later: six cells of two cases are left, which is two votes."""
    flaky = {"c3", "c4", "c5", "c6"}

    def passes(case: str, _scorer: str, side: Side, run: int) -> bool:
        if side == "base":
            return case not in flaky or run != 16
        return case not in {"c1", "c2", *flaky} or run > 0

    driver = Driver(passes)
    found = driver.decide(Question(cells(100, scorers=("a", "b", "c")), {"d": ONE}))["d"]
    assert (found.verdict, len(driver.todos)) == ("pass", 3)


@pytest.mark.parametrize(("broke", "verdict"), [(2, "pass"), (3, "regression")])
def test_deterministic_sides_need_no_run_and_are_exact(broke: int, verdict: str) -> None:
    sure = {(f"c{number}", side) for number in range(300) for side in ("base", "candidate")}
    driver = Driver(broken(*(f"c{number}" for number in range(broke))))
    found = driver.decide(ask(300, deterministic=sure))["d"]
    assert (found.verdict, found.drop, found.standard_error) == (verdict, Fraction(broke, 3), 0.0)
    assert driver.todos == []


def test_only_the_side_that_can_differ_is_rerun() -> None:
    sure = {(f"c{number}", "base") for number in range(300)}
    driver = Driver(broken("c1", "c2", "c3"))
    assert driver.decide(ask(300, deterministic=sure))["d"].why == "settled"
    assert {side for todo in driver.todos for _, side, _ in todo} == {"candidate"}


def test_the_same_request_is_equal_by_definition() -> None:
    question = ask(3, same={"c0", "c1", "c2"})
    found = start(question, {}, {}).decision()["d"]
    assert (found.verdict, found.seen) == ("pass", 3)


def test_weights_decide_what_a_cell_is_worth() -> None:
    def question(weight: int) -> Question:
        return Question([Cell("heavy", "s", "d", Fraction(weight)), *cells(198)], {"d": ONE})

    assert decide(question(2), broken("heavy")).drop == ONE
    assert decide(question(2), broken("heavy")).verdict == "regression"
    assert decide(question(1), broken("heavy")).verdict == "pass"


def test_each_dimension_is_decided_alone() -> None:
    question = Question([*cells(100), *cells(100, scorers=("t",), dimension="e")], {"d": ONE, "e": ONE})
    found = Driver(lambda case, scorer, side, _run: (case, scorer, side) != ("c1", "t", "candidate")).decide(question)
    assert [(name, each.verdict) for name, each in found.items()] == [("d", "pass"), ("e", "regression")]


def test_quarantined_cells_are_listed_and_not_gated() -> None:
    """At most one in twenty, the flakiest first; one failure in five is not flaky enough."""
    rates = {"c0": 4, "c1": 3, "c2": 2, "c3": 2}
    question = ask(40, stored={(case, "s"): Stored(passes, 5) for case, passes in rates.items()})
    assert question.quarantined == {("c1", "s"), ("c2", "s")}
    found = decide(question, broken("c1", "c2"))
    assert (found.verdict, found.gated) == ("pass", 38)


def test_four_stored_runs_quarantine_nothing() -> None:
    assert ask(40, stored={("c1", "s"): Stored(2, 4)}).quarantined == frozenset()


@pytest.mark.parametrize(("passes", "runs"), [(1, 1), (4, 4), (4, 5)])
def test_a_stored_first_look_that_main_contradicts_today_has_no_vote(passes: int, runs: int) -> None:
    """What changed on both sides since main was stored is not the candidate's doing."""
    drifted = [f"c{n}" for n in range(12)]

    def both(case: str, _scorer: str, side: Side, run: int) -> bool:
        return case not in drifted or (side == "base" and run == 0)

    question = ask(100, stored={(name, "s"): Stored(passes, runs) for name in drifted}, rule=FULL)
    assert decide(question, both).verdict == "pass"


def test_what_the_provider_broke_for_both_sides_is_no_diffuse_drop() -> None:
    """Base, run again, does not do any more what main's stored runs did."""
    broke = [f"c{number}" for number in range(9)]
    question = ask(300, stored={(case, "s"): Stored(5, 5) for case in broke})
    state = Driver(lambda case, _s, side, run: case not in broke or (side, run) == ("base", 0)).finish(question)
    assert state.decision()["d"].verdict == "pass"
    assert {case for case, _ in state.drifted} == {*broke}


class TestAny:
    """`any`: one confirmed broken case is enough."""

    question = Question(cells(300), {"d": "any"})

    def test_a_case_that_broke_fails(self) -> None:
        assert decide(self.question, broken("c1")).verdict == "regression"

    def test_a_case_that_broke_every_other_time_fails(self) -> None:
        found = decide(self.question, lambda case, _s, side, run: (case, side) != ("c1", "candidate") or run % 2 == 1)
        assert (found.verdict, found.why) == ("regression", "final look")

    def test_a_flip_that_does_not_come_back_passes(self) -> None:
        assert decide(self.question, once("c1")).verdict == "pass"

    def test_a_repaired_case_asks_for_nothing(self) -> None:
        assert decide(self.question, lambda case, _s, side, _r: (case, side) != ("c1", "base")).why == "none broke"

    def test_a_lost_case_is_no_pass(self) -> None:
        found = decide(self.question, lambda case, _s, side, _r: None if (case, side) == ("c1", "candidate") else True)
        assert (found.verdict, found.why) == ("inconclusive", "lost runs")


class TestLostRuns:
    """Infrastructure may lose runs; what is lost counts against a pass, and never for a failure."""

    def test_a_lost_first_look_is_asked_for_once_more(self) -> None:
        def passes(case: str, _scorer: str, side: Side, run: int) -> bool | None:
            return None if (case, side, run) == ("c1", "candidate", 0) else True

        driver = Driver(passes)
        assert driver.decide(ask(50))["d"].verdict == "pass"
        assert driver.todos == [(Rerun("c1", "candidate", 1),)]

    def test_the_first_answer_of_a_cell_stands_when_its_case_is_asked_again(self) -> None:
        """A judge was lost; the other scorer saw the case fail, and a second try does not undo it."""

        def passes(case: str, scorer: str, side: Side, run: int) -> bool | None:
            if (case, side, run) != ("c1", "candidate", 0):
                return True
            return None if scorer == "judge" else False

        driver = Driver(passes)
        driver.decide(Question(cells(50, scorers=("exact", "judge")), {"d": ONE}))
        assert [{case for case, _, _ in todo} for todo in driver.todos[:2]] == [{"c1"}, {"c1"}]

    @pytest.mark.parametrize(("lost", "verdict"), [(1, "pass"), (2, "pass"), (3, "inconclusive")])
    def test_lost_cases_count_as_broken_against_a_pass(self, lost: int, verdict: str) -> None:
        gone = {f"c{number}" for number in range(lost)}
        found = decide(ask(300), lambda case, _s, side, _r: None if case in gone and side == "candidate" else True)
        assert (found.verdict, found.seen) == (verdict, 300 - lost)

    def test_lost_cases_count_as_unchanged_against_a_failure(self) -> None:
        gone, broke = {"c1", "c2"}, {"c3", "c4"}

        def passes(case: str, _scorer: str, side: Side, _run: int) -> bool | None:
            return (None if case in gone else case not in broke) if side == "candidate" else True

        assert decide(ask(300), passes).verdict == "inconclusive"

    def test_a_regression_is_one_whatever_was_lost(self) -> None:
        def passes(case: str, _scorer: str, side: Side, _run: int) -> bool | None:
            return (None if case == "c9" else case not in {"c1", "c2", "c3"}) if side == "candidate" else True

        assert decide(ask(300), passes).verdict == "regression"

    def test_flips_whose_reruns_are_all_lost_stay_open(self) -> None:
        def passes(case: str, _scorer: str, side: Side, run: int) -> bool | None:
            return True if side == "base" or case not in {"c1", "c2", "c3"} else (False if run == 0 else None)

        assert decide(ask(300), passes).verdict == "inconclusive"

    def test_a_dimension_with_no_answer_at_all_is_no_pass(self) -> None:
        """Though nothing could have broken: base failed everything."""
        found = decide(ask(10), lambda _case, _scorer, side, _run: False if side == "base" else None)
        assert (found.verdict, found.why) == ("inconclusive", "no answers")


class TestFarMoreThanTheLimit:
    """What broke by far more than the limit is answered by a part of it."""

    def test_a_part_is_enough_to_fail(self) -> None:
        everything = [f"c{number}" for number in range(300)]
        driver = Driver(broken(*everything))
        found = driver.decide(ask(300))["d"]
        (todo,) = driver.todos
        assert (found.verdict, found.why) == ("regression", "part")
        assert len(todo) < 60
        assert found.drop == Fraction(4), "what is sure, and not what the first look showed"

    def test_chance_that_broke_as_many_is_found_out_by_the_others(self) -> None:
        """A first look in which a third fell, and no fresh run does."""
        flipped = [f"c{number}" for number in range(100)]
        driver = Driver(once(*flipped))
        found = driver.decide(ask(300))["d"]
        assert len(driver.todos[0]) < len(driver.todos[1])
        assert {rerun.case for todo in driver.todos for rerun in todo} == set(flipped)
        assert found.verdict == "regression"
        assert found.why == "diffuse"

    def test_repairs_that_were_not_asked_again_count_against_it(self) -> None:
        """A hundred broke and ninety were repaired: a part of the hundred says nothing of what is left of them."""
        broke, repaired = [f"c{n}" for n in range(100)], [f"c{n}" for n in range(100, 190)]

        def passes(case: str, _scorer: str, side: Side, _run: int) -> bool:
            return not ((case in broke and side == "candidate") or (case in repaired and side == "base"))

        found = decide(Question(cells(300), {"d": Fraction(5)}), passes)
        assert (found.verdict, found.drop) == ("pass", Fraction(1000, 300)), found

    def test_one_of_a_few_that_broke_is_enough_where_any_fails(self) -> None:
        driver = Driver(broken(*(f"c{number}" for number in range(200))))
        found = driver.decide(Question(cells(300), {"d": "any"}))["d"]
        assert (found.verdict, len(driver.todos[0])) == ("regression", 6)

    def test_no_time_for_it_is_inconclusive(self) -> None:
        driver = Driver(broken(*(f"c{number}" for number in range(300))))
        state = driver.start(ask(300)).stop("deadline")
        assert state.decision()["d"].verdict == "inconclusive"


class TestSubset:
    """The denominator is always the whole set, whatever part of it is run."""

    planned = frozenset(f"c{number}" for number in range(100))

    def test_a_quiet_subset_passes(self) -> None:
        found = decide(ask(300, planned=self.planned), all_pass)
        assert (found.verdict, found.seen, found.gated) == ("pass", 100, 300)

    def test_half_the_limit_confirmed_runs_the_other_cases(self) -> None:
        driver = Driver(broken("c1", "c2", "c299"))
        found = driver.decide(ask(300, planned=self.planned))["d"]
        assert found.verdict == "regression"
        assert (found.drop, found.seen) == (ONE, 300)
        assert len(driver.todos[1]) == 400
        assert driver.todos[2] == (Rerun("c299", "base", 7), Rerun("c299", "candidate", 7))

    def test_stored_answers_of_base_are_not_asked_for_again(self) -> None:
        question = ask(300, planned=self.planned)
        driver = Driver(broken("c1", "c2"))
        base = {cell.key: True for cell in question.cells}
        state = start(question, base, driver.first(question, "candidate"))
        state = state.observe(driver._results(question, state.todo() or ()))
        assert {side for _, side, _ in state.todo() or ()} == {"candidate"}

    def test_the_limit_confirmed_fails_at_once(self) -> None:
        driver = Driver(broken("c1", "c2", "c3"))
        found = driver.decide(ask(300, planned=self.planned))["d"]
        assert (found.verdict, found.seen) == ("regression", 100)

    def test_a_regression_elsewhere_is_no_reason_to_run_the_other_cases(self) -> None:
        both = [*cells(300), *cells(300, scorers=("t",), dimension="e")]
        question = Question(both, {"d": ONE, "e": ONE}, planned=self.planned)
        broke = {"c1", "c2", "c3"}
        found = Driver(lambda case, scorer, side, _r: (scorer, side) != ("s", "candidate") or case not in broke)
        assert [(each.verdict, each.seen) for each in found.decide(question).values()] == [
            ("regression", 100),
            ("pass", 100),
        ]


class TestEnds:
    """Time or money out while open: no answer, which is never a pass."""

    def test_what_money_stops_says_what_was_not_asked(self) -> None:
        state = Driver(broken("c1", "c2", "c3")).start(ask(300)).stop("budget")
        assert (state.decision()["d"].verdict, state.decision()["d"].why) == ("inconclusive", "budget")
        assert sum(rerun.runs for rerun in state.unmet) == 42

    def test_a_deadline_leaves_decided_dimensions_as_they_are(self) -> None:
        question = Question([*cells(100), *cells(100, scorers=("t",), dimension="e")], {"d": ONE, "e": ONE})
        state = Driver(lambda case, scorer, side, _run: (case, scorer, side) != ("c1", "t", "candidate")).start(
            question
        )
        found = state.stop("deadline").decision()
        assert (found["d"].verdict, found["e"].verdict, found["e"].why) == ("pass", "inconclusive", "deadline")

    def test_what_passes_whatever_was_lost_passes_at_the_deadline_too(self) -> None:
        lost = ("c1", "candidate")
        state = Driver(lambda case, _s, side, _r: None if (case, side) == lost else True).start(ask(300))
        assert state.stop("deadline").decision()["d"].verdict == "pass"
        state = Driver(lambda case, _s, side, _r: None if (case, side) == lost else True).start(ask(100))
        assert state.stop("deadline").decision()["d"].why == "deadline"

    def test_nothing_is_asked_for_after_the_end(self) -> None:
        state = Driver(broken("c1", "c2", "c3")).start(ask(300)).stop("deadline")
        assert state.todo() is None
        with pytest.raises(ValueError, match="not asked for"):
            state.observe([("c1", "base", {"s": True})])

    def test_an_open_question_has_no_decision(self) -> None:
        with pytest.raises(ValueError, match="still open: d"):
            Driver(broken("c1", "c2", "c3")).start(ask(300)).decision()

    def test_a_run_that_was_not_asked_for_is_refused(self) -> None:
        state = Driver(broken("c1", "c2", "c3")).start(ask(300))
        with pytest.raises(ValueError, match="not asked for"):
            state.observe([("c9", "base", {"s": True})])

    def test_a_dimension_without_cells_is_no_pass(self) -> None:
        assert start(Question([], {"d": ONE}), {}, {}).decision()["d"].why == "no answers"


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Question, Passes]:
    """A small question, and answers that depend on nothing but the case, scorer, side and number of the run."""
    count = draw(st.integers(1, 12))
    scorers = [("s", "d"), ("t", "d"), ("u", "e")]
    weights = st.fractions(Fraction(1, 4), 4, max_denominator=4)
    made = [Cell(f"c{n}", s, d, draw(weights)) for n in range(count) for s, d in scorers if draw(st.integers(0, 4))]
    names = sorted({cell.case for cell in made})
    some = st.frozensets(st.sampled_from(names)) if names else st.just(frozenset[str]())
    limits: st.SearchStrategy[Limit] = st.one_of(st.just("any"), st.fractions(Fraction(1, 2), 40))
    question = Question(
        made,
        {"d": draw(limits), "e": draw(limits)},
        same=draw(st.one_of(st.just(frozenset[str]()), some)),
        deterministic={(case, side) for side in ("base", "candidate") for case in draw(some)},
        stored={cell.key: Stored(draw(st.integers(0, 5)), 5) for cell in made if draw(st.booleans())},
        planned=draw(st.one_of(st.none(), some)),
        rule=replace(RULE, telling_from=draw(st.sampled_from([2, 12]))),
    )
    rates = {cell.key: (draw(st.sampled_from(RATES)), draw(st.sampled_from(RATES))) for cell in made}
    seed, errors = draw(st.integers(0, 1 << 16)), draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))

    def passes(case: str, scorer: str, side: Side, run: int) -> bool | None:
        number = 0 if (case, side) in question.deterministic else run
        side_ = "base" if case in question.same else side
        if _chance(seed, "lost", case, scorer, side_, run) < errors:
            return None
        return _chance(seed, case, scorer, side_, number) < rates[case, scorer][side_ != "base"]

    return question, passes


def _chance(*names: object) -> float:
    """A number in [0, 1) that is always the same for the same names."""
    return random.Random(repr(names)).random()


RATES = (0.0, 0.5, 0.95, 1.0, 1.0)


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_it_always_ends(world: tuple[Question, Passes]) -> None:
    question, passes = world
    driver = Driver(passes)
    state = driver.finish(question)
    asked = sum(rerun.runs for todo in driver.todos for rerun in todo)
    per_side = sum(look.batch for look in question.rule.looks)
    assert set(state.decision()) == {"d", "e"}
    assert asked == state.calls <= len({cell.case for cell in question.cells}) * 2 * (1 + per_side)
    assert not {(case, side) for todo in driver.todos for case, side, _ in todo if case in question.same}


@settings(max_examples=100, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(world: tuple[Question, Passes], order: random.Random) -> None:
    question, passes = world
    assert Driver(passes).decide(question) == Driver(passes, order).decide(question)


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_a_pass_never_rests_on_missing_data(world: tuple[Question, Passes]) -> None:
    """Had all broken that was lost, what was repaired would still keep the drop below the limit."""
    question, passes = world
    state = Driver(passes).finish(question)
    for name, found in state.decision().items():
        if found.verdict == "pass":
            gated = [cell for cell in question.gated[name] if cell.case in state.scope - set(question.same)]
            lost = sum(cell.weight for cell in gated if _may_have_broken(state, cell))
            repaired = sum(flip.cell.weight for flip in state.looks[name].flips.values() if flip.sign < 0)
            limit = question.limits[name]
            assert found.seen > 0
            assert not lost if limit == "any" else 100 * (lost - repaired) / question.weight[name] < limit


def _may_have_broken(state: Confirmation, cell: Cell) -> bool:
    base, candidate = state.base.get(cell.key), state.candidate.get(cell.key)
    return (base is None or candidate is None) and base is not False and not candidate


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_nothing_changed_and_nothing_lost_never_fails_when_runs_cannot_differ(world: tuple[Question, Passes]) -> None:
    question, _ = world
    found = Driver(all_pass).decide(question)
    assert {each.verdict for each in found.values() if each.seen} <= {"pass"}


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_with_sure_answers_the_rule_is_exactly_a_drop_of_the_limit(world: tuple[Question, Passes]) -> None:
    """No call, no error: fail at a drop of the limit or more, pass below it."""
    question, passes = world
    names = {cell.case for cell in question.cells}
    sure = Question(
        question.cells,
        question.limits,
        deterministic={(case, side) for case in names for side in ("base", "candidate")},
    )
    driver = Driver(lambda case, scorer, side, _run: bool(passes(case, scorer, side, 0)))
    found = driver.decide(sure)
    losses: defaultdict[str, Fraction] = defaultdict(Fraction)
    broke: Counter[str] = Counter()
    for cell in sure.cells:
        base, candidate = (driver.passes(*cell.key, side, 0) for side in ("base", "candidate"))
        losses[cell.dimension] += 100 * cell.weight * (bool(base) - bool(candidate)) / sure.weight[cell.dimension]
        broke[cell.dimension] += bool(base) > bool(candidate)
    for name, each in found.items():
        limit = sure.limits[name]
        failed = broke[name] > 0 if limit == "any" else losses[name] >= limit
        assert not each.gated or (each.verdict == "regression") == failed
    assert driver.todos == []
