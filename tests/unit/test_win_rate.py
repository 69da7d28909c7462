"""What a count of preferences says, and does not say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.figures.position_bias import PositionBias
from ci_eval.figures.win_rate import WinRate


def test_a_known_count() -> None:
    """Binomial: of 10 decided, 9 or more one way has 2 * 11/1024; Wilson's interval of 9 of 10 is 0.596 to 0.982."""
    found = WinRate(9, 1, 10)
    assert found.p == 22 / 1024
    assert found.decided is not None
    assert found.decided.value == 0.9
    assert found.decided.interval == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert found.net is not None
    share, low, high = found.net
    assert share == 0.4
    assert 0 < low < share < high < 1


def test_nothing_decided_says_nothing() -> None:
    assert (WinRate(0, 0, 5).p, WinRate(0, 0, 5).decided) == (1, None)
    assert WinRate.of([]).net is None


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
def test_swapping_the_runs_mirrors_all_figures(values: list[float]) -> None:
    ours, theirs = WinRate.of(values), WinRate.of(1 - value for value in values)
    assert (theirs.better, theirs.worse, theirs.ties) == (ours.worse, ours.better, ours.ties)
    assert theirs.p == ours.p
    assert theirs.total == len(values)
    if ours.net and theirs.net:
        assert theirs.net == pytest.approx((-ours.net[0], -ours.net[2], -ours.net[1]), abs=1e-9)


def test_what_of_a_judge_s_scores_hangs_on_the_order() -> None:
    parts = [
        {"tone": 1.0, "tone:consistency": 1.0, "tone:first": 0.5},
        {"tone": 0.5, "tone:consistency": 0.0, "tone:first": 1.0, "help:consistency": 0.0, "help:first": 0.25},
        {"tone": 0.5},
        {"tone:consistency": 0.0},
    ]
    assert PositionBias.of(parts) == PositionBias(comparisons=4, swayed=3, to_first=1, to_second=1)
    assert PositionBias.of([]).share is None


@pytest.mark.parametrize(
    ("leaning", "notable", "words"),
    [
        (PositionBias(9, 9, 9, 0), False, ", mostly for the answer shown first"),
        (PositionBias(10, 2, 0, 2), False, ", mostly for the answer shown second"),
        (PositionBias(12, 3, 1, 1), True, ""),
    ],
)
def test_from_a_quarter_of_ten_or_more_on_it_is_worth_a_warning(
    leaning: PositionBias, notable: bool, words: str
) -> None:
    assert (leaning.notable, leaning.words) == (notable, words)
