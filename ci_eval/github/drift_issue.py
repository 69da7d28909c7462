"""The one issue about scores of main that changed by themselves: opened, kept true, and closed when it is over.

Found again by its author and its first line, as the comment is. Somebody may close it, to say that they know: then it
stays closed, and is kept true all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci_eval.baseline.drift import Drift
from ci_eval.github.client import GitHub, GitHubUnavailable, Issue
from ci_eval.github.publish import writer
from ci_eval.report.judges import lines
from ci_eval.report.numbers import decimal, signed
from ci_eval.text import cell

_TITLE = "ci-eval: main answers differently than before, and main did not change"
_FORGOTTEN = timedelta(days=60)
"""An issue that no evaluation has touched for so long is not looked for."""


@dataclass(frozen=True)
class DriftIssue:
    """The issue of one config and workflow."""

    github: GitHub
    config_id: str
    run_url: str
    now: datetime

    @property
    def marker(self) -> str:
        return f"<!-- ci-eval-drift:{self.config_id} -->\n"

    def keep(self, found: Sequence[Drift]) -> str | None:
        """Open or update it where something drifted, close it where nothing did; returns a warning. Never raises."""
        try:
            if found:
                self._tell(found)
            else:
                self._close()
        except GitHubUnavailable as error:
            return f"the issue about changed scores could not be kept: {error}"
        return None

    def _tell(self, found: Sequence[Drift]) -> None:
        body = f"{self.marker}{in_markdown(found, self.run_url)}"
        mine = self._mine()
        if not mine:
            self.github.create_issue(_TITLE, body)
        for issue in mine:
            self.github.edit_issue(issue.number, body)

    def _close(self) -> None:
        """Its first line goes, so that the next change gets an issue of its own."""
        for issue in self._mine():
            text = issue.body.text().removeprefix(self.marker)
            self.github.edit_issue(
                issue.number, f"**Over:** {_link(self.run_url)} found no change.\n\n{text}", "closed"
            )

    def _mine(self) -> list[Issue]:
        marked = [one for one in self.github.issues(self.now - _FORGOTTEN) if one.body.text().startswith(self.marker)]
        me = writer(self.github, self.github.whoami(), marked)
        return [issue for issue in marked if issue.author == me]


def in_markdown(found: Sequence[Drift], run_url: str) -> str:
    """What changed, for the issue and the job's summary."""
    from tabulate import tabulate  # noqa: PLC0415 - only a scheduled evaluation prints this table

    headers = ["suite", "dimension", "then", "now", "change"]
    table = tabulate([_row(one) for one in found], headers=headers, tablefmt="github", disable_numparse=True)
    told = dict.fromkeys(lines([judge for one in found for judge in one.judges], cell))
    judges = "".join(f"- {line}\n" for line in told) + ("\n" if told else "")
    return (
        "The same prompt, model config, data and golden set score differently than when they were first run, by more "
        "than chance explains: what answers has changed, most likely the model behind its name.\n\n"
        f"{table}\n\n{judges}Found by {_link(run_url)}. Pull requests are compared with main as it answers now. What "
        "helps: a model version that is pinned, or a change that makes up for it. The issue is closed when the scores "
        "are back, or when main's inputs have changed and two scheduled evaluations agree.\n"
    )


def _link(run_url: str) -> str:
    return f"[this evaluation]({run_url})"


def _row(one: Drift) -> list[str]:
    scores = [decimal(score, 2) for score in (one.before, one.now)]
    return [cell(one.suite), cell(one.dimension), *scores, signed(decimal(one.change, 2))]
