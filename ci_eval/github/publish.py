"""Publishing: the one sticky comment, the job summary and the step's outputs.

No state is read back from here. A comment of ours is found by author and by the marker it starts with, and the only
thing believed of it is which run wrote it. Whatever fails here is a warning: the verdict stands without it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ci_eval.github.client import ACTIONS_BOT, Account, Comment, GitHub, GitHubUnavailable, Issue
from ci_eval.github.environment import CommentMode
from ci_eval.reader import KIB, append_lines
from ci_eval.text import Hostile, Untrusted

# --- the comment ------------------------------------------------------------------------------------------------------


def config_id(workflow: Hostile, config_path: str) -> str:
    """Keeps apart the comments of two workflows, or two configs, of one repository."""
    name = workflow.text() if isinstance(workflow, Untrusted) else workflow
    return hashlib.sha256(f"{name}\0{config_path}".encode("utf-8", "replace")).hexdigest()[:16]


_RUN = re.compile(r"sha=[0-9a-f]{40} run=([0-9]{1,18})\.([0-9]{1,9}) -->(?:\r?\n|\Z)")


@dataclass(frozen=True)
class Marker:
    """The first line of the comment: whose it is, and which run wrote it."""

    config_id: str
    sha: str
    run_id: int
    run_attempt: int

    @property
    def prefix(self) -> str:
        return f"<!-- ci-eval:{self.config_id} "

    @property
    def line(self) -> str:
        return f"{self.prefix}sha={self.sha} run={self.run_id}.{self.run_attempt} -->"

    @property
    def run(self) -> tuple[int, int]:
        return self.run_id, self.run_attempt

    def run_of(self, comment: Comment) -> tuple[int, int]:
        """Which run wrote a comment of ours; (0, 0) if somebody spoiled its first line."""
        found = _RUN.match(comment.body.text(), len(self.prefix))
        return (int(found[1]), int(found[2])) if found else (0, 0)


class Posting(Enum):
    """What may be done about the comment. An old comment is edited in every mode but off: it must not stay wrong."""

    UPSERT = "upsert"
    EDIT_ONLY = "edit only"
    NOTHING = "nothing"


def posting(mode: CommentMode, *, relevant: bool, green: bool) -> Posting:
    """`relevant`: the pull request changed something that was judged; `green`: its verdict lets it pass."""
    wanted = {"always": True, "changes": relevant or not green, "failures": not green, "off": False}[mode]
    if mode == "off":
        return Posting.NOTHING
    return Posting.UPSERT if wanted else Posting.EDIT_ONLY


@dataclass(frozen=True)
class CommentOutcome:
    """Where the comment is, and what a reader of the log should know about it."""

    url: str | None = None
    warning: str | None = None


def upsert_comment(
    github: GitHub, number: int, body: str, marker: Marker, how: Posting = Posting.UPSERT
) -> CommentOutcome:
    """One comment per pull request and config: edited if it is there, created if not. Never raises."""
    if how is Posting.NOTHING:
        return CommentOutcome()
    try:
        return _Sticky(github, number, f"{marker.line}\n{body}", marker, github.whoami()).upsert(how)
    except GitHubUnavailable as error:
        return CommentOutcome(None, f"the comment was not posted: {error}; the verdict stands, and is in the summary")


def writer(github: GitHub, guess: Account, marked: Sequence[Comment | Issue]) -> Account:
    """Who we are, given what wears our marker: it is made sure of where another bot does.

    That a token is the workflow's own is a guess. The other bot may be the app whose token this is in truth, or one
    that somebody made repeat the marker.
    """
    if guess == ACTIONS_BOT and any(one.author and one.author.is_bot and one.author != guess for one in marked):
        with suppress(GitHubUnavailable):
            return github.viewer()
    return guess


@dataclass(frozen=True)
class _Sticky:
    github: GitHub
    number: int
    text: str
    marker: Marker
    me: Account

    def upsert(self, how: Posting) -> CommentOutcome:
        found = self._find()
        if found:
            return self._edit(found)
        return self._create() if how is Posting.UPSERT else CommentOutcome()

    def _find(self) -> Comment | None:
        """Ours, of all pages; of several (two runs raced once) the one that the newest run wrote."""
        comments = self.github.comments(self.number)
        marked = [comment for comment in comments if comment.body.text().startswith(self.marker.prefix)]
        me = writer(self.github, self.me, marked)
        mine = [comment for comment in marked if comment.author == me]
        return max(mine, key=self.marker.run_of, default=None)

    def _edit(self, found: Comment) -> CommentOutcome:
        if self.marker.run_of(found) > self.marker.run:
            return CommentOutcome(_url(found), "a newer run has reported already, so its comment was left as it is")
        return CommentOutcome(_url(self.github.edit_comment(self.number, found.id, self.text)))

    def _create(self) -> CommentOutcome:
        try:
            return CommentOutcome(_url(self.github.create_comment(self.number, self.text)))
        except GitHubUnavailable as error:
            if not error.may_have_worked:
                raise
        arrived = self._find()
        if arrived:
            return self._edit(arrived)
        return CommentOutcome(_url(self.github.create_comment(self.number, self.text)))


_COMMENT_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._/-]{1,250}/(pull|issues)/[0-9]{1,18}#issuecomment-[0-9]{1,18}"
)


def _url(comment: Comment) -> str | None:
    return comment.url if _COMMENT_URL.fullmatch(comment.url) else None


# --- the job summary --------------------------------------------------------------------------------------------------

SUMMARY_LIMIT = 900 * KIB
_FENCE = re.compile(r"(`{3,})[a-z]*")
_CUT = "*The rest did not fit; the whole report is the HTML artifact.*"


def write_summary(path: Path | None, markdown: str, *, limit: int = SUMMARY_LIMIT) -> str | None:
    """Add to the job summary, cut at a line to what GitHub takes; returns a warning if it could not be written."""
    return _append(path, _cut(markdown, limit).split("\n"))


def _cut(markdown: str, limit: int) -> str:
    if len(markdown.encode("utf-8", "replace")) < limit:
        return markdown
    kept: list[str] = []
    room = limit - len(_CUT) - 64
    fence = ""
    for line in markdown.split("\n"):
        room -= len(line.encode("utf-8", "replace")) + 1
        if room < 0:
            break
        kept.append(line)
        opened = _FENCE.fullmatch(line)
        if fence:
            fence = "" if line == fence else fence
        elif opened:
            fence = opened[1]
    return "\n".join([*kept, *([fence] if fence else []), "", _CUT])


# --- the step's outputs -----------------------------------------------------------------------------------------------

_SAFE_PATH = r"(?!.*(^|/)\.\.(/|$))[A-Za-z0-9._/-]{1,300}"

OUTPUTS: Mapping[str, re.Pattern[str]] = {
    "verdict": re.compile(r"pass|accepted|regression|inconclusive"),
    "worst-dimension": re.compile(r"[a-z][a-z0-9_-]{0,63}"),
    "worst-drop": re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?"),
    "report-path": re.compile(_SAFE_PATH),
    "results-path": re.compile(_SAFE_PATH),
    "junit-path": re.compile(_SAFE_PATH),
    "sarif-path": re.compile(_SAFE_PATH),
    "cost-usd": re.compile(r"[0-9]{1,18}(\.[0-9]{1,8})?"),
    "comment-url": _COMMENT_URL,
}


def cost(usd: float | None) -> dict[str, str]:
    """No output where a price is not known: 0 would be a claim."""
    return {} if usd is None else {"cost-usd": f"{usd:.6f}"}


def write_outputs(path: Path | None, outputs: Mapping[str, str]) -> str | None:
    """Set the step's outputs; returns a warning if the file could not be written.

    No value can hold a newline, so the one-line form is safe: there is no delimiter to guess. A value of another shape
    is a mistake of ours, and nothing at all is written then.
    """
    for name, value in outputs.items():
        pattern = OUTPUTS.get(name)
        if pattern is None or not pattern.fullmatch(value):
            raise ValueError(f"no output of this name and shape: {name if pattern else 'unknown name'}")
    return _append(path, [f"{name}={value}" for name, value in outputs.items()])


def _append(path: Path | None, lines: list[str]) -> str | None:
    if path is None or not lines:
        return None
    try:
        append_lines(path, [line.encode("utf-8", "replace").decode("utf-8") for line in lines])
    except OSError as error:
        return f"a file of the runner could not be written ({error.strerror}); the verdict stands"
    return None
