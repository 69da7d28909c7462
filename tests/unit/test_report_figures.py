"""What a report says of groups of cases and of all traffic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from report_factory import comparison, full, outcome, revealed, rows, said, section, some, suite

from ci_eval.comparison import Comparison
from ci_eval.outcome.model import GateOutcome
from ci_eval.report.model import build

GROUPS = "Strata, categories, tags"


def grouped(compared: Comparison, labels: list[dict[str, Any]], **different: Any) -> GateOutcome:
    """The cases with labels, over and over."""
    cases = {
        name: one.model_copy(update=labels[number % len(labels)])
        for number, (name, one) in enumerate(compared.cases.items())
    }
    return outcome(suite(replace(compared, cases=cases), **different))


def titles(one: GateOutcome) -> list[str]:
    return [section.title for section in build(one).sections]


class TestGroups:
    def test_strata_with_shares_and_intervals_of_both_sides(self) -> None:
        one = grouped(comparison(some(100, broke=3, repaired=1)), [{"stratum": "edge"}, {}])
        assert rows(one, GROUPS) == [
            ["common", "50", "98.0 (89.5–99.6)", "98.0 (89.5–99.6)", "1", "1", "scattered: case-0001, case-0003"],
            ["edge", "50", "100.0 (92.9–100.0)", "96.0 (86.5–98.9)", "2", "0", "scattered: case-0000, case-0002"],
        ]

    def test_categories_with_the_most_broken_first(self) -> None:
        labels = [{"category": name} for name in "abc"]
        shown = rows(grouped(comparison(some(30, broke=2)), labels), GROUPS)
        assert [[row[0], *row[4:]] for row in shown] == [
            ["a", "1", "0", "scattered: case-0000"],
            ["b", "1", "0", "scattered: case-0001"],
            ["c", "0", "0", ""],
        ]

    def test_a_group_without_a_known_score_has_no_share(self) -> None:
        changes = {**some(4), "x-1": "lost", "x-2": "lost"}
        shown = rows(grouped(comparison(changes), [*[{}] * 4, *[{"tags": ["t"], "stratum": "edge"}] * 2]), GROUPS)
        assert shown[1][:4] == ["edge", "2", "100.0 (34.2–100.0)", "unknown"]

    def test_at_most_three_flips_are_named(self) -> None:
        one = grouped(comparison(some(40, broke=4, repaired=3)), [{"stratum": "edge"}] * 20 + [{}] * 20)
        assert rows(one, GROUPS)[1][-1] == "scattered: case-0000, case-0001, case-0002 and 4 more"

    def test_a_pattern_is_said_in_the_open(self) -> None:
        one = grouped(comparison(some(40, broke=9)), [{"tags": ["refund"]}] * 20 + [{}] * 20)
        assert rows(one, GROUPS)[0][4:] == ["9", "0", "systematic"]
        assert said(one, "Where it broke") == "The loss is systematic in:tag refund: 9 of 20 cases brokegroupgroups"
        assert not section(one, "Where it broke").folded

    def test_three_groups_at_most_the_surest_and_narrowest_first(self) -> None:
        labels = {"stratum": "edge", "category": "a", "tags": ["wide"]}
        narrow = {**labels, "tags": ["wide", "refund"]}
        one = grouped(comparison(some(40, broke=9)), [*[narrow] * 10, *[labels] * 10, *[{"category": "b"}] * 20])
        words = said(one, "Where it broke")
        assert "in:tag refund: 9 of 10 cases brokestratum edge: 9 of 20 cases brokecategory a: 9 of 20" in words
        assert "1 more group is in the tables below" in words

    def test_a_gain_is_no_place_where_it_broke(self) -> None:
        one = grouped(comparison(some(40, repaired=9)), [{"tags": ["refund"]}] * 20 + [{}] * 20)
        assert rows(one, GROUPS)[0][4:] == ["0", "9", "systematic"]
        assert "Where it broke" not in titles(one)

    def test_tags_without_a_change_are_counted_only(self) -> None:
        one = grouped(comparison(some(40, broke=1)), [{"tags": [name]} for name in "abcd"])
        assert [row[0] for row in rows(one, GROUPS)] == ["a"]
        assert "3 tags without a change not listed." in said(one, GROUPS)
        assert "Holm over all 4 groups" in said(one, GROUPS)

    def test_without_flips_no_test_is_explained(self) -> None:
        assert "sign test" not in said(grouped(comparison(some(40)), [{"category": "a"}, {"category": "b"}]), GROUPS)

    def test_groups_of_all_cases_are_not_told(self) -> None:
        assert GROUPS not in titles(outcome(suite()))

    def test_names_of_cases_and_tags_are_encoded(self) -> None:
        """They are not ours: what stands bare in a table is."""
        shown = section(full(id_text="www.evil.example"), GROUPS)
        bare = "".join(piece for piece in pieces(shown) if type(piece) is str)
        assert "evil" in revealed(shown)
        assert "evil" not in bare


def pieces(item: object) -> list[object]:
    if isinstance(item, tuple):
        return [piece for one in item for piece in pieces(one)]
    names = getattr(item, "__dataclass_fields__", None)
    return [piece for name in names for piece in pieces(getattr(item, name))] if names else [item]


class TestTraffic:
    def test_in_words_and_as_another_question(self) -> None:
        words = said(outcome(suite(comparison(some(300, broke=9, repaired=3)))), "All traffic")
        assert "Not what is judged here: the verdict is about these very cases." in words
        assert "task_accuracy: the change is likely between −4.8 and +0.3 points (300 cases)." in words

    def test_clusters_are_counted_where_there_are_any(self) -> None:
        one = grouped(comparison(some(300, broke=9)), [{"cluster": f"c{number}"} for number in range(42)])
        assert "(300 cases, 42 clusters)" in said(one, "All traffic")

    def test_so_few_say_nothing(self) -> None:
        words = said(outcome(suite(comparison(some(9)))), "All traffic")
        assert "task_accuracy: too few to say anything of all traffic (9 cases)." in words

    def test_nothing_known_says_nothing(self) -> None:
        assert "All traffic" not in titles(outcome(suite(comparison({"a": "lost"}))))

    def test_a_part_that_was_chosen_is_no_sample(self) -> None:
        assert "All traffic" not in titles(outcome(suite(comparison(some(100)), golden_cases=300)))

    def test_coin_flips_on_main_are_not_in_it(self) -> None:
        flaky = tuple((f"case-{number:04}", "exact") for number in range(9))
        words = said(outcome(suite(comparison(some(300, broke=9)), quarantined=flaky)), "All traffic")
        assert "between −1.3 and +1.3 points (291 cases)" in words

    @pytest.mark.parametrize("broke", [0, 3])
    def test_it_never_changes_the_verdict(self, broke: int) -> None:
        """Far too few cases to be sure of all traffic; the verdict is about these."""
        one = suite(comparison(some(20, broke=broke)))
        assert one.verdict.value == ("regression" if broke else "pass")
