"""What a report says of a part of the golden set, of time and money, of noise, the anchor and other limits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from report_factory import NOISY, comparison, outcome, some, suite

from ci_eval.baseline.noise import Noise
from ci_eval.config import GatePolicy
from ci_eval.outcome.model import AnchorOutcome, SuiteOutcome
from ci_eval.plan.subset import Budget
from ci_eval.report.json_report import to_json
from ci_eval.report.markdown import comment
from ci_eval.report.model import build
from ci_eval.verdict import DimensionResult, Verdict


def text(one: SuiteOutcome, **different: Any) -> str:
    return comment(build(outcome(one, **different)))


def first_line(one: SuiteOutcome) -> str:
    return text(one).splitlines()[0]


def part(cases: int, of: int, *, broke: int = 0) -> SuiteOutcome:
    """A gate that ran some of the cases."""
    one = suite(comparison(some(cases, broke=broke)), golden_cases=of)
    return replace(one, dimensions=tuple(replace(result, gated=of) for result in one.dimensions))


class TestPart:
    def test_a_pass_says_on_how_much_of_the_golden_set(self) -> None:
        assert first_line(part(100, 300)).endswith(" or more, on a subset of 100 of 300 cases")

    def test_and_which_drop_of_the_whole_set_that_excludes(self) -> None:
        assert "on the whole set a drop of 2.7 points or more would have been seen, at 95 %" in text(part(100, 300))

    def test_the_whole_set_is_no_part(self) -> None:
        whole = text(suite(comparison(some(300))))
        assert "subset" not in whole
        assert "were run" not in whole

    def test_scores_and_changes_are_told_apart(self) -> None:
        assert "scores are of the 100 of 300 cases that were run; changes are of the whole set" in text(part(100, 300))


class TestTimeAndMoney:
    def test_beside_what_there_was_of_them(self) -> None:
        told = text(suite(), seconds=41.62, budget=Budget(270, 2.0), usd=0.4213)
        assert "Took 41.6 s of 270, and $0.42 of $2.00." in told

    def test_what_cost_nothing_is_not_priced(self) -> None:
        assert "Took 41.6 s of 270." in text(suite(), seconds=41.62, budget=Budget(270), usd=0.0)

    def test_an_unknown_price_is_said(self) -> None:
        assert "and an unknown price." in text(suite(), seconds=41.62, budget=Budget(270), usd=None)


class TestNoise:
    FLAKY = Noise(300, Fraction(1, 25), 30, 0.8)

    def test_how_far_main_differs_from_itself(self) -> None:
        told = text(suite(noise={"task_accuracy": self.FLAKY, "style": self.FLAKY}, base_header=NOISY))
        assert "Two runs of main alone differ in 4.0 % of the scores of `task_accuracy`; in `style` in 4.0 %." in told

    def test_repeats_that_never_differed(self) -> None:
        still = replace(self.FLAKY, differing=Fraction(0))
        assert "Main's own repeats never differed." in text(suite(noise={"task_accuracy": still}, base_header=NOISY))

    def test_nothing_of_it_where_main_was_run_once(self) -> None:
        assert "Two runs of main" not in text(suite())


def anchored(*, blamed: bool, verdict: Verdict = Verdict.REGRESSION) -> SuiteOutcome:
    one = suite(comparison(some(300, broke=1)))
    (result,) = one.dimensions
    beside: DimensionResult = replace(result, verdict=verdict, drop=Fraction(16, 5), limit=Fraction(3))
    names = ("task_accuracy",) if blamed else ()
    return replace(one, anchor=AnchorOutcome("v1|<b>", "a" * 40, (beside,), names, 0))


class TestAnchor:
    def test_a_change_that_crosses_it_fails_in_the_first_line(self) -> None:
        assert first_line(anchored(blamed=True)).startswith(
            "### ❌ Regression: `task_accuracy` is 3.2 points below the"
        )

    def test_its_table_is_in_the_open_where_it_fails(self) -> None:
        told = text(anchored(blamed=True))
        assert "Main may not creep below `v1\\u{7c}<b>` (`aaaaaaaaaaaa`)." in told
        assert "<summary>Beside the anchor" not in told
        assert "−3.2" in told

    def test_where_main_was_below_it_already_that_is_said_and_fails_nothing(self) -> None:
        one = anchored(blamed=False)
        told = text(one)
        assert one.verdict is Verdict.PASS
        assert "Main is below it already in `task_accuracy` and this change does not add to that." in told
        assert "<summary>Beside the anchor" in told

    def test_doubt_is_told_as_doubt(self) -> None:
        line = first_line(anchored(blamed=True, verdict=Verdict.INCONCLUSIVE))
        assert "it is not clear whether `task_accuracy` is below the anchor" in line

    def test_it_is_in_the_json(self) -> None:
        found = to_json(outcome(anchored(blamed=True)))["suites"][0]["anchor"]
        assert (found["verdict"], found["blamed"]) == ("regression", ["task_accuracy"])
        assert found["dimensions"][0]["drop"] == "3.2000"

    def test_the_worst_dimension_is_the_one_that_fell_below_it_where_that_alone_fails(self) -> None:
        alone, spared = outcome(anchored(blamed=True)), outcome(anchored(blamed=False))
        both = outcome(anchored(blamed=True), suite(comparison(some(300, broke=6))))
        drops = [found.drop for found in (one.worst_dimension() for one in (alone, spared, both)) if found]
        assert drops == [Fraction(16, 5), Fraction(1, 3), Fraction(2)]


def priced(base: float, candidate: float | None, percent: float) -> SuiteOutcome:
    compared = comparison(some(100))
    sides = [
        {name: one.model_copy(update={"cost_usd": usd}) for name, one in records.items()}
        for records, usd in ((compared.base, base), (compared.candidate, candidate))
    ]
    policy = GatePolicy.model_validate({"cost": {"max_increase": percent}})
    return suite(replace(compared, base=sides[0], candidate=sides[1]), policy=policy)


class TestIncreases:
    @pytest.mark.parametrize(
        ("candidate", "verdict", "words"),
        [
            (0.02, Verdict.REGRESSION, "the cost of an answer rose by 100.0 % (limit +20 %)"),
            (
                None,
                Verdict.INCONCLUSIVE,
                "the cost of an answer (limit +20 %): a price is not known",
            ),
        ],
    )
    def test_more_than_policy_allows_is_in_the_first_line(
        self, candidate: float | None, verdict: Verdict, words: str
    ) -> None:
        one = priced(0.01, candidate, 20)
        assert one.verdict is verdict
        assert first_line(one).endswith(words)

    def test_it_is_a_row_of_the_table(self) -> None:
        row = next(line for line in text(priced(0.01, 0.011, 20)).splitlines() if line.startswith("| cost"))
        assert [cell.strip() for cell in row.strip("|").split("|")][3:5] == ["+10.0 % (+10.0 to +10.0)", "+20 %"]

    def test_exactly_the_limit_fails(self) -> None:
        assert priced(0.01, 0.012, 20).verdict is Verdict.REGRESSION


def test_more_errors_than_policy_allows_are_told_first() -> None:
    compared = comparison(some(300, lost=3))
    one = suite(compared, policy=GatePolicy(max_drop=10, max_errors=2), gate=GatePolicy(max_drop=10))
    assert one.verdict is Verdict.INCONCLUSIVE
    assert first_line(one) == "### ⚠️ Inconclusive: 3 cases lost, more than max_errors (2)"
