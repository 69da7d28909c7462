"""What a report says of latency, tokens and cost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from report_factory import cell, comparison, lost_record, outcome, record, rows, said, some, suite

from ci_eval.comparison import Comparison
from ci_eval.outcome.model import GateOutcome
from ci_eval.records import Record
from ci_eval.report.model import build

TITLE = "Latency, tokens and cost"


def answered(side: Sequence[dict[str, Any]]) -> dict[str, Record]:
    return {f"case-{number:04}": record(f"case-{number:04}", cell(), **fields) for number, fields in enumerate(side)}


def sides(base: Sequence[dict[str, Any]], candidate: Sequence[dict[str, Any]], **different: Any) -> GateOutcome:
    """What each case's record says on either side."""
    compared: Comparison = comparison(some(len(base)))
    compared = replace(compared, base=answered(base), candidate=answered(candidate))
    return outcome(suite(compared, **different))


def timings(*milliseconds: float, **different: Any) -> list[dict[str, Any]]:
    return [{"latency_ms": one, **different} for one in milliseconds]


class TestLatency:
    def test_quantiles_with_their_intervals(self) -> None:
        one = sides(timings(*[9.0] * 400), timings(*map(float, range(1, 401))))
        assert rows(one, TITLE)[1] == [
            *("this PR", "400"),
            *("200 ms (180–221)", "380 ms (371–389)", "396 ms (392–400)"),
        ]
        assert "In brackets 95 % intervals." in said(one, TITLE)

    def test_too_few_answers_have_no_upper_end_and_that_is_said(self) -> None:
        one = sides(timings(*[9.0] * 100), timings(*map(float, range(1, 101))))
        assert rows(one, TITLE)[1][2:] == ["50 ms (40–61)", "95 ms (90–100)", "99 ms (≥ 97)"]
        assert "too few answers have no upper end (p99 takes 368)" in said(one, TITLE)

    def test_hardly_any_have_none_at_all(self) -> None:
        one = sides(timings(7.0), timings(8.0))
        assert rows(one, TITLE)[1][2:] == ["8 ms", "8 ms", "8 ms (≥ 8)"]
        assert "(p50 takes 6 and p95 takes 72 and p99 takes 368)" in said(one, TITLE)

    def test_reused_answers_are_not_timed_and_that_is_said(self) -> None:
        one = sides(timings(1.0, 2.0), timings(1.0, 2.0, reused=True), calls=1, base_stored=False)
        assert rows(one, TITLE)[1][1:] == ["0", "unknown", "unknown", "unknown"]
        assert "1 call made for this verdict. 2 cases asked the model the same on both sides" in said(one, TITLE)
        assert "times as long" not in said(one, TITLE)

    def test_answers_out_of_the_cache_are_not_timed_and_that_is_said(self) -> None:
        cached = [{"latency_ms": None, "cached_at": "2026-05-04T08:30:00Z"}]
        one = sides(cached * 2, [*cached, {"latency_ms": 5.0}], base_stored=False)
        assert [row[1] for row in rows(one, TITLE)] == ["0", "1"]
        assert "3 answers came out of the response cache, not timed." in said(one, TITLE)
        stored = replace(one, suites=(replace(one.suites[0], base_stored=True),))
        assert "1 answer came out of the response cache, not timed." in said(stored, TITLE)

    def test_of_another_day_they_are_not_compared(self) -> None:
        one = sides(timings(*[100.0] * 30), timings(*[900.0] * 30))
        assert "timed when main's baseline was stored." in said(one, TITLE)
        assert "Warnings" not in [section.title for section in build(one).sections]

    def test_of_this_job_they_are_compared_case_by_case(self) -> None:
        rng = random.Random(1)
        base = [rng.uniform(100, 1000) for _ in range(60)]
        other = [one * rng.uniform(0.9, 1.1) for one in base]
        words = said(sides(timings(*base), timings(*other), base_stored=False), TITLE)
        assert "On 60 cases timed on both sides in this job this PR's calls take 1.01 times" in words
        assert "(0.99 to 1.03, 98 % sure)" in words

    def test_slower_is_a_warning_and_no_verdict(self) -> None:
        one = sides(timings(*[100.0] * 30), timings(*[150.0] * 30), base_stored=False)
        assert said(one, "Warnings").startswith(
            "Slower: this PR's calls take 1.50 times as long (1.50 to 1.50, 98 % sure)"
        )
        assert one.verdict.value == "pass"

    def test_too_few_pairs_are_not_compared(self) -> None:
        one = sides(timings(*[100.0] * 6), timings(*[900.0] * 6), base_stored=False)
        assert "Only 6 cases timed on both sides in this job: too few to compare latencies." in said(one, TITLE)
        assert "Warnings" not in [section.title for section in build(one).sections]


class TestTokens:
    def test_totals_and_their_change(self) -> None:
        one = sides([{"tokens_in": 100}] * 10, [{"tokens_in": 125, "tokens_out": 27}] * 10)
        assert rows(one, TITLE, 1) == [
            ["base", "1,000", "300"],
            ["this PR", "1,250", "270"],
            ["change", "+25.0 %", "−10.0 %"],
        ]

    def test_cached_and_reasoning_tokens_where_they_are_known(self) -> None:
        one = sides([{}] * 10, [{"tokens_cached": 256, "tokens_reasoning": 12}] * 10)
        assert rows(one, TITLE, 1)[:2] == [
            ["base", "4,000", "300"],
            ["this PR", "4,000 (2,560 cached)", "300 (120 reasoning)"],
        ]

    def test_unknown_tokens_are_not_none(self) -> None:
        one = sides([{}] * 2, [{"tokens_in": None, "tokens_out": None}, {"tokens_in": None}])
        assert rows(one, TITLE, 1)[1:] == [["this PR", "unknown", "≥ 30"], ["change", "", ""]]


