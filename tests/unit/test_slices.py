"""Groups of cases: what is said to be a pattern, and on what grounds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from report_factory import Change, comparison, joined, rerun, some, suite

from ci_eval.comparison import Comparison
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.outcome.slices import Kind, Slice, slices
from ci_eval.stats import holm, mid_p


def labelled(compared: Comparison, labels: Callable[[int], Mapping[str, Any]]) -> Comparison:
    """The same with other categories, strata or tags, by the number of the case."""
    cases = {
        name: case.model_copy(update={"category": None, **labels(number)})
        for number, (name, case) in enumerate(compared.cases.items())
    }
    return replace(compared, cases=cases)


def tagged(first: int, changes: dict[str, Change]) -> SuiteOutcome:
    """The first so many cases share a tag."""
    return suite(labelled(comparison(changes), lambda number: {"tags": ["t"] if number < first else []}))


def only(one: SuiteOutcome, kind: Kind = "tag") -> Slice:
    (found,) = (found for found in slices(one) if found.kind == kind)
    return found


class TestMembers:
    def test_strata_then_categories_then_tags_with_the_most_broken_first(self) -> None:
        def labels(number: int) -> dict[str, Any]:
            stratum = "edge" if number % 2 else "adversarial"
            return {"stratum": stratum, "category": "cb"[number % 2], "tags": ["z", "z"] if number < 4 else ["a"]}

        found = slices(suite(labelled(comparison(some(8, broke=3)), labels)))
        assert [(one.kind, one.name, one.cases, len(one.broke)) for one in found] == [
            ("stratum", "edge", 4, 1),
            ("stratum", "adversarial", 4, 2),
            ("category", "c", 4, 2),
            ("category", "b", 4, 1),
            ("tag", "z", 4, 3),
            ("tag", "a", 4, 0),
        ]

    def test_all_cases_are_no_group_and_one_case_is_none(self) -> None:
        compared = labelled(comparison(some(5)), lambda number: {"category": "all", "tags": ["one"][number:]})
        assert slices(suite(compared)) == ()

    def test_shares_with_wilsons_interval_on_both_sides(self) -> None:
        found = only(tagged(100, some(200, broke=3, repaired=1)))
        assert (found.base.passed, found.base.known) == (99, 100)
        assert (found.candidate.passed, found.candidate.known) == (97, 100)
        assert found.candidate.interval == pytest.approx((0.9155, 0.9897), abs=1e-4)

    def test_a_case_with_an_unknown_score_has_no_share(self) -> None:
        found = only(tagged(2, {"a": "lost", "b": "lost", "c": "same"}))
        assert (found.base.known, found.candidate.known) == (2, 0)

    def test_a_coin_flip_on_main_does_not_fail_its_case(self) -> None:
        one = tagged(10, some(20, broke=1))
        flaky = replace(one, quarantined=(("case-0000", "exact"),))
        assert (only(one).candidate.passed, only(one).candidate.known) == (9, 10)
        assert (only(flaky).candidate.passed, only(flaky).candidate.known) == (9, 9)


class TestPattern:
    def test_nothing_changed_has_none(self) -> None:
        assert only(tagged(10, some(20))).pattern is None

    @pytest.mark.parametrize(
        ("broke", "repaired", "pattern"), [(4, 0, "scattered"), (5, 0, "systematic"), (6, 2, "scattered")]
    )
    def test_of_one_group_it_is_the_plain_test(self, broke: int, repaired: int, pattern: str) -> None:
        found = only(tagged(30, some(30, broke=broke, repaired=repaired) | {"other": "same"}))
        assert (found.p <= 0.05) == (mid_p(broke, repaired) <= 0.05) == (pattern == "systematic")
        assert found.pattern == pattern
        assert len(found.flips) == broke + repaired

    def test_a_group_that_got_better_is_systematic_too(self) -> None:
        found = only(tagged(30, some(60, repaired=8)))
        assert (found.pattern, found.for_worse) == ("systematic", False)

    def test_many_groups_ask_for_more(self) -> None:
        """Six of six are a pattern, but not where six groups of six are looked at and change as much."""

        def labels(number: int) -> dict[str, Any]:
            return {"tags": [f"group-{number % 6}"]}

        alone: dict[str, Change] = {f"case-{n}": "broke" if n % 6 == 0 else "same" for n in range(36)}
        assert {one.name: one.pattern for one in slices(suite(labelled(comparison(alone), labels)))} == {
            "group-0": "systematic",
            **{f"group-{number}": None for number in range(1, 6)},
        }
        mixed = {name: "repaired" if n // 6 % 2 else "broke" for n, name in enumerate(alone)}
        every = {name: kind if kind == "broke" else mixed[name] for name, kind in alone.items()}
        found = slices(suite(labelled(comparison(every), labels)))  # type: ignore[arg-type]  # inferred as str
        assert (found[0].name, len(found[0].broke), len(found[1].broke)) == ("group-0", 6, 3)
        assert {one.pattern for one in found} == {"scattered"}

    def test_the_correction_is_holms(self) -> None:
        broke: dict[str, Change] = {f"case-{n}": "broke" if n % 3 or n < 27 else "repaired" for n in range(60)}
        found = slices(suite(labelled(comparison(broke), lambda number: {"tags": [f"group-{number % 3}"]})))
        assert [(len(one.broke), len(one.repaired)) for one in found] == [(20, 0), (20, 0), (9, 11)]
        assert [one.p for one in found] == list(
            holm({one.name: mid_p(len(one.broke), len(one.repaired)) for one in found}).values()
        )

    def test_a_case_votes_once(self) -> None:
        """Five scores of one case are not five cases."""
        compared = joined(*(comparison(some(40, broke=2), f"d{number}") for number in range(5)))
        found = only(suite(labelled(compared, lambda number: {"tags": ["t"] if number < 20 else []})))
        assert (len(found.broke), found.pattern) == (2, "scattered")

    def test_a_case_that_broke_and_was_repaired_does_not_vote(self) -> None:
        """Six of fifteen that broke were not repaired elsewhere: 6 to 0, not 15 to 9."""
        broke = comparison({f"case-{n}": "broke" if n < 15 else "same" for n in range(40)}, "a")
        repaired = comparison({f"case-{n}": "repaired" if n < 9 else "same" for n in range(40)}, "b")
        found = only(suite(labelled(joined(broke, repaired), lambda number: {"tags": ["t"] if number < 20 else []})))
        assert (len(found.broke), len(found.repaired), len(found.flips)) == (15, 9, 15)
        assert (found.p, found.pattern) == (mid_p(6, 0), "systematic")

    def test_only_what_stayed_counts(self) -> None:
        """The first look has nine flips for the worse and two for the better; by the reruns five of them are none."""
        compared = labelled(
            comparison(some(300, broke=9, repaired=2)), lambda number: {"tags": ["t"] if number < 50 else []}
        )
        runs = {f"case-{number:04}": ("+", "-") for number in range(6)}
        chance = {"case-0006": ("+-", "-+"), "case-0007": ("-+", "+-"), "case-0008": ("+", "+")}
        gains = {"case-0009": ("-", "-+"), "case-0010": ("+", "+")}
        found = only(rerun(compared, runs | chance | gains))
        assert (found.broke, found.repaired) == (tuple(runs), ())

    def test_what_was_not_asked_again_does_not_count(self) -> None:
        compared = labelled(comparison(some(3000, broke=9)), lambda number: {"tags": ["t"] if number < 50 else []})
        one = rerun(compared, {})
        assert set(one.fates.values()) == {"unconfirmed"}
        assert only(one).pattern is None


def test_without_a_trend_hardly_one_suite_in_twenty_has_a_pattern() -> None:
    """Three strata and eight categories over 80 cases, of which one in ten changed by a fair coin."""
    rng, found = random.Random(8), 0
    for _ in range(100):
        kinds: list[Change] = ["broke", "repaired", *["same"] * 18]  # type: ignore[list-item]  # inferred as str
        changes = {f"case-{number:04}": rng.choice(kinds) for number in range(80)}

        def labels(number: int) -> dict[str, Any]:
            return {"stratum": ("common", "edge", "adversarial")[number % 3], "category": f"c{number % 8}"}

        found += any(one.pattern == "systematic" for one in slices(suite(labelled(comparison(changes), labels))))
    assert found <= 8
