"""`ci-eval judge`: is the judge any good?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci_eval.cli.cache import cache_options, chosen_cache
from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.errors import Inconclusive
    from ci_eval.evaluation.labelled import Count, Judged, Labels
    from ci_eval.evaluation.suite import Suite
    from ci_eval.figures.agreement import Estimate, Share
    from ci_eval.figures.calibration import Calibration
    from ci_eval.scorers.registry import BoundScorer

_SHOWN = 20
"""Answers over which judge and people differ, on a terminal."""


class _Commands(click.Group):
    """Loads the other of its commands when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "compare"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "compare":
            from ci_eval.cli.judge_compare import compare

            return compare
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands)
def judge() -> None:
    """Compare a judge with people, and let it compare runs."""


@judge.command()
@click.argument("labels", required=False, type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--run", "run_file", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE",
              help="Also the answers of this run file whose golden cases have `human` ratings.")  # fmt: skip
@click.option("--suite", "wanted", metavar="NAME", help="The judge's suite; not needed where there is one.")
@click.option("--scorer", metavar="NAME", help="The judge; not needed where the suite has one.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--width", type=click.FloatRange(0.02, 1), default=0.2, show_default=True,
              help="Say how many labels an interval of this width needs.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what it would ask and cost, and ask nothing.")
