"""What a report says of an outcome, whoever renders it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_factory import (
    cell,
    comparison,
    full,
    joined,
    lost_record,
    outcome,
    realistic,
    record,
    rerun,
    revealed,
    rows,
    said,
    section,
    some,
    suite,
)

from ci_eval.config import GatePolicy
from ci_eval.confirm.evidence import Stored
from ci_eval.datasets.contamination import Leak
from ci_eval.golden.cases import Edits
from ci_eval.outcome.model import ChangeNote, GateOutcome, SuiteOutcome
from ci_eval.report.document import Entries, Sides
from ci_eval.report.files import Form, of_gate
from ci_eval.report.markdown import comment
from ci_eval.report.model import build
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

WENT = "Cases that flipped once and did not stay broken"


def headline(one: GateOutcome) -> str:
    return revealed(build(one).headline)


def titles(one: GateOutcome) -> list[str]:
    return [section.title for section in build(one).sections]


def gated(total: int = 300, limit: float | Literal["any"] = 1, **kinds: int) -> SuiteOutcome:
    policy = GatePolicy(per_dimension={"task_accuracy": limit})
    return suite(comparison(some(total, **kinds)), gate=policy)


class TestHeadline:
    def test_a_regression_names_dimension_drop_and_limit(self) -> None:
        assert headline(outcome(gated(broke=12, repaired=2))) == "task_accuracy fell by 3.3 points (limit 1)"

    def test_a_drop_of_exactly_the_limit_is_shown_as_one(self) -> None:
        assert headline(outcome(gated(100, broke=1))) == "task_accuracy fell by 1.0 point (limit 1)"

    def test_one_broken_case_where_none_may_break(self) -> None:
        words = "1 score of task_accuracy broke (limit: any broken case)"
        assert headline(outcome(gated(limit="any", broke=1))) == words

    def test_several_dimensions_and_suites(self) -> None:
        names = ("a", "b", "c", "d", "e")
        parts = [comparison(some(10, broke=1), name) for name in names]
        two = outcome(suite(joined(*parts)), suite(suite="other"))
        one_each = "; ".join(f"helpdesk: {name} fell by 10.0 points (limit 1)" for name in "abc")
        assert headline(two) == f"{one_each}; and 2 more"

    def test_the_largest_drop_comes_first(self) -> None:
        two = joined(comparison(some(100, broke=2), "a"), comparison(some(100, broke=3), "b"))
        assert headline(outcome(suite(two))) == "b fell by 3.0 points (limit 1); a fell by 2.0 points (limit 1)"

    def test_pass(self) -> None:
        assert headline(outcome(gated(broke=2))) == "no dimension fell by 1 point or more"

    def test_pass_with_other_limits(self) -> None:
        two = joined(comparison(some()), comparison(some(), "format"))
        strict = GatePolicy(per_dimension={"format": "any"})
        wide = GatePolicy(per_dimension={"format": 2.5})
        words = "no dimension fell by 1 point or more, and no case broke in format"
        assert headline(outcome(suite(two, gate=strict))) == words
        assert headline(outcome(suite(two, gate=wide))) == "no dimension fell by its limit (1 to 2.5 points) or more"
        assert headline(outcome(gated(limit="any"))) == "no case broke in task_accuracy"

    def test_inconclusive_says_what_is_unknown_and_what_it_may_hide(self) -> None:
        words = "4 of 300 scores of task_accuracy are unknown: it may have fallen by 1.3 points (limit 1)"
        assert headline(outcome(gated(lost=4))) == words

    def test_inconclusive_where_nothing_may_break(self) -> None:
        words = "1 of 300 scores of task_accuracy is unknown, and may be broken (limit: any broken case)"
        assert headline(outcome(gated(limit="any", lost=1))) == words

    def test_inconclusive_with_nothing_known_says_why(self) -> None:
        assert headline(outcome(gated(3, lost=3))) == "no case got a score: HTTP 503 after 4 tries"

    def test_why_stays_hidden_where_outputs_do(self) -> None:
        hiding = replace(outcome(gated(3, lost=3)), hide_outputs=True)
        assert headline(hiding) == "nothing is known of task_accuracy"

    @pytest.mark.parametrize(
        ("reason", "verdict", "words"),
        [
            ("nothing relevant changed", "pass", "nothing that ci-eval watches changed"),
            ("only policy changed", "pass", "only the policy changed; no model was called"),
            ("bootstrap", "inconclusive", "nothing on main to compare with; merge, then require the check"),
            ("stopped", "inconclusive", "the gate ended before it could judge"),
            ("judged", "inconclusive", "the gate ended before it could judge"),
        ],
    )
    def test_without_a_judgement(self, reason: str, verdict: str, words: str) -> None:
        assert headline(outcome(reason=reason, verdict=Verdict(verdict))) == words

    def test_a_verdict_that_no_dimension_explains_is_not_explained_by_one(self) -> None:
        passed = outcome(gated(), reason="stopped", verdict=Verdict.INCONCLUSIVE)
        assert headline(passed) == "the gate ended before it could judge"


class TestDimensions:
    def test_a_row_a_dimension(self) -> None:
        assert rows(outcome(gated(broke=12, repaired=2)), "Dimensions") == [
            ["task_accuracy", "99.3", "96.0", "−3.3", "1", "12", "2", "regression"]
        ]

    def test_a_drop_just_below_the_limit_is_not_shown_as_the_limit(self) -> None:
        row = rows(outcome(gated(1004, broke=10)), "Dimensions")[0]
        assert row == ["task_accuracy", "100.000", "99.004", "−0.996", "1", "10", "0", "pass"]

    def test_a_gain_has_a_plus(self) -> None:
        assert rows(outcome(gated(repaired=3)), "Dimensions")[0][1:4] == ["99.0", "100.0", "+1.0"]

    def test_what_is_unknown_is_told_beside_what_is_known(self) -> None:
        row = rows(outcome(gated(200, lost=4)), "Dimensions")[0]
        assert row[3] == "0.0 (at worst −2.0)"

    def test_nothing_known(self) -> None:
        assert rows(outcome(gated(2, lost=2)), "Dimensions")[0][2] == "unknown"

    def test_any_is_said_in_words(self) -> None:
        assert rows(outcome(gated(limit="any")), "Dimensions")[0][4] == "any broken case"

    def test_suites_are_named_where_there_are_two(self) -> None:
        assert section(outcome(suite()), "Dimensions").suite is None
        assert section(outcome(suite(), suite()), "Dimensions").suite == Untrusted("helpdesk")


class TestCases:
    def test_a_broken_case_shows_reason_and_both_sides(self) -> None:
        [entries] = section(outcome(gated(broke=1)), "Cases that broke").blocks
        assert isinstance(entries, Entries)
        [entry] = entries.items
        reasons, asked, sides = entry.blocks
        assert revealed(reasons).startswith("exact (task_accuracy): category is other, not billing")
        assert revealed(asked) == "inputWhere is order case-0000?"
        assert isinstance(sides, Sides)
        assert revealed(sides.base) == 'base{"category": "billing"}'
        assert revealed(sides.candidate) == 'this PR{"category": "other"}'

    def test_an_answer_that_was_cut_or_refused_says_so(self) -> None:
        compared = comparison({"a": "broke"})
        for finish, label in (("length", "this PR, cut off at max_tokens"), ("refusal", "this PR, refused")):
            answers = {"a": record("a", cell(False), finish=finish, output="x")}
            one = outcome(suite(replace(compared, candidate=answers)))
            assert f"{label}x" in said(one, "Cases that broke")

    def test_a_request_that_was_refused_has_no_answer(self) -> None:
        refused = record("a", cell(False), output=None, error="HTTP 400", error_kind="request")
        one = outcome(suite(replace(comparison({"a": "broke"}), candidate={"a": refused})))
        assert "this PR: no answerHTTP 400" in said(one, "Cases that broke")

    def test_repaired_cases_are_listed(self) -> None:
        assert said(outcome(gated(repaired=2)), "Cases repaired").startswith("case-0000, case-0001")

    def test_lost_cases_name_side_and_cause(self) -> None:
        compared = comparison({"a": "lost", "b": "same"})
        compared = replace(compared, pairs=(*compared.pairs[:1], replace(compared.pairs[1], base=None)))
        compared = replace(compared, base={"a": compared.base["a"], "b": lost_record("b", "timeout")})
        assert rows(outcome(suite(compared)), "Cases lost to errors") == [
            ["a", "this PR", "HTTP 503 after 4 tries"],
            ["b", "base", "timeout"],
        ]

    def test_a_case_that_was_never_asked(self) -> None:
        compared = replace(comparison({"a": "lost"}), candidate={})
        assert rows(outcome(suite(compared)), "Cases lost to errors") == [["a", "this PR", "not asked"]]


class TestGoldenSet:
    def test_removed_and_rewritten_cases_are_listed(self) -> None:
        one = outcome(suite(edits=Edits((), ("gone",), ("other",))))
        words = said(one, "What this PR does to the golden set")
        assert words.startswith("Removed and rewritten cases were judged by main's version.removed: gone")
        assert "rewritten: other" in words

    def test_added_cases_are_shown_with_their_result(self) -> None:
        records = {"a": record("a", cell(), cell(False, scorer="tone")), "b": lost_record("b")}
        one = outcome(suite(edits=Edits(("a", "b", "c"), (), ()), new_cases=records))
        assert rows(one, "What this PR does to the golden set") == [
            ["a", "1 of 2", "tone"],
            ["b", "unknown", ""],
            ["c", "unknown", ""],
        ]

    def test_what_added_cases_would_change_is_told(self) -> None:
        """Over the same cells as the table's score of this PR."""
        records = {"a": record("a", cell(False)), "b": record("b", cell()), "c": lost_record("c")}
        added = Edits(("a", "b", "c"), (), ())
        compared = comparison(some(8, broke=2))
        one = outcome(suite(compared, edits=added, new_cases=records))
        words = said(one, "What this PR does to the golden set")
        assert "With 2 new cases task_accuracy would be 70.0 instead of 75.0." in words
        assert "weight" not in words
        without = replace(compared, pairs=tuple(replace(pair, weight=Fraction(3)) for pair in compared.pairs))
        one = outcome(suite(without, edits=added, new_cases={"a": record("a", cell(False), cell(scorer="tone"))}))
        words = said(one, "What this PR does to the golden set")
        assert "With 1 new case task_accuracy would be 67.9 instead of 75.0." in words
        assert "Of no case of main, so with a weight of 1: tone." in words

    def test_a_dimension_that_only_added_cases_have(self) -> None:
        records = {"a": record("a", cell(False, dimension="behaviour", scorer="tone"))}
        one = outcome(suite(edits=Edits(("a",), (), ()), new_cases=records))
        words = said(one, "What this PR does to the golden set")
        assert "With 1 new case behaviour would be 0.0; without, it has no score." in words

    def test_contamination(self) -> None:
        leaks = (
            Leak("a", "input", "train.jsonl", 3, "word for word"),
            Leak("b", "answer", "prompt.md", None, "same words"),
        )
        assert rows(outcome(suite(leaks=leaks)), "Contamination") == [
            ["a", "input", "train.jsonl:3", "word for word"],
            ["b", "answer", "prompt.md", "same words"],
        ]


