"""A person accepts a regression: the label `ci-eval: accept`, put on by somebody who may push, for one head.

It counts in the run that putting it on starts, and in a merge queue for the same head (`queue.py`). Every other run
takes it off, and so does this one where nothing came of it: a label that is on stands for an acceptance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci_eval.errors import Inconclusive
from ci_eval.github.client import GitHub, GitHubUnavailable, Pull
from ci_eval.github.event import ACCEPT, GatePull, GatePullAsData
from ci_eval.github.history import SETTLED, Labelling, moves, newest_labelling, permission
from ci_eval.github.workplace import Workplace
from ci_eval.outcome.acceptance import Acceptance
from ci_eval.outcome.model import GateOutcome
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

_MAY_ACCEPT = frozenset({"write", "maintain", "admin"})
_LEVELS = frozenset({"read", "triage", "none"})


class Superseded(Inconclusive):
    """The pull request has another head by now, so this run has nothing to say about it."""

    def __init__(self) -> None:
        super().__init__("superseded: the pull request has a newer head, and that has a run of its own")


# --- whether a label counts -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """What was found about a label: the acceptance that it is, or why it is none."""

    acceptance: Acceptance
    labelling: Labelling | None = None


def examine(github: GitHub, pull: Pull) -> Claim:
    """Whether the label that is on counts for the head that the pull request has; raises GitHubUnavailable."""
    labelling = newest_labelling(github, pull.number)
    if labelling is None:
        return Claim(Acceptance(None).but("GitHub does not show who put it on"))
    by = labelling.by
    acceptance = Acceptance(Untrusted(by.login), own=by.login == pull.author)
    refused = _who(github, labelling) or _when(github, pull, labelling)
    return Claim(acceptance.but(refused) if refused else acceptance, labelling)


def _who(github: GitHub, labelling: Labelling) -> str | None:
    if labelling.by_app:
        return "a program put it on, and only a person can accept a regression"
    level = permission(github, labelling.by)
    if level in _MAY_ACCEPT:
        return None
    has = level if level in _LEVELS else "another one"
    return f"their permission here is {has}, and it takes write, maintain or admin"


def _when(github: GitHub, pull: Pull, labelling: Labelling) -> str | None:
    """Who clicks within a minute of a push may have seen what was there before it; another target is another change."""
    if labelling.retargeted:
        return "the pull request was given another target branch since; put it on again"
    newest = moves(github, pull.head)[:1] if pull.head else []
    if not newest or newest[0].after != pull.head_sha:
        return "GitHub's list of pushes does not show this head; put it on again"
    if labelling.at - newest[0].timestamp < SETTLED:
        seconds = int(SETTLED.total_seconds())
        return f"it was put on before the head was {seconds} seconds old; see what was pushed, and put it on again"
    return None


# --- the run of a pull request ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PullReview:
    """What is asked of GitHub before a pull request is judged, and before the verdict is told."""

    place: Workplace
    number: int
    head_sha: str
    accepted_by: int | None = None
    """The account that put the label on, where this run is the answer to just that."""
    wears_accept: bool = False
    """Whether the label was on, where it is not."""

    @property
    def whole(self) -> bool:
        """Whether every golden case is judged: nobody accepts what a part of them did not show, and a merge queue takes
        the acceptance for all of them.
        """
        return self.accepted_by is not None

    @classmethod
    def of(cls, place: Workplace, pull: GatePull | GatePullAsData) -> PullReview:
        return cls(place, pull.number, pull.head_sha, pull.accepted_by, pull.wears_accept)

    def before(self) -> Acceptance | None:
        """The acceptance that this run may be about; raises Superseded. What cannot be asked is no acceptance."""
        labelled = self.accepted_by is not None
        if self.place.environment.token is None:
            return (
                Acceptance(None).but("without a github-token nobody can be asked who put it on") if labelled else None
            )
        try:
            with self.place.github() as github:
                return self._claimed(github, self._pull(github))
        except GitHubUnavailable as error:
            self.place.tell(f"the pull request could not be read ({error}), so a newer head may have gone unseen")
            return Acceptance(None).but(f"GitHub could not be asked about it: {error}") if labelled else None

    def _pull(self, github: GitHub) -> Pull:
        pull = github.pull(self.number)
        if pull.head_sha != self.head_sha:
            raise Superseded
        return pull

    def _claimed(self, github: GitHub, pull: Pull) -> Acceptance | None:
        if self.accepted_by is None:
            return self._stale(github) if self.wears_accept else None
        claim = self._own_claim(github, pull)
        return claim if claim.counts else self._take_off(github, claim)

    def _own_claim(self, github: GitHub, pull: Pull) -> Acceptance:
        """A rerun of this run finds the label of another event, if it finds one."""
        if not pull.wears_accept:
            return Acceptance(None).but("it is not on any more")
        claim = examine(github, pull)
        if claim.labelling and claim.labelling.by.id != self.accepted_by:
            return claim.acceptance.but("this run answers the label of somebody else, who put it on earlier")
        return claim.acceptance

    def _stale(self, github: GitHub) -> Acceptance:
        words = "it counts only in the run that putting it on starts, for the head of that moment; put it on again"
        return self._take_off(github, Acceptance(None).but(words))

    def after(self, outcome: GateOutcome, acceptance: Acceptance | None) -> GateOutcome:
        """The verdict with the acceptance in it, or superseded."""
        if outcome.reason == "superseded" or self.place.environment.token is None:
            return replace(outcome, acceptance=acceptance)
        try:
            with self.place.github() as github:
                return self._settled(github, self._pull(github), outcome, acceptance)
        except Superseded as error:
            self.place.tell_error(error)
            return superseded(outcome)
        except GitHubUnavailable as error:
            unread = f"the pull request could not be read again ({error})"
            self.place.tell(f"{unread}, so a newer head may have gone unseen")
            return replace(outcome, acceptance=acceptance and _refuse(acceptance, unread))

    def _settled(self, github: GitHub, pull: Pull, outcome: GateOutcome, acceptance: Acceptance | None) -> GateOutcome:
        if acceptance is None or not acceptance.counts:
            return replace(outcome, acceptance=acceptance)
        words = "it was taken off while this ran" if not pull.wears_accept else objection(outcome)
        if words:
            return replace(outcome, acceptance=self._take_off(github, acceptance.but(words)))
        return replace(outcome, verdict=Verdict.ACCEPTED, acceptance=acceptance)

    def _take_off(self, github: GitHub, refused: Acceptance) -> Acceptance:
        try:
            github.remove_label(self.number, ACCEPT)
        except GitHubUnavailable as error:
            if error.status != 404:
                self.place.tell(f"the label {ACCEPT} could not be taken off: {error}; it does not count all the same")
        return refused


def _refuse(acceptance: Acceptance, words: str) -> Acceptance:
    return acceptance.but(words) if acceptance.counts else acceptance


def objection(outcome: GateOutcome) -> str | None:
    """Why there is nothing here that a person can accept."""
    if outcome.verdict is Verdict.INCONCLUSIVE:
        return "there is no verdict yet, and only a regression can be accepted; put it on again when there is one"
    if outcome.verdict is not Verdict.REGRESSION:
        return "there is no regression to accept"
    if outcome.unclear:
        return "beside the regression something is inconclusive, and nobody can accept what is not known"
    return None


def superseded(outcome: GateOutcome) -> GateOutcome:
    """Whatever was found out about a head that is not the pull request's any more is not its verdict."""
    problem = Untrusted(str(Superseded()))
    return GateOutcome(
        Verdict.INCONCLUSIVE, "superseded", None, outcome.candidate_commit, problem=problem, usd=outcome.usd
    )
