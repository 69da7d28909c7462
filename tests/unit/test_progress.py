"""What a person is told while it runs."""

from __future__ import annotations

import pytest
from making import cell, record

from ci_eval.cli.progress import Counted, Lines

NOW = "2026-05-04T08:30:00Z"


def counted(total: int = 10) -> Counted:
    progress = Counted()
    progress.start("support: run", total)
    return progress


def test_it_counts_answers_passes_and_errors() -> None:
    progress = counted()
    progress.advance(record("a"))
    progress.advance(record("b", cell(), cell(False)))
    progress.advance(record("c", cell(False), error_kind="infrastructure", error="HTTP 503"))
    assert progress.summary().startswith("3/10 answered, 1 all right, 1 errors, ")


def test_money_is_not_spoken_of_where_no_price_is_known() -> None:
    progress = counted()
    progress.advance(record("a"))
    assert "$" not in progress.summary()
    assert "cache" not in progress.summary()


def test_it_adds_up_what_was_paid_in_this_run() -> None:
    """Neither what the cache knew nor what the other side had asked already."""
    progress = counted()
    progress.advance(record("a", cost_usd=0.0123))
    progress.advance(record("b", cost_usd=0.01))
    progress.advance(record("c", cost_usd=5, cached_at=NOW))
    progress.advance(record("d", cost_usd=5, reused=True))
    progress.advance(record("e"))
    assert progress.summary().endswith(", $0.0223, 1 from the cache")


def test_each_suite_is_counted_for_itself() -> None:
    progress = counted()
    progress.advance(record("a", cost_usd=1, cached_at=NOW))
    progress.start("faq: run", 3)
    progress.advance(record("a"))
    assert progress.summary().startswith("1/3 answered, 1 all right, 0 errors, ")
    assert "$" not in progress.summary()


def test_what_is_left_is_said_while_something_is() -> None:
    progress = counted(2)
    assert progress.left() == ""
    progress.advance(record("a"))
    assert progress.left().endswith(" s left")
    progress.advance(record("b"))
    assert progress.left() == ""


def test_a_ci_log_has_one_plain_line_for_a_short_run(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.start("support: run", 3)
    for name in "abc":
        lines.advance(record(name))
    lines.finish()
    said = capsys.readouterr().err
    assert said.startswith("support: run: 3/3 answered, 3 all right, 0 errors, ")
    assert said.count("\n") == 1