class TestCertainty:
    def test_a_model_that_repeats_itself(self) -> None:
        assert said(outcome(gated()), "How sure") == (
            "Every answer of this model is repeatable, so a drop of 1 point or more would have been seen: "
            "3 of 300 cases in task_accuracy."
        )

    def test_a_limit_between_two_cases_is_reached_by_the_larger(self) -> None:
        assert "4 of 301 cases" in said(outcome(gated(301)), "How sure")

    def test_unequal_weights_have_no_count_of_cases(self) -> None:
        compared = comparison(some(2))
        heavy = replace(compared.pairs[0], weight=Fraction(2))
        words = said(outcome(suite(replace(compared, pairs=(heavy, compared.pairs[1])))), "How sure")
        assert words.endswith("a drop of 1 point or more would have been seen.")

    def test_only_strict_dimensions(self) -> None:
        assert said(outcome(gated(limit="any")), "How sure").endswith("any case that broke would have been seen.")

    def test_lost_cases_are_counted(self) -> None:
        assert said(outcome(gated(lost=1)), "How sure").startswith("1 case got no score.")


BROKEN, COIN, BACK = ("+", "-"), ("+-", "-+"), ("+", "+")
ANY = GatePolicy(per_dimension={"task_accuracy": "any"})


def confirmed(
    *runs: tuple[str, str], repaired: int = 0, gate: GatePolicy | None = None, **different: Any
) -> GateOutcome:
    """300 cases, of which the first broke (and the last of them were repaired), and what their reruns do."""
    compared = comparison(some(300, broke=len(runs) - repaired, repaired=repaired))
    return outcome(rerun(compared, {f"case-{number:04}": one for number, one in enumerate(runs)}, gate, **different))


