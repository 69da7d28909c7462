"""`ci-eval baseline replay`: stored runs of main sent through the gate against each other, to see how often it errs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from ci_eval.cli.baseline_show import NOISE_HEADS, noise_as_json, noise_words
from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.baseline.noise import Noise
    from ci_eval.baseline.replay import Memory, Rates, Share
    from ci_eval.baseline.store import Damaged, StoredRun
    from ci_eval.cli.stored import Clone
    from ci_eval.confirm.evidence import Key
    from ci_eval.confirm.machine import Question
    from ci_eval.errors import Inconclusive
    from ci_eval.evaluation.suite import Suite
    from ci_eval.records import Run

_SHOWN_CELLS = 10


@click.command()
@click.option("--suite", "wanted", metavar="NAME", help="Only this suite; by default all of them.")
@click.option("--repetitions", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="Replays.")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def replay(wanted: str | None, repetitions: int, repo: Path, config_path: str, as_json: bool, quiet: bool) -> int:
    """Judge main against itself, from stored runs.

    Says how often a change that changes nothing would be red, and how noisy main is. No model is asked; the same
    commit, golden set and stored runs give the same answer.
    """
    from ci_eval.cli.laptop import chosen_suites
    from ci_eval.cli.stored import Clone

    clone = Clone.at_head(repo, config_path)
    done = [_replayed(clone, name, repetitions, quiet=quiet) for name in chosen_suites(clone.config, wanted)]
    if as_json:
        click.echo(json.dumps([one.as_json() for one in done]))
    else:
        click.echo("\n\n".join(one.as_text() for one in done))
    return 0


def _replayed(clone: Clone, name: str, repetitions: int, *, quiet: bool) -> _Replayed:
    from ci_eval.baseline.replay import Memory, Pace, replays, summed
    from ci_eval.cli.laptop import no_keys
    from ci_eval.cli.progress import bar
    from ci_eval.evaluation.suite import need_cases, required_keys

    suite = clone.suite(name)
    need_cases(suite)
    runs = _usable_runs(clone, suite)
    memory, question = Memory.of(runs), _question(suite, Memory.of(runs[:1]))
    if runs[0].header.deterministic:
        return _Replayed(name, runs, memory, question, None)
    if memory.least < 2:
        raise _too_few(name)
    evaluator = suite.evaluator(suite.side(clone.snapshot).target, no_keys(required_keys(clone.config)))
    pace = Pace(evaluator.concurrency, float(clone.config.policy.budget.seconds))
    seed = f"{clone.commit}:{suite.golden.digest}"
    played = replays(memory, question, pace, repetitions=repetitions, seed=seed)
    with bar(played, repetitions, f"{name}: replaying", quiet=quiet) as shown:
        return _Replayed(name, runs, memory, question, summed(shown, question.limits, len(memory.answers)))


def _usable_runs(clone: Clone, suite: Suite) -> list[Run]:
    """The stored runs of HEAD's inputs, newest first; what is not whole is told, and left out."""
    from ci_eval.baseline.upkeep import Problem, check
    from ci_eval.cli.stored import cells_of
    from ci_eval.errors import Inconclusive

    cases = suite.golden.cases
    found = clone.store.find(suite.name, suite.fingerprint(suite.side(clone.snapshot).target))
    files: list[StoredRun | Damaged] = [*found.runs, *found.damaged]
    problems = [problem for file in check(files, lambda _: cases, datetime.now(UTC)) for problem in file.problems]
    cells = Counter(cell.case for cell in cells_of(suite))
    problems += [Problem(file.path, _NOT_SCORED) for file in found.runs if not _is_scored(file.run, cells)]
    for problem in problems:
        click.echo(f"left out: {log(problem.path)} {log(problem.what)}; {problem.remedy}", err=True)
    bad = {problem.path for problem in problems}
    runs = [file.run for file in found.runs if file.path not in bad]
    if not runs:
        raise Inconclusive(clone.nothing(f"suite {suite.name} with HEAD's inputs"))
    return runs


_NOT_SCORED = "lacks scores of some cases"


def _is_scored(run: Run, cells: Mapping[str, int]) -> bool:
    return all(len({cell.scorer for cell in record.cells}) == cells[record.case] for record in run.records)


def _question(suite: Suite, newest: Memory) -> Question:
    """What a gate asks of this suite; what it has stored is the newest run."""
    from ci_eval.cli.stored import cells_of
    from ci_eval.confirm.machine import Question

    limits = {name: suite.gate.limit(name) for name in suite.scorers.dimensions()}
    return Question(cells_of(suite), limits, stored=newest.counts)


def _too_few(name: str) -> Inconclusive:
    from ci_eval.errors import Inconclusive

    return Inconclusive(
        f"suite {name} has one stored answer to a case, and one says nothing of noise; "
        "set baseline.repeats to 5 and run: ci-eval baseline update"
    )


