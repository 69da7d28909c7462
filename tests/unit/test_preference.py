"""Two orders folded into a preference: whoever swaps the answers mirrors it, and a place is no preference."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.scorers.preference import Better, BothOrders, Choice, mean
from ci_eval.text import Untrusted

BETTER = st.sampled_from(["A", "B", "tie"])
MIRRORED: dict[Better, Better] = {"A": "B", "B": "A", "tie": "tie"}


def orders(as_a: Better, as_b: Better) -> BothOrders:
    return BothOrders(*(Choice(better, Untrusted("so")) for better in (as_a, as_b)))


@pytest.mark.parametrize(
    ("as_a", "as_b", "value", "consistent", "first"),
    [
        ("A", "B", 1, True, 0.5),
        ("B", "A", 0, True, 0.5),
        ("tie", "tie", 0.5, True, 0.5),
        ("A", "A", 0.5, False, 1),
        ("B", "B", 0.5, False, 0),
        ("A", "tie", 0.5, False, 0.75),
        ("tie", "A", 0.5, False, 0.75),
        ("tie", "B", 0.5, False, 0.25),
        ("B", "tie", 0.5, False, 0.25),
    ],
)
def test_all_that_two_orders_can_say(as_a: Better, as_b: Better, value: float, consistent: bool, first: float) -> None:
    found = orders(as_a, as_b)
    assert (found.value, found.consistent, found.first) == (Fraction(value), consistent, Fraction(first))


@given(BETTER, BETTER)
def test_swapping_the_answers_mirrors_the_preference(as_a: Better, as_b: Better) -> None:
    """What the judge says of (x, y) and (y, x) is what it says of (y, x) and (x, y) to whoever stands on y's side."""
    ours, theirs = orders(as_a, as_b), orders(as_b, as_a)
    assert theirs.value == 1 - ours.value
    assert theirs.consistent is ours.consistent
    assert theirs.first == ours.first, "the place is the judge's, whoever stands in it"


@given(st.lists(st.tuples(BETTER, BETTER), min_size=1))
def test_so_does_the_mean_of_several_criteria(said: list[tuple[Better, Better]]) -> None:
    ours, theirs = ([orders(*pair).value for pair in pairs] for pairs in (said, [pair[::-1] for pair in said]))
    assert mean(theirs) == 1 - mean(ours)


@given(BETTER, BETTER)
def test_renaming_the_places_mirrors_the_leaning_and_the_preference(as_a: Better, as_b: Better) -> None:
    found, renamed = orders(as_a, as_b), orders(MIRRORED[as_a], MIRRORED[as_b])
    assert renamed.first == 1 - found.first
    assert renamed.value == 1 - found.value


@given(BETTER)
def test_a_judge_that_goes_by_the_place_has_no_preference(said: Better) -> None:
    assert orders(said, said).value == Fraction(1, 2)