class TestConfirmedChange:
    def test_the_change_is_by_reruns_with_its_interval(self) -> None:
        one = confirmed(*[BROKEN] * 8, ("+", "-----+"))
        [row] = rows(one, "Dimensions")
        assert row[1:4] == ["100.0", "97.0", "−3.0 (−3.2 to −2.8)"]
        words = "Scores are of one run a side; the change is by 7 further runs a side of what differed."
        assert words in said(one, "Dimensions")

    def test_what_is_settled_has_no_interval(self) -> None:
        assert rows(confirmed(*[BROKEN] * 9), "Dimensions")[0][3] == "−3.0"

    def test_repeatable_scores_need_no_words(self) -> None:
        assert "one run a side" not in said(outcome(gated(broke=9)), "Dimensions")

    def test_what_was_not_asked_again_is_not_in_the_change(self) -> None:
        one = confirmed(("x", "x"))
        assert rows(one, "Dimensions")[0][1:7] == ["100.0", "99.7", "0.0", "1", "0", "0"]
        assert "what differed and was not asked again is not in the change" in said(one, "Dimensions")

    def test_only_what_stayed_is_counted(self) -> None:
        one = confirmed(BROKEN, COIN, COIN, ("-", "+"), ("-+", "+-"), repaired=2)
        assert rows(one, "Dimensions")[0][5:7] == ["1", "1"]

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.tuples(*[st.text("+-x", min_size=1, max_size=9)] * 2), max_size=9))
    def test_an_interval_never_contradicts_a_pass(self, runs: list[tuple[str, str]]) -> None:
        one = confirmed(*runs)
        [row] = rows(one, "Dimensions")
        shown = [Fraction(text.replace("−", "-")) for text in re.findall(r"[−+]?[0-9.]+[0-9]", row[3])]
        if row[-1] == "pass":
            assert min(shown) > -1
        if headline(one).startswith("task_accuracy fell by"):
            assert shown[0] <= -1

    def test_unknown_scores_are_added_to_what_was_confirmed(self) -> None:
        compared = comparison(some(300, broke=3, lost=1))
        one = outcome(rerun(compared, {f"case-{number:04}": BACK for number in range(3)}))
        assert re.fullmatch(r"0\.0 \(.* to .*; at worst −0\.3\)", rows(one, "Dimensions")[0][3])


