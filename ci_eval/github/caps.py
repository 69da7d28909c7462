"""How often a pull request's gate may run in a day, whatever one run may take (`budget.runs_per_day`).

GitHub keeps the list, so nobody can edit it. What it counts are runs of this workflow, by the same event, for the same
branch of the same repository: two pull requests of one branch share them, and a run that had nothing to do is one, too.
A re-run counts as often as it was started. Who may start the workflow by hand is not held up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ci_eval.config import Config
from ci_eval.errors import Inconclusive
from ci_eval.github import runs
from ci_eval.github.client import GitHubUnavailable
from ci_eval.github.runs import Run, Siblings
from ci_eval.github.workplace import Workplace

_DAY = timedelta(days=1)
_BEFORE_IT_BEGAN = frozenset({"waiting", "requested", "pending", "queued"})
_NEVER_BEGAN = frozenset({"action_required", "skipped"})


def hold(place: Workplace, main: Config) -> None:
    """Raises Inconclusive where this run is one too many, or where nobody can say."""
    most = main.policy.budget.runs_per_day
    if most is None:
        return
    now = datetime.now(UTC)
    try:
        with place.github() as github:
            this = runs.run(github, place.environment.run_id)
            others = [run for run in Siblings(github, this).since(now - _DAY) if run.id != this.id and began(run)]
    except GitHubUnavailable as error:
        raise Inconclusive(
            f"budget.runs_per_day is set, and GitHub does not say how often this gate has run ({error.in_short}); "
            "give the job `permissions: actions: read`, or run it again"
        ) from None
    starts = [(run.created_at, run.run_attempt) for run in others]
    starts.append((this.created_at, place.environment.run_attempt))
    count = sum(attempts for _, attempts in starts)
    if count > most:
        raise Inconclusive(
            f"this workflow was started {count} times in 24 hours for this pull request's branch, and "
            f"budget.runs_per_day is {most}; the next may run after {free_again(starts, most):%Y-%m-%d %H:%M} UTC"
        )


def began(run: Run) -> bool:
    """Whether a run got as far as asking anything: one that still waits for an approval did not."""
    waits = run.run_attempt == 1 and run.status in _BEFORE_IT_BEGAN
    return not waits and run.conclusion not in _NEVER_BEGAN


def free_again(starts: Iterable[tuple[datetime, int]], most: int) -> datetime:
    """When one more start fits into a day: as soon as enough of the oldest are a day old. `most` is at least 1."""
    oldest_first = sorted(starts)
    left = sum(attempts for _, attempts in oldest_first)
    for moment, attempts in oldest_first:
        left -= attempts
        if left < most:
            return moment + _DAY
    raise AssertionError("with nothing left, one fits")
