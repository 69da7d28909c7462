"""A few rows of the simulation, so that a change to the rule that breaks its promise is seen at once."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import gate_simulation


def test_the_promise_holds(capsys: pytest.CaptureFixture[str]) -> None:
    missed = gate_simulation.main(["--quick"])
    assert missed == 0, capsys.readouterr().out


def test_a_rule_that_passes_everything_is_missed() -> None:
    """The simulation can fail: a limit that nothing reaches has no power."""
    row = gate_simulation.Row(
        "test", n=100, change="hard", points=1, limit=Fraction(50), promise=gate_simulation.Promise(red_at_least=95)
    )
    (measured,) = gate_simulation.measure([row], repetitions=20, seed=1, slack=3)
    assert measured.misses()
