"""`ci-eval baseline show`: one stored run, its origin, and whether a gate would still use it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.baseline.noise import Noise
    from ci_eval.baseline.store import StoredRun
    from ci_eval.cli.stored import Clone
    from ci_eval.confirm.evidence import Cell, Key, Stored
    from ci_eval.records import Header

_PART_OF_COMMIT = re.compile(r"[0-9a-f]{4,64}")


@click.command()
@click.argument("which", metavar="[COMMIT|newest]", default="newest")
@click.option("--suite", "wanted", metavar="NAME", help="Only this suite; by default all of them.")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def show(which: str, wanted: str | None, repo: Path, config_path: str, as_json: bool) -> int:
    """Show a stored run, and whether it serves.

    Of every suite: where the run comes from, its scores and their noise, and why HEAD could not be compared with it.
    """
    from ci_eval.cli.laptop import chosen_suites
    from ci_eval.cli.stored import Clone
    from ci_eval.errors import UsageError

    clone = Clone.at_head(repo, config_path)
    names = chosen_suites(clone.config, wanted)
    chosen = _newest_by_suite(clone, names, _commit_meant(clone, which))
    if not chosen:
        raise UsageError(clone.nothing(" and ".join(names) if which == "newest" else log(which, limit=80)))
    shown = [_Shown(clone, chosen[name]) for name in names if name in chosen]
    if as_json:
        click.echo(json.dumps([one.as_json() for one in shown]))
    else:
        click.echo("\n\n".join(one.as_text() for one in shown))
    return 0


def _commit_meant(clone: Clone, which: str) -> str:
    """The beginning of a commit's SHA; empty for any. A run may be shown whose commit is not in this clone."""
    from ci_eval.errors import UsageError

    if which == "newest":
        return ""
    found = clone.git.find(which)
    if found is None and not _PART_OF_COMMIT.fullmatch(which):
        raise UsageError(f"{log(which, limit=80)} is no commit; write newest, a branch, or the beginning of a SHA")
    return found or which


def _newest_by_suite(clone: Clone, names: Sequence[str], commit: str) -> Mapping[str, StoredRun]:
    """Files that cannot be read are told, and passed over."""
    from ci_eval.baseline.store import Damaged

    found: dict[str, StoredRun] = {}
    for file in clone.store.files():
        if isinstance(file, Damaged):
            click.echo(f"damaged: {log(str(file.error))}", err=True)
            continue
        header = file.run.header
        other = found.get(header.suite)
        if header.suite in names and str(header.commit).startswith(commit):
            found[header.suite] = file if other is None or other.run.header.time <= header.time else other
    return found