class TestCost:
    def test_per_case_per_correct_case_and_in_all(self) -> None:
        compared = comparison(some(300, broke=60))
        base = {name: one.model_copy(update={"cost_usd": 0.0004}) for name, one in compared.base.items()}
        more = {name: one.model_copy(update={"cost_usd": 0.00044}) for name, one in compared.candidate.items()}
        one = outcome(suite(replace(compared, base=base, candidate=more)))
        base_row, candidate_row, change = (row[3:] for row in rows(one, TITLE, 1))
        assert base_row == ["$0.00040", "$0.00040", "$0.12"]
        assert candidate_row == ["$0.00044", "$0.00055", "$0.13"]
        assert change[0] == "+10.0 % (+10.0 to +10.0)"
        assert change[1].startswith("+37.5 % (+")

    def test_without_any_price_there_is_no_column_and_that_is_said(self) -> None:
        one = sides([{}] * 20, [{}] * 20)
        assert [len(row) for row in rows(one, TITLE, 1)] == [3, 3, 3]
        assert "The price of this model is not known." in said(one, TITLE)

    def test_free_answers_on_both_sides_take_no_column_either(self) -> None:
        one = sides([{"cost_usd": 0.0}] * 20, [{"cost_usd": 0.0}] * 20)
        assert [len(row) for row in rows(one, TITLE, 1)] == [3, 3, 3]
        assert said(one, TITLE).endswith("Answers cost nothing.")

    def test_a_price_unknown_on_one_side_is_not_guessed(self) -> None:
        one = sides([{}] * 20, [{"cost_usd": 0.01}] * 20)
        assert [row[3:] for row in rows(one, TITLE, 1)] == [
            ["unknown", "unknown", "unknown"],
            ["$0.010", "$0.010", "$0.20"],
            ["", "", ""],
        ]
        assert "No price is known of 20 of 20 answers of base." in said(one, TITLE)

    def test_some_prices_unknown(self) -> None:
        one = sides([{"cost_usd": 0.01}] * 20, [{}, *[{"cost_usd": 0.02}] * 19])
        assert rows(one, TITLE, 1)[1][3:] == ["$0.020", "$0.020", "≥ $0.38"]
        assert rows(one, TITLE, 1)[2][3:] == ["", "", ""]
        assert "No price is known of 1 of 20 answers of this PR." in said(one, TITLE)

    def test_none_correct_and_free_answers(self) -> None:
        compared = comparison(some(20, broke=20))
        base = {name: one.model_copy(update={"cost_usd": 0.0}) for name, one in compared.base.items()}
        more = {name: one.model_copy(update={"cost_usd": 0.5}) for name, one in compared.candidate.items()}
        one = outcome(suite(replace(compared, base=base, candidate=more)))
        assert [row[3:] for row in rows(one, TITLE, 1)] == [
            ["$0.00", "$0.00", "$0.00"],
            ["$0.50", "none correct", "$10.00"],
            ["base is free", "", ""],
        ]

    def test_a_lost_answer_is_not_an_unknown_price(self) -> None:
        compared = comparison({**some(20), "gone": "lost"})
        both = [
            {name: one if one.error else one.model_copy(update={"cost_usd": 0.01}) for name, one in side.items()}
            for side in (compared.base, {**compared.candidate, "gone": lost_record("gone")})
        ]
        one = outcome(suite(replace(compared, base=both[0], candidate=both[1])))
        assert "No price" not in said(one, TITLE)
        assert rows(one, TITLE, 1)[2][3] == "0.0 % (0.0 to 0.0)"

    @pytest.mark.parametrize("kind", ["infrastructure", "request"])
    def test_where_every_answer_is_lost_no_price_is_called_unknown(self, kind: str) -> None:
        compared = comparison({f"gone-{number}": "lost" for number in range(20)})
        gone = {name: lost_record(name).model_copy(update={"error_kind": kind}) for name in compared.cases}
        one = outcome(suite(replace(compared, base=gone, candidate=gone)))
        assert "price" not in said(one, TITLE)
        assert said(one, TITLE).endswith(
            "no answer whose cost could be told: all were lost, refused or never asked for."
        )
        assert [len(row) for row in rows(one, TITLE, 1)] == [3, 3, 3]

    def test_where_one_side_is_lost_whole_its_price_is_not_called_unknown(self) -> None:
        one = sides([{"cost_usd": 0.01}] * 20, [{}] * 20)
        compared = one.suites[0].comparison
        gone = {name: lost_record(name) for name in compared.candidate}
        lost = outcome(suite(replace(compared, candidate=gone)))
        assert rows(lost, TITLE, 1)[1][3:] == ["no answer"] * 3
        assert "price" not in said(lost, TITLE)


@pytest.mark.parametrize("calls", [1, 2])
def test_the_calls_that_the_verdict_took(calls: int) -> None:
    noun = "call" if calls == 1 else "calls"
    assert f"{calls} {noun} made for this verdict." in said(sides([{}], [{}], calls=calls), TITLE)