@cache_options
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def calibrate(
    labels: Path | None,
    run_file: Path | None,
    wanted: str | None,
    scorer: str | None,
    config_path: str,
    repo: Path,
    width: float,
    dry_run: bool,
    no_cache: bool,
    refresh: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say how far a judge agrees with people.

    It rules on answers that people have labelled.

    LABELS are JSON lines, {"input": …, "output": …, "label": "pass"}; docs/judge.md has their keys. The figures are
    kept beside the rubric: commit that file, and every report shows them. It keeps to the `budget` of ci-eval.yaml:
    where that does not reach, exit 3, before the first call or with the figures of what was judged until then.
    """
    from dataclasses import replace

    from ci_eval import config, snapshot
    from ci_eval.cli.judging import tell_cost, the_judge
    from ci_eval.cli.laptop import chosen_suites, default_out, no_keys, session
    from ci_eval.errors import UsageError
    from ci_eval.evaluation.labelled import counts
    from ci_eval.evaluation.screened import refuse_personal
    from ci_eval.evaluation.spending import refuse_too_dear, within
    from ci_eval.evaluation.suite import Suite, required_keys
    from ci_eval.figures.calibration import kept
    from ci_eval.git import Git

    git = Git.discover(repo)
    at = snapshot.of_work_tree(git)
    policy = config.load(at, config_path)
    suite = _the_suite([Suite.load(policy, at, name) for name in chosen_suites(policy, wanted)])
    budget = policy.policy.budget
    bound = the_judge(suite, suite.judges(no_keys(required_keys(policy))), scorer)
    found = _read(suite, bound, labels, run_file)
    before = kept(suite.snapshot, found.judge.rubric)
    if dry_run:
        tell_cost(found.takes(bound), len(found.answers), "labelled answers", "answers", as_json=as_json)
    what = f"judging {len(found.answers):,} labelled answers"
    refuse_too_dear(what, found.takes(bound), budget, policy.policy.providers[found.judge.provider])
    if dry_run:
        return 0
    refuse_personal(policy.policy, policy, at, [suite.name])
    cache = chosen_cache(no_cache=no_cache, refresh=refresh)
    shared = within(replace(session(policy, default_out(git), quiet=quiet), cache=cache), budget)
    bound = the_judge(suite, suite.judges(shared.keys, cache), scorer)
    judged = found.judged(bound, suite, shared)
    every = counts(found.judge, found.criteria, judged)
    ruled = sum(not one.record.lost for one in judged)
    whole = ruled == len(found.answers)
    if whole and not every:
        raise UsageError("people are of two minds, half by half, about every answer; add labels by another person")
    if every:
        told = _as_json(every, ruled, width) if as_json else _lines(every, ruled, width)
        click.echo(json.dumps(told, indent=2) if as_json else "\n".join(told))
    if not whole:
        raise _unfinished(judged, len(found.answers), remembered=cache is not None)
    _keep(git.work_tree or repo, before, suite, bound, every, ruled)
    return 0


def _the_suite(suites: Sequence[Suite]) -> Suite:
    from ci_eval.errors import UsageError

    found = [suite for suite in suites if suite.judges()]
    if len(found) != 1:
        names = ", ".join(suite.name for suite in found)
        raise UsageError(f"several suites have a judge; choose one with --suite ({names})" if found else
                         "no suite has a scorer of type judge")  # fmt: skip
    return found[0]


def _read(suite: Suite, bound: BoundScorer, path: Path | None, run_file: Path | None) -> Labels:
    from ci_eval import records
    from ci_eval.evaluation.labelled import Labels
    from ci_eval.scorers.judge import Judge

    policy = bound.scorer.policy
    assert isinstance(policy, Judge), "the suite's judges"  # noqa: S101
    found = Labels(policy, [one.name for one in policy.read_rubric(suite.snapshot).criteria])
    if path is not None:
        found.read(path, suite.golden.cases)
    if run_file is not None:
        found.of_run(records.read(run_file), suite.golden.cases, bound.scorer.dimension)
    found.refuse_none()
    return found


def _unfinished(judged: Sequence[Judged], of: int, *, remembered: bool) -> Inconclusive:
    """Figures of a part are told, and not kept: the others may be of another kind."""
    from ci_eval.errors import Inconclusive

    lost = [one.record for one in judged if one.record.lost]
    cause = "the budget is spent" if len(judged) < of else log(lost[0].error or "no answer")
    missing = of - len(judged) + len(lost)
    again = "run again: what it has judged is remembered" if remembered else "run again, or raise the budget"
    return Inconclusive(
        f"the judge gave no verdict on {missing} of {of} answers ({cause}), so nothing is kept; {again}"
    )


def _keep(
    work_tree: Path,
    before: Sequence[Calibration],
    suite: Suite,
    bound: BoundScorer,
    every: Sequence[Count],
    answers: int,
) -> None:
    """Write the calibration beside the rubric, with those that are kept there."""
    from datetime import UTC, datetime

    from ci_eval.config import calibration_path
    from ci_eval.figures.calibration import Calibration, rubric_digest, with_new
    from ci_eval.reader import write_file

    policy = every[0].judge
    compared = {count.name: found for count in every if (found := count.compared)}
    new = Calibration(
        suite=suite.name,
        scorer=bound.scorer.name,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=policy.model,
        rubric=rubric_digest(policy, suite.snapshot),
        judge=bound.identity,
        answers=answers,
        compared=compared,
    )
    others = {one.identity for one in suite.judges()} - {bound.identity}
    file = with_new(before, new, others)
    data = json.dumps(file.model_dump(mode="json", exclude_none=True), indent=1)
    path = calibration_path(policy.rubric)
    write_file(work_tree / path, f"{data}\n".encode())
    click.echo(f"ci-eval: kept in {log(path)}; commit it, and every report shows it", err=True)


# --- in words ---------------------------------------------------------------------------------------------------------


def _lines(every: Sequence[Count], answers: int, width: float) -> Iterator[str]:
    yield f"{answers:,} labelled answers, judged by {log(every[0].judge.model)}"
    for count in every:
        yield ""
        yield from _about(count, width)


def _about(count: Count, width: float) -> Iterator[str]:
    from tabulate import tabulate

    found = count.compared
    assert found is not None, "only such are counted"  # noqa: S101
    agreement, detection = found.agreement, found.detection
    rows = [
        ["agreement", _share(agreement.agreed)],
        ["Cohen's kappa", _estimate(agreement.kappa)],
        ["Gwet's AC1" if len(found.table) == 2 else "Gwet's AC2", _estimate(agreement.gwet)],
        ["fails what people fail", _share(detection.sensitivity)],
        ["passes what people pass", _share(detection.specificity)],
    ]
    if found.people:
        from ci_eval.figures.agreement import Agreement

        people = Agreement(found.people)
        rows.append(["two people agree", f"{_share(people.agreed)}, kappa {_estimate(people.kappa)}"])
    yield f"{count.name}:"
    yield tabulate(rows, tablefmt="plain", disable_numparse=True)
    yield ""
    yield _matrix(found.table)
    yield from _advice(count, width)
    yield from _differing(count)


def _matrix(table: Sequence[Sequence[int]]) -> str:
    from tabulate import tabulate

    words = [_name(place, len(table)) for place in range(len(table))]
    rows = [[f"people: {word}", *map(str, row)] for word, row in zip(words, table, strict=True)]
    return tabulate(rows, ["", *(f"judge: {word}" for word in words)], disable_numparse=True)


def _advice(count: Count, width: float) -> Iterator[str]:
    from ci_eval.figures.calibration import FEWEST

    found = count.compared
    assert found is not None, "only such are counted"  # noqa: S101
    total, needed = found.agreement.total, found.agreement.needed(width)
    more = f"{needed - total:,} more labels" if needed > total else "no more labels"
    yield f"For intervals of {width:g} from end to end it takes {more}."
    failed, passed = found.detection.judged
    if min(failed, passed) < FEWEST:
        yield (
            f"The judge failed {failed} of these answers and passed {passed}: label {FEWEST} of each or more, "
            "chosen at random, before you rely on these shares."
        )
    if count.split:
        yield f"Left out: {count.split} answers of which as many people said one thing as the other."


def _differing(count: Count) -> Iterator[str]:
    every = list(count.differing())
    for one, pair in islice(every, _SHOWN):
        people, judge = (_word(place, count) for place in (pair.people, pair.judge))
        (cell,) = one.record.cells
        yield f"- people {people}, judge {judge}: {log(one.labelled.answer, limit=160)} ({log(cell.reason, limit=160)})"
    if len(every) > _SHOWN:
        yield f"and {len(every) - _SHOWN} more (--json has all)"


def _word(place: int, count: Count) -> str:
    found = count.compared
    assert found is not None, "only such are counted"  # noqa: S101
    return _name(place, len(found.table))


def _name(place: int, size: int) -> str:
    """A place on a scale of so many: of two answers, of pass and fail, or of whole numbers."""
    from ci_eval.evaluation.labelled import PREFERENCES

    if size == len(PREFERENCES):
        return PREFERENCES[place]
    return ("fail", "pass")[place] if size == 2 else str(place + 1)


def _share(share: Share | None) -> str:
    if share is None:
        return "unknown: there is no such answer"
    low, high = share.interval
    return f"{100 * share.value:.0f} % ({100 * low:.0f} to {100 * high:.0f}; {share.part} of {share.of})"


def _estimate(found: Estimate | None) -> str:
    return "not defined" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


# --- for programs -----------------------------------------------------------------------------------------------------


def _as_json(every: Sequence[Count], answers: int, width: float) -> dict[str, Any]:
    return {"model": log(every[0].judge.model), "answers": answers,
            "compared": {count.name: _count_json(count, width) for count in every}}  # fmt: skip


def _count_json(count: Count, width: float) -> dict[str, Any]:
    from ci_eval.report.judges import figures_of

    found = count.compared
    assert found is not None, "only such are counted"  # noqa: S101
    return {
        **figures_of(found),
        "labels_needed": found.agreement.needed(width),
        "left_out": count.split,
        "differing": [
            {
                "people": _word(pair.people, count),
                "judge": _word(pair.judge, count),
                "output": log(one.labelled.answer, limit=2000),
                "reason": log(one.record.cells[0].reason),
            }
            for one, pair in count.differing()
        ],
    }