class TestConfirmedCases:
    def test_a_broken_case_says_what_reruns_said(self) -> None:
        words = said(confirmed(*[BROKEN] * 3), "Cases that broke")
        assert "category is other, not billing (reruns: main 7 of 7, this PR 0 of 7)" in words

    def test_lost_reruns_are_told(self) -> None:
        assert "(reruns: main 4 of 4 and 3 lost, this PR 0 of 7)" in said(
            confirmed(BROKEN, BROKEN, ("+x", "-")), "Cases that broke"
        )

    def test_what_did_not_stay_broken_has_a_fold_of_its_own(self) -> None:
        one = confirmed(BROKEN, COIN, BACK)
        assert [section(one, title).count for title in ("Cases that broke", WENT)] == [1, 2]
        assert said(one, WENT).startswith("case-0001, exact (task_accuracy): category is other, not billing (reruns: ")
        assert "case-0001" not in said(one, "Cases that broke")

    def test_the_largest_loss_comes_first(self) -> None:
        one = confirmed(("+", "--+"), BROKEN, ("+", "-----+"))
        [entries] = section(one, "Cases that broke").blocks
        assert isinstance(entries, Entries)
        assert [entry.name.text() for entry in entries.items] == ["case-0001", "case-0002", "case-0000"]

    def test_what_was_not_asked_again_is_not_called_broken(self) -> None:
        one = confirmed(("x", "x"))
        assert "Cases that broke" not in titles(one)
        assert section(one, "Cases that broke in one run, not confirmed").count == 1

    def test_repaired_cases_that_did_not_stay_so(self) -> None:
        one = confirmed(BACK, BACK, ("-", "+"), ("-+", "+-"), repaired=2)
        assert section(one, "Cases repaired").count == 1
        assert said(one, "Cases repaired").startswith("case-0002")
        assert "not confirmed: case-0003" in said(one, "Cases repaired")

    def test_cases_taken_away_are_only_called_broken_if_they_stayed_so(self) -> None:
        edits = Edits((), ("case-0000", "case-0001"), ())
        words = said(confirmed(BROKEN, BACK, edits=edits), "Golden cases that it breaks")
        assert "breaks 1 of them" in words
        assert "Golden cases that it breaks" not in titles(confirmed(BACK, BACK, edits=edits))

    def test_hidden_texts_stay_hidden(self) -> None:
        report = build(confirmed(BROKEN, COIN, COIN), show_outputs=False)
        assert "not billing" not in revealed(report.sections)
        assert "this PR 0 of 7" in revealed(report.sections)

    def test_coin_flips_on_main(self) -> None:
        one = confirmed(BROKEN, stored={("case-0000", "exact"): Stored(2, 5), ("case-0009", "exact"): Stored(3, 5)})
        found = section(one, "Coin flips on main")
        assert not found.folded
        assert said(one, "Coin flips on main").startswith(
            "Coin flips on main, not gated; fix the case or the prompt:case-0000 (exact), case-0009 (exact)"
        )
        assert "Cases that broke" not in titles(one)