@dataclass(frozen=True)
class _Shown:
    clone: Clone
    file: StoredRun

    @property
    def header(self) -> Header:
        return self.file.run.header

    @cached_property
    def objection(self) -> str | None:
        """Why the run would not stand for base in a gate of this clone's HEAD."""
        from ci_eval.cli.laptop import local_baselines

        suite = self.clone.suite(self.header.suite)
        side = suite.side(self.clone.snapshot)
        mine = suite.fingerprint(side.target)
        names = {
            "target": "prompt, model config or rows",
            "golden": "golden set",
            "scorers": "scorers",
        }
        other = [word for key, word in names.items() if getattr(mine, key) != getattr(self.header.fingerprint, key)]
        if other:
            return f"HEAD has another {' and another '.join(other)}"
        baselines = local_baselines(self.clone.git, self.clone.config)
        return baselines.objection(self.file.run, suite, side)

    @cached_property
    def counts(self) -> Mapping[Key, Stored]:
        from ci_eval.baseline.replay import Memory

        return Memory.of([self.file.run]).counts

    @cached_property
    def cells(self) -> tuple[list[Cell], bool]:
        """What was scored, and whether its weights are known: a stored run holds none."""
        from ci_eval.cli.stored import cells_of
        from ci_eval.confirm.evidence import Cell

        suite = self.clone.suite_of(self.header)
        if suite and suite.scorers_digest == self.header.fingerprint.scorers:
            return cells_of(suite), True
        records = self.file.run.records
        names = {(record.case, cell.scorer): cell.dimension for record in records for cell in record.cells}
        return [Cell(case, scorer, dimension) for (case, scorer), dimension in names.items()], False

    @cached_property
    def scores(self) -> Mapping[str, Fraction]:
        """In points, over all repeats: counted from the records, for no sum is stored."""
        from ci_eval.stats import points

        passed: dict[str, Fraction] = {}
        asked: dict[str, Fraction] = {}
        for cell in self.cells[0]:
            if found := self.counts.get(cell.key):
                passed[cell.dimension] = passed.get(cell.dimension, Fraction(0)) + cell.weight * found.passes
                asked[cell.dimension] = asked.get(cell.dimension, Fraction(0)) + cell.weight * found.runs
        return {name: points(passed[name] / asked[name]) for name in asked}

    @cached_property
    def noise(self) -> Mapping[str, Noise]:
        from ci_eval.baseline.noise import noise

        return noise(self.cells[0], self.counts)

    def as_json(self) -> dict[str, Any]:
        return {
            "path": log(self.file.path),
            "header": self.header.model_dump(mode="json"),
            "serves": self.objection is None,
            "objection": self.objection,
            "weights_known": self.cells[1],
            "dimensions": [
                {"name": name, "score": round(float(score), 4), **noise_as_json(self.noise.get(name))}
                for name, score in self.scores.items()
            ],
        }

    def as_text(self) -> str:
        from ci_eval.baseline.store import written_at
        from ci_eval.cli.stored import since
        from ci_eval.report.judges import lines as judge_lines

        header = self.header
        age = since(written_at(header), datetime.now(UTC))
        cases = len({record.case for record in self.file.run.records})
        answers = "1 answer" if header.repeats == 1 else f"{header.repeats} answers"
        sure = "; the model repeats itself" if header.deterministic else ""
        lines = [
            f"suite {header.suite}, commit {str(header.commit)[:12]}, {header.time} ({age})",
            f"  written by    {log(_origin(header))}",
            f"  holds         {answers} to each of {cases} cases{sure}",
            f"  fingerprint   {header.fingerprint.folder}",
            f"  for HEAD      {'serves' if self.objection is None else f'does not serve: {self.objection}'}",
            "",
            self._table(),
        ]
        judges = list(judge_lines(header.judges or (), log))
        lines += ["", *judges] if judges else []
        if not self.cells[1]:
            lines += ["", "Every scorer counts alike here: this clone does not hold the run's commit with its weights."]
        return "\n".join(lines)

    def _table(self) -> str:
        from tabulate import tabulate

        rows = [
            [log(name), f"{float(score):.2f}", *noise_words(self.noise.get(name))]
            for name, score in self.scores.items()
        ]
        return tabulate(rows, ["dimension", "score", *NOISE_HEADS], disable_numparse=True, colalign=_ALIGNED)


NOISE_HEADS = ("two runs differ in", "flaky cells", "one run's deviation")
_ALIGNED = ("left", *["right"] * 4)


def noise_words(found: Noise | None) -> tuple[str, str, str]:
    """Under `NOISE_HEADS`; a single answer to each case tells nothing of noise."""
    if found is None:
        return "?", "?", "?"
    flaky = f"{found.flaky} of {found.cells}"
    return f"{100 * float(found.differing):.1f} % of cells", flaky, f"{found.deviation:.2f} points"


def noise_as_json(found: Noise | None) -> dict[str, float | int | None]:
    return {
        "differing": round(float(found.differing), 6) if found else None,
        "flaky_cells": found.flaky if found else None,
        "deviation": round(found.deviation, 4) if found else None,
    }


def _origin(header: Header) -> str:
    """In words, as far as the header says."""
    where = [f"of {header.repository}"] if header.repository else []
    where += [f"on {header.branch}"] if header.branch else []
    by = [f"by ci-eval {header.version}"]
    return " ".join([header.event or "an unnamed event", *where, *by, *([header.run_url] if header.run_url else [])])
