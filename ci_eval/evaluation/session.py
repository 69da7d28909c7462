"""What every evaluation of one job shares: keys, the deadline, what may be spent, and where files and progress go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ci_eval.deadline import Deadline
from ci_eval.purse import Purse
from ci_eval.records import Record
from ci_eval.runner.cache import ResponseCache
from ci_eval.runner.shards import Shard
from ci_eval.secrets import Secret


@dataclass(frozen=True)
class Origin:
    """Where a run takes place, for the header of its run file. On a laptop all but the event is empty."""

    event: str = "local"
    repository: str = ""
    branch: str = ""
    run_url: str = ""


LAPTOP = Origin()


class Progress(Protocol):
    """The progress display: told of each answer as it comes in."""

    def start(self, label: str, total: int) -> None: ...

    def advance(self, record: Record) -> None: ...

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Session:
    """What every evaluation of one job shares."""

    keys: Mapping[str, Secret]
    progress: Progress
    out: Path
    """The folder that run files are written to."""
    origin: Origin
    deadline: Deadline
    purse: Purse = field(default_factory=Purse)
    cache: ResponseCache | None = None
    """Used for first looks; confirmations never use it."""
    shard: Shard | None = None
    """Only this part of each golden set."""
    resume: bool = False
    """Keep what the run file holds of the same inputs."""
    file: Path | None = None
    """The run file, where one suite is evaluated and it has a name of its own."""

    def run_file(self, suite: str, name: str) -> Path:
        return self.file or self.out / suite / f"{name}.jsonl"

    def pay(self, record: Record) -> None:
        """Count what a record took: money, calls and tokens."""
        self.purse.pay(record.spent_usd, calls=record.spent_calls, tokens=record.spent_tokens)