class TestConfirmedHeadline:
    def test_any_counts_what_stayed_broken(self) -> None:
        assert headline(confirmed(BROKEN, BACK, COIN, gate=ANY)) == (
            "1 score of task_accuracy broke (limit: any broken case)"
        )

    def test_a_partly_broken_cell_that_fails_is_counted(self) -> None:
        one = confirmed(("+", "++-"), gate=ANY)
        assert headline(one) == "1 score of task_accuracy broke (limit: any broken case)"
        assert section(one, "Cases that broke").count == 1

    def test_what_does_not_fail_where_any_does_is_not_broken(self) -> None:
        one = confirmed(("+++++++++-", "-+--"), gate=ANY)
        assert headline(one) == "no case broke in task_accuracy"
        assert "Cases that broke" not in titles(one)

    def test_out_of_time(self) -> None:
        one = confirmed(*[("+", "+-")] * 6, stop="deadline")
        assert headline(one) == "time ran out before task_accuracy was clear (limit 1)"

    def test_lost_reruns(self) -> None:
        one = confirmed(*[("+x", "+x")] * 5)
        assert headline(one) == "too many reruns were lost to be sure of task_accuracy (limit 1)"

    def test_a_drop_below_its_limit_is_not_called_a_fall_by_it(self) -> None:
        one = judged_as(drop=Fraction(1, 2), error=0.4, why="final look", fresh=80)
        assert headline(one) == "task_accuracy may have fallen by its limit or more (limit 1)"
        assert "it is not sure that task_accuracy fell by less than 1 point." in said(one, "How sure")

    def test_a_diffuse_drop(self) -> None:
        one = confirmed(*[BACK] * 12)
        assert headline(one) == "task_accuracy lost a little on many cases (limit 1)"


def judged_as(**different: Any) -> GateOutcome:
    """A regression that stands on something else."""
    one = rerun(comparison(some(300, broke=3)), {f"case-{number:04}": BROKEN for number in range(3)})
    return outcome(replace(one, dimensions=(replace(one.dimensions[0], **different),)))


class TestHowSure:
    def test_no_case_differed(self) -> None:
        assert said(confirmed(), "How sure") == "No case answered differently, so none was asked again."

    def test_surely_below_the_limit(self) -> None:
        assert said(confirmed(COIN, COIN, COIN), "How sure") == (
            "3 cases answered differently; main and this PR were asked 7 more times about each, "
            "and task_accuracy surely fell by less than 1 point."
        )

    def test_a_fall(self) -> None:
        words = said(confirmed(*[BROKEN] * 8, ("+", "-----+")), "How sure")
        assert words.endswith(", and task_accuracy fell by 3.0 points (2.8 to 3.2 at 95 %).")

    def test_too_few_to_ask_again(self) -> None:
        assert said(confirmed(("x", "x")), "How sure") == (
            "1 case answered differently; in task_accuracy too few cases differed to reach the limit, "
            "so none was asked again."
        )

    @pytest.mark.parametrize(("stop", "words"), [("deadline", "time ran out"), ("budget", "the budget ran out")])
    def test_what_is_missing(self, stop: Literal["deadline", "budget"], words: str) -> None:
        assert said(confirmed(*[("+", "+-")] * 6, stop=stop), "How sure").endswith(
            f", and {words} before task_accuracy was clear: 6 scores that differed need more reruns."
        )

    def test_diffuse(self) -> None:
        assert said(confirmed(*[BACK] * 12), "How sure").endswith(
            "asked 20 more times about each, and in task_accuracy no single case stayed broken, "
            "but the flips fall on cases that are stable on main, mostly for the worse."
        )

    def test_any(self) -> None:
        assert said(confirmed(BROKEN, gate=ANY), "How sure").endswith(
            "7 more times about it, and in task_accuracy 1 score stayed broken."
        )
        assert said(confirmed(BACK, gate=ANY), "How sure").endswith(", and in task_accuracy no case stayed broken.")

    def test_dimensions_of_which_the_same_is_true_share_a_clause(self) -> None:
        two = joined(comparison(some(300, broke=3)), comparison(some(300, broke=3), "tone"))
        one = outcome(rerun(two, {f"case-{number:04}": COIN for number in range(3)}))
        assert said(one, "How sure").endswith("and task_accuracy, tone surely fell by less than 1 point.")

    def test_lost_cases_come_first(self) -> None:
        one = outcome(rerun(comparison(some(300, broke=1, lost=1)), {}))
        assert said(one, "How sure").startswith("1 case got no score. ")
        assert "1 case answered differently; " in said(one, "How sure")


