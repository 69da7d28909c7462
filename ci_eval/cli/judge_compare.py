"""`ci-eval judge compare`: a judge says which of two runs' stored answers are better."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ci_eval.cli.cache import cache_options, chosen_cache
from ci_eval.cli.judging import tell_cost, the_judge
from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.evaluation.side_by_side import Pairs, SideBySide
    from ci_eval.evaluation.suite import Suite
    from ci_eval.figures.win_rate import WinRate
    from ci_eval.records import Run
    from ci_eval.scorers.judge import Judge
    from ci_eval.scorers.registry import BoundScorer

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_SHOWN = 20
"""Cases with a preference, on a terminal."""


@click.command()
@click.argument("base", metavar="RUN_A", type=_FILE)
@click.argument("candidate", metavar="RUN_B", type=_FILE)
@click.option("--suite", "wanted", metavar="NAME", help="The suite whose judge compares; by default the runs' own.")
@click.option("--scorer", metavar="NAME", help="The judge; not needed where the suite has one.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Say what it would ask and cost, and ask nothing.")
@cache_options
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, with every case.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def compare(
    base: Path,
    candidate: Path,
    wanted: str | None,
    scorer: str | None,
    config_path: str,
    repo: Path,
    dry_run: bool,
    no_cache: bool,
    refresh: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Let a judge say which of two runs answers better.

    RUN_A and RUN_B are what `ci-eval run` wrote, of one suite. A judge of the suite compares their stored answers to
    each case that both have by its rubric: in both orders, and not told which run is which. What it prefers in both is
    a preference of RUN_B or against it, anything else a tie; the same answers are ties without a call.

    Exits 3 where more than one comparison in twenty has no verdict, or the budget is too small.
    """
    from dataclasses import replace

    from ci_eval import config, snapshot
    from ci_eval.cli.laptop import chosen_suites, default_out, no_keys, session
    from ci_eval.evaluation.canaries import canaries_take, check_judge
    from ci_eval.evaluation.screened import refuse_personal
    from ci_eval.evaluation.side_by_side import judge_all
    from ci_eval.evaluation.spending import refuse_too_dear, within
    from ci_eval.evaluation.suite import Suite, required_keys
    from ci_eval.git import Git

    git = Git.discover(repo)
    at = snapshot.of_work_tree(git)
    policy = config.load(at, config_path)
    runs = _Runs.read(base, candidate)
    (name,) = chosen_suites(policy, wanted or runs.suite)
    suite = Suite.load(policy, at, name)
    none_is_real = no_keys(required_keys(policy))
    bound = the_judge(suite, suite.judges(none_is_real), scorer)
    pairs = runs.pairs(suite, bound)
    most = pairs.takes(suite.comparing(bound, none_is_real)) + canaries_take(suite, bound)
    if dry_run:
        tell_cost(most, len(pairs.open), "pairs of answers that differ", "pairs", as_json=as_json)
    budget, asks = policy.policy.budget, policy.policy.providers[bound.scorer.policy.asks() or ""]
    refuse_too_dear(f"judging {len(pairs.open):,} pairs", most, budget, asks)
    if dry_run:
        return 0
    refuse_personal(policy.policy, policy, at, [name])
    cache = chosen_cache(no_cache=no_cache, refresh=refresh)
    shared = within(replace(session(policy, default_out(git), quiet=quiet), cache=cache), budget)
    ready = the_judge(suite, suite.judges(shared.keys, cache), bound.scorer.name)
    check_judge(suite, ready, shared)
    found = judge_all(pairs, suite.comparing(ready, shared.keys, cache), suite, shared)
    told = _Told(runs, suite, bound, found)
    click.echo(json.dumps(told.as_json(), indent=2) if as_json else "\n".join(told.lines()))
    _refuse_torn(found)
    return 0


def _refuse_torn(found: SideBySide) -> None:
    from ci_eval.errors import Inconclusive

    if found.torn:
        cause = log(found.lost[0].reason)
        lost, asked = len(found.lost), len(found.pairs.open)
        raise Inconclusive(f"the judge gave no verdict on {lost} of {asked} pairs that differ ({cause}); run again")


class _Runs(NamedTuple):
    """Two run files."""

    base_file: str
    candidate_file: str
    base: Run
    candidate: Run

    @classmethod
    def read(cls, base: Path, candidate: Path) -> _Runs:
        """Raises InputError for what is no run, and for runs of two suites."""
        from ci_eval.errors import InputError
        from ci_eval.records import read

        found = cls(str(base), str(candidate), read(base), read(candidate))
        if found.base.header.suite != found.candidate.header.suite:
            problem = f"is a run of suite {found.candidate.header.suite}, and {base} of suite {found.suite}"
            raise InputError(problem, remedy="compare runs of one suite", file=str(candidate))
        return found

    @property
    def suite(self) -> str:
        return self.base.header.suite

    def pairs(self, suite: Suite, bound: BoundScorer) -> Pairs:
        from ci_eval.evaluation.side_by_side import pair_up

        return pair_up(self.base, self.candidate, suite.golden.cases, bound.scorer.policy, self.candidate_file)

    def of_another_golden_set(self, suite: Suite) -> list[str]:
        """The files of runs whose cases may have been other ones."""
        files = ((self.base_file, self.base), (self.candidate_file, self.candidate))
        return [file for file, run in files if run.header.fingerprint.golden != suite.golden.digest]


