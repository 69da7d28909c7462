"""The progress display: a bar on a terminal, a rare plain line in CI, nothing with -q."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import click

from ci_eval.evaluation.session import Progress
from ci_eval.records import Record

T = TypeVar("T")
_LINE_EVERY_SECONDS = 10.0


class Silent:
    """Says nothing."""

    def start(self, label: str, total: int) -> None: ...

    def advance(self, record: Record) -> None: ...

    def finish(self) -> None: ...


class Counted:
    """Counts what has come in."""

    def __init__(self) -> None:
        self.label, self.total = "", 0
        self._reset()

    def start(self, label: str, total: int) -> None:
        self.label, self.total = label, total
        self._reset()

    def _reset(self) -> None:
        self.done = self.passing = self.errors = self.cached = 0
        self.paid: float | None = None
        self.started = time.monotonic()

    def advance(self, record: Record) -> None:
        self.done += 1
        self.passing += bool(record.cells) and all(cell.passed for cell in record.cells)
        self.errors += record.error is not None
        self.cached += record.cached_at is not None
        if record.spent_usd is not None:
            self.paid = (self.paid or 0.0) + record.spent_usd

    def summary(self) -> str:
        """How far it is, how good, how fast and what was paid."""
        rate = self.done / max(time.monotonic() - self.started, 0.001)
        words = [
            f"{self.done}/{self.total} answered",
            f"{self.passing} all right",
            f"{self.errors} errors",
            f"{rate:.0f}/s" if rate >= 1 else f"{60 * rate:.0f}/min",
        ]
        if self.paid:
            words.append(f"${self.paid:.4f}")
        if self.cached:
            words.append(f"{self.cached} from the cache")
        return ", ".join(words)

    def left(self) -> str:
        """How long the rest takes if it goes on like this."""
        seconds = (time.monotonic() - self.started) / self.done * (self.total - self.done) if self.done else 0.0
        return f", {seconds:.0f} s left" if self.done < self.total and self.done else ""


class Lines(Counted):
    """A line every ten seconds and one at the end, on standard error."""

    def start(self, label: str, total: int) -> None:
        super().start(label, total)
        self.last = time.monotonic()

    def advance(self, record: Record) -> None:
        super().advance(record)
        if time.monotonic() - self.last > _LINE_EVERY_SECONDS:
            self.last = time.monotonic()
            self._say()

    def finish(self) -> None:
        self._say()

    def _say(self) -> None:
        click.echo(f"{self.label}: {self.summary()}{self.left()}", err=True)


class Bar(Counted):
    """A live line with a bar and what is left."""

    def start(self, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Live

        super().start(label, total)
        words = TextColumn("{task.fields[words]}", markup=False)
        name = TextColumn("{task.description}", markup=False)
        self.live: Any = Live(name, BarColumn(), words, TimeRemainingColumn(), console=Console(stderr=True))
        self.task = self.live.add_task(label, total=total, words="")
        self.live.start()

    def advance(self, record: Record) -> None:
        super().advance(record)
        self.live.update(self.task, completed=self.done, words=self.summary())

    def finish(self) -> None:
        self.live.stop()


def bar(items: Iterable[T], total: int, label: str, *, quiet: bool) -> AbstractContextManager[Iterable[T]]:
    """The items, counted on standard error as they are taken: a bar on a terminal, elsewhere the label alone."""
    return click.progressbar(items, length=total, label=label, file=sys.stderr, hidden=quiet)


def choose(*, quiet: bool) -> Progress:
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()
