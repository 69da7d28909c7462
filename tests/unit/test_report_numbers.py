"""Numbers in a report are short, and never stand on the wrong side of a limit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.report.numbers import dollars, faithful, plain, signed

ONE = Fraction(1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("10/3", "3.3"),
        ("1", "1.0"),
        ("0.96", "0.96"),
        ("0.996", "0.996"),
        ("0.9999999", "0.999999"),
        ("1.04", "1.04"),
        ("1.0000001", "1.000001"),
        ("0.04", "0.04"),
        ("0", "0.0"),
        ("-0.01", "-0.01"),
        ("-3.25", "-3.2"),
        ("2.25", "2.2"),
    ],
)
def test_as_many_decimals_as_the_limit_needs(value: str, shown: str) -> None:
    assert faithful(Fraction(value), ONE) == shown


@given(st.fractions(-100, 100), st.decimals("0.01", 100, places=2))
def test_what_is_shown_is_on_the_side_of_the_limit_where_the_value_is(value: Fraction, limit: object) -> None:
    mark = Fraction(str(limit))
    shown = Fraction(faithful(value, mark))
    assert (shown >= mark) == (value >= mark)
    assert (shown > 0) == (value > 0)
    assert (shown < 0) == (value < 0)


@pytest.mark.parametrize(("text", "shown"), [("-3.3", "−3.3"), ("0.7", "+0.7"), ("0.0", "0.0"), ("-0.00", "0.00")])
def test_signs(text: str, shown: str) -> None:
    assert signed(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [("1", "1"), ("0.5", "0.5"), ("10", "10"), ("100", "100"), ("1.25", "1.25")]
)
def test_limits_as_they_were_written(value: str, shown: str) -> None:
    assert plain(Fraction(value)) == shown


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0.00042, "$0.00042"),
        (0.0123, "$0.012"),
        (0.1, "$0.10"),
        (0.12, "$0.12"),
        (3.456, "$3.46"),
        (1204.5, "$1,204.50"),
        (0, "$0.00"),
        (1e-12, "$0.000000000001"),
    ],
)
def test_dollars_tell_two_digits_and_cents(usd: float, shown: str) -> None:
    assert dollars(usd) == shown


@given(st.floats(1e-9, 1e6))
def test_what_is_shown_of_a_cost_is_within_five_percent_of_it(usd: float) -> None:
    assert float(dollars(usd)[1:].replace(",", "")) == pytest.approx(usd, rel=0.051)