class _Told(NamedTuple):
    """The result, in words and for programs."""

    runs: _Runs
    suite: Suite
    bound: BoundScorer
    found: SideBySide

    @property
    def _judge(self) -> Judge:
        from ci_eval.scorers.judge import Judge

        policy = self.bound.scorer.policy
        assert isinstance(policy, Judge), "the suite's judges"  # noqa: S101
        return policy

    @property
    def _criteria(self) -> Sequence[str]:
        return [one.name for one in self._judge.read_rubric(self.suite.snapshot).criteria]

    def _figures(self) -> Iterator[tuple[str, WinRate]]:
        from ci_eval.scorers.rubric import OVERALL

        yield OVERALL, self.found.overall
        if len(self._criteria) > 1:
            yield from ((name, self.found.of(name)) for name in self._criteria)

    # --- in words -----------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        from tabulate import tabulate

        files = f"{log(self.runs.candidate_file)} beside {log(self.runs.base_file)}"
        cases = _counted(len(self.found.judged), "case")
        yield f"{files}: {cases}, compared by {log(self._judge.model)} in both orders"
        yield ""
        head = ["", "better", "worse", "tie", "preferred where decided", "net, points", "p"]
        rows = [[name, one.better, one.worse, one.ties, *_shares(one)] for name, one in self._figures()]
        yield tabulate(rows, head, tablefmt="plain", disable_numparse=True)
        yield ""
        yield from self._notes()
        yield from self._decided()

    def _notes(self) -> Iterator[str]:
        leaning, pairs = self.found.leaning, self.found.pairs
        if leaning.share is not None:
            swayed = f"The orders disagreed in {leaning.swayed} of {_counted(leaning.comparisons, 'case')}"
            yield f"{swayed} ({100 * leaning.share:.0f} %){leaning.words}; where they do, it is a tie."
        if self.found.lost:
            cause = log(self.found.lost[0].reason, limit=160)
            yield f"Without a verdict, and in no figure: {_counted(len(self.found.lost), 'case')} ({cause})."
        if pairs.unanswered:
            yield f"Left out: {_counted(len(pairs.unanswered), 'case')} that one run has no answer to."
        if pairs.unknown:
            yield f"Left out: {_counted(len(pairs.unknown), 'case')} that the golden set does not have."
        for file in self.runs.of_another_golden_set(self.suite):
            yield f"{log(file)} was made on another golden set: each case is judged with what it asks today."

    def _decided(self) -> Iterator[str]:
        every = self.found.decided
        for one, value in islice(every, _SHOWN):
            yield f"- {_word(value)} {log(one.pair.case.id)}: {log(one.reason, limit=160)}"
        if len(every) > _SHOWN:
            yield f"and {len(every) - _SHOWN} more (--json has all)"

    # --- for programs -------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        leaning, pairs = self.found.leaning, self.found.pairs
        return {
            "suite": self.suite.name,
            "base": log(self.runs.base_file),
            "candidate": log(self.runs.candidate_file),
            "judge": {"scorer": self.bound.scorer.name, "model": log(self._judge.model)},
            "cases": len(self.found.judged),
            "preferred": {name: _figures_json(one) for name, one in self._figures()},
            "orders": {"cases": leaning.comparisons, "disagreed": leaning.swayed, "share": leaning.share,
                       "for_first": leaning.to_first, "for_second": leaning.to_second},
            "without_verdict": [one.pair.case.id for one in self.found.lost],
            "unanswered": list(pairs.unanswered),
            "not_in_golden_set": list(pairs.unknown),
            "another_golden_set": [log(file) for file in self.runs.of_another_golden_set(self.suite)],
            "decided": [
                {"case": one.pair.case.id, "candidate": _word(value), "preference": value,
                 "criteria": {name: one.parts[name] for name in self._criteria if name in one.parts},
                 "reason": log(one.reason)}
                for one, value in self.found.decided
            ],
        }  # fmt: skip


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _word(value: float) -> str:
    return "better" if value > 0.5 else "worse"


def _shares(one: WinRate) -> tuple[str, str, str]:
    """The preference, what the ties leave of it, and whether it may be chance."""
    decided, net = one.decided, one.net
    if decided is None or net is None:
        return "unknown: none is decided", "", f"{one.p:.3f}"
    low, high = decided.interval
    share = f"{100 * decided.value:.0f} % ({100 * low:.0f} to {100 * high:.0f}; {decided.part} of {decided.of})"
    points, *ends = (100 * part for part in net)
    return (
        share,
        f"{points:+.1f} ({ends[0]:+.1f} to {ends[1]:+.1f})",
        f"{one.p:.2g}" if one.p < 0.001 else f"{one.p:.3f}",
    )


def _figures_json(one: WinRate) -> dict[str, Any]:
    """Shares with their 95 % intervals."""
    decided, net = one.decided, one.net
    return {
        "better": one.better,
        "worse": one.worse,
        "ties": one.ties,
        "preferred": [round(part, 4) for part in (decided.value, *decided.interval)] if decided else None,
        "net": [round(part, 4) for part in net] if net else None,
        "p": one.p,
    }