class TestProvenance:
    def test_a_stored_baseline(self) -> None:
        assert said(outcome(suite()), "Provenance") == (
            "Base aaaaaaaaaaaa, this PR bbbbbbbbbbbb. The base's answers are main's stored baseline of cccccccccccc, "
            "made 2026-05-04T08:30:00Z. Took 41.6 s."
        )

    def test_a_base_that_was_evaluated_here(self) -> None:
        words = said(outcome(suite(base_stored=False), candidate_commit=None), "Provenance")
        assert "this PR is no commit (a working tree or a merge). The base was evaluated in this job." in words

    def test_nothing_judged(self) -> None:
        one = outcome(verdict=Verdict.PASS, reason="nothing relevant changed")
        assert titles(one) == ["Provenance"]


class TestHiding:
    @pytest.mark.parametrize("how", ["policy", "argument"])
    def test_no_output_input_or_expectation_is_in_the_model(self, how: str) -> None:
        words = "a quiet answer"
        one = replace(full(words), problem=None, policy_notes=(), hide_outputs=how == "policy")
        notes = (ChangeNote("prompt", Untrusted("p.md"), (), Untrusted(words)),)
        one = replace(one, suites=(replace(one.suites[0], leaks=(), warnings=(), quarantined=(), notes=notes),))
        report = build(one, show_outputs=how != "argument")
        assert words not in revealed(report.sections)
        assert "Cases that broke" in [section.title for section in report.sections]

    def test_they_are_shown_otherwise(self) -> None:
        assert "a quiet answer" in revealed(build(full("a quiet answer")).sections)


def test_sections_stand_in_the_order_of_the_design() -> None:
    assert titles(full()) == [
        "Problem",
        "Dimensions",
        "Warnings",
        "Coin flips on main",
        "What changed",
        "Cases that broke",
        "Cases repaired",
        "What this PR does to the golden set",
        "Contamination",
        "Strata, categories, tags",
        "How it fails: loud or silent",
        "Latency, tokens and cost",
        "All traffic",
        "Cases lost to errors",
        "Policy changes, without effect on this verdict",
        "How sure",
        "Provenance",
    ]


def test_only_what_happened_is_told() -> None:
    assert titles(outcome(suite())) == [
        *("Dimensions", "Latency, tokens and cost", "All traffic", "How sure", "Provenance")
    ]


def test_policy_notes_are_open_where_they_are_all_there_is() -> None:
    notes = (Untrusted("suite x is added"),)
    alone = outcome(verdict=Verdict.PASS, reason="only policy changed", policy_notes=notes)
    title = "Policy changes, without effect on this verdict"
    assert not section(alone, title).folded
    assert section(outcome(suite(), policy_notes=notes), title).folded


def test_what_changed_is_said_in_words() -> None:
    words = said(realistic(), "What changed")
    assert "model golden/helpdesk/model.yaml: temperature 0 → 0.7" in words
    assert "- urgent: money taken wrongly" in words


# --- what the candidate is called -------------------------------------------------------------------------------------


def test_a_merge_queue_s_group_is_called_a_group_in_every_form() -> None:
    """In our own words only: what a model wrote stays as it is."""
    group = replace(full("this PR is fine"), called="this group")
    forms: tuple[Form, ...] = ("md", "html", "junit")
    for form in forms:
        told, usual = (of_gate(one, form) for one in (group, replace(group, called="this PR")))
        assert told.count("this PR") == told.count("this PR is fine") > 0
        assert told.count("this group") == usual.count("this PR") - usual.count("this PR is fine") > 0
    assert "this PR" not in comment(build(replace(realistic(), called="this group")))