@dataclass(frozen=True)
class _Replayed:
    """One suite, replayed and ready to be shown."""

    name: str
    runs: Sequence[Run]
    memory: Memory
    question: Question
    rates: Rates | None
    """None: the model repeats itself, so that there is nothing to replay."""

    @cached_property
    def noise(self) -> Mapping[str, Noise]:
        from ci_eval.baseline.noise import noise

        return noise(self.question.cells, self.memory.counts)

    @cached_property
    def flaky(self) -> list[Key]:
        from ci_eval.baseline.noise import flakiest

        return flakiest(self.memory.counts)

    @cached_property
    def moody(self) -> list[str]:
        """Dimensions whose scores differ between whole runs by more than their cells explain."""
        from ci_eval.baseline.noise import fall_together

        return [name for name, found in self.noise.items() if fall_together(self._scores(name), found.deviation)]

    def _scores(self, dimension: str) -> list[float]:
        """Of every whole run, in points."""
        weights = {cell.key: float(cell.weight) for cell in self.question.cells if cell.dimension == dimension}
        repeats = [run.repeat(number).values() for run in self.runs for number in range(run.header.repeats)]
        passed = [
            sum(weights.get((record.case, cell.scorer), 0) * cell.passed for record in records for cell in record.cells)
            for records in repeats
        ]
        return [100 * one / sum(weights.values()) for one in passed]

    def as_json(self) -> dict[str, Any]:
        rates = self.rates
        return {
            "suite": self.name,
            "deterministic": rates is None,
            "answers_per_case": self.memory.least,
            "stored_runs": len(self.runs),
            "repetitions": rates.repetitions if rates else 0,
            "gate": _shares(rates) if rates else _NEVER,
            "calls": round(rates.calls, 4) if rates else 1.0,
            "dimensions": [
                {"name": name, **(_shares(rates, name) if rates else _NEVER), **noise_as_json(self.noise.get(name))}
                for name in self.question.limits
            ],
            "quarantined": [list(key) for key in sorted(self.question.quarantined)],
            "flaky": [
                {"case": case, "scorer": scorer, **self.memory.counts[case, scorer]._asdict()}
                for case, scorer in self.flaky
            ],
            "fall_together": self.moody,
        }

    def as_text(self) -> str:
        title = f"suite {self.name}: {_counted(self.memory.least, 'stored answer')} to each of "
        title += f"{_counted(len(self.memory.answers), 'case')}, from {_counted(len(self.runs), 'run')} of main"
        if self.rates is None:
            return f"{title}\nThe model repeats itself: there is no noise, and no change that changes nothing is red."
        parts = [title, self._headline(self.rates), "", self._table(self.rates), *self._cells(), *self._moods()]
        return "\n".join(parts)

    def _headline(self, rates: Rates) -> str:
        red, failed, open_ = rates.red(), rates.share("regression"), rates.share("inconclusive")
        return (
            f"{red.count} of {red.total} replays would be red: {_percent(red)} (95 % interval {_between(red)})\n"
            f"  regression {failed.count}, inconclusive for want of time {open_.count}; "
            f"{rates.calls:.2f} calls a case on average, of both sides"
        )

    def _table(self, rates: Rates) -> str:
        rows = [
            [name, _percent(rates.red(name)), _between(rates.red(name)), *noise_words(self.noise.get(name))]
            for name in self.question.limits
        ]
        heads = ["dimension", "red", "95 % interval", *NOISE_HEADS]
        aligned = ("left", *["right"] * (len(heads) - 1))
        return tabulate(rows, heads, disable_numparse=True, colalign=aligned)

    def _cells(self) -> list[str]:
        if not self.flaky:
            return []
        counts, quarantined = self.memory.counts, self.question.quarantined
        lines = [
            "",
            f"{_counted(len(self.flaky), 'flaky cell')}, {len(quarantined)} of them quarantined; the flakiest:",
        ]
        for key in self.flaky[:_SHOWN_CELLS]:
            passed = f"passed {counts[key].passes} of {counts[key].runs}"
            lines.append(f"  {log(key[0])}  {log(key[1])}  {passed}{'  quarantined' if key in quarantined else ''}")
        more = len(self.flaky) - _SHOWN_CELLS
        return [*lines, f"  and {more} more (--json lists them)"] if more > 0 else lines

    def _moods(self) -> list[str]:
        if not self.moody:
            return []
        names = ", ".join(self.moody)
        return [
            "",
            f"Whole runs of main differ by more than their cells explain in {names}: many cases fall together, in good "
            "and bad moments of the provider. Replays draw case by case, so real gates are red more often than these.",
        ]


_NEVER = {"red": 0.0, "red_interval": [0.0, 0.0], "regression": 0, "inconclusive": 0}


def _shares(rates: Rates, dimension: str | None = None) -> dict[str, Any]:
    red = rates.red(dimension)
    return {
        "red": red.count / red.total,
        "red_interval": [round(end, 6) for end in red.interval],
        "regression": rates.share("regression", dimension).count,
        "inconclusive": rates.share("inconclusive", dimension).count,
    }


def _percent(share: Share) -> str:
    return f"{100 * share.count / share.total:.1f} %"


def _between(share: Share) -> str:
    low, high = (f"{100 * end:.1f}" for end in share.interval)
    return f"{low} to {high} %"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
