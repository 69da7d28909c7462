"""An acceptance in a merge queue: it is recognised for the same head of the same pull request, and no larger drop.

Nothing that was written down when it was given is believed. GitHub's own record says that the label is on, who put it
on, and that the head has not moved since; git says that the group is that head on its base and nothing else. Either
main brought nothing since that matters to what was accepted, so that the question is the same, or what was accepted is
judged once more, on main as it was then, and what falls now may not fall further.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ci_eval import config as configs
from ci_eval import sides
from ci_eval.changes import detect
from ci_eval.errors import CiEvalError
from ci_eval.gate import Gate
from ci_eval.git import Git, GitError
from ci_eval.github.acceptance import Claim, examine, objection
from ci_eval.github.client import Branch, GitHub, GitHubUnavailable, Pull
from ci_eval.github.event import GateGroup
from ci_eval.github.history import moves, stood_at
from ci_eval.github.workplace import Workplace
from ci_eval.outcome.acceptance import Acceptance, Again, Words
from ci_eval.outcome.falls import falls, outgrown
from ci_eval.outcome.model import GateOutcome
from ci_eval.sides import Sides
from ci_eval.snapshot import Snapshot, changed_paths
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

_AGAIN = "put it on again before you queue it again"
_CHANGED = "main has changed since, and"


@dataclass(frozen=True)
class GroupReview:
    """What is asked about a group that would be a regression."""

    place: Workplace
    group: GateGroup
    gate: Callable[[Sides], Gate]
    """A gate like the group's own, of other sides."""
    number: None = None
    """There is no pull request to answer."""
    whole: bool = True
    """A merge group is judged on every golden case: it is the last look before main."""

    @property
    def head_sha(self) -> str:
        return self.group.head_sha

    def before(self) -> None:
        """Only a regression is asked about."""

    def after(self, outcome: GateOutcome, _: Acceptance | None) -> GateOutcome:
        """The verdict with the acceptance in it, where there is one."""
        number = self.group.pull
        if outcome.verdict is not Verdict.REGRESSION or number is None or self.place.environment.token is None:
            return outcome
        try:
            with self.place.github() as github:
                found = self._found(github, github.pull(number), outcome)
        except GitHubUnavailable as error:
            self.place.tell(f"whether somebody accepted this could not be asked: {error}")
            return outcome
        return _with(outcome, found) if found else outcome

    def _found(self, github: GitHub, pull: Pull, outcome: GateOutcome) -> Acceptance | None:
        if not pull.wears_accept or pull.state != "open":
            return None
        claim = examine(github, pull)
        if not claim.acceptance.counts:
            return claim.acceptance
        words = objection(outcome)
        if words:
            return claim.acceptance.but(words)
        try:
            return self._covering(github, pull, claim, outcome)
        except GitError:
            return claim.acceptance.but("what was accepted could not be read from git; check out with fetch-depth: 0")
        except CiEvalError as error:
            return claim.acceptance.but(*_not_judged(error))

    def _covering(self, github: GitHub, pull: Pull, claim: Claim, outcome: GateOutcome) -> Acceptance:
        git, accepted = self.place.git(), replace(claim.acceptance, queued=True)
        git.fetch(self.place.remote(), [pull.head_sha])
        now = sides.of_merge_group(git, self.group.base_sha, self.group.head_sha)
        if changed_paths(sides.of_merge(git, self.group.base_sha, pull.head_sha).candidate, now.candidate):
            return accepted.but("the group holds more, or other things, than the head that was accepted")
        then = self._then(git, github, pull, claim)
        if then is None:
            return accepted.but(f"GitHub does not show what it was accepted on top of; {_AGAIN}")
        if self._same_question(then, now):
            return accepted
        return self._no_larger(accepted, then, outcome)

    def _then(self, git: Git, github: GitHub, pull: Pull, claim: Claim) -> Sides | None:
        """The head, and the target branch as it stood when the label was put on."""
        target = Branch(github.repository, f"refs/heads/{pull.base_ref}")
        base = stood_at(moves(github, target), claim.labelling.at) if claim.labelling else None
        if base is None or not git.is_ancestor(base, self.group.base_sha):
            return None
        return sides.of_merge(git, base, pull.head_sha)

    def _same_question(self, then: Sides, now: Sides) -> bool:
        """Whether nothing that a gate reads, of policy or of subjects, changed on either side."""
        return self._alike(then.base, now.base) and self._alike(then.candidate, now.candidate)

    def _alike(self, one: Snapshot, other: Snapshot) -> bool:
        path = self.place.environment.inputs.config
        changes = detect(one, other, configs.load(one, path), configs.load(other, path))
        return not changes.affected() and not changes.policy_changed

    def _no_larger(self, accepted: Acceptance, then: Sides, outcome: GateOutcome) -> Acceptance:
        gate = in_time_left(self.gate(then), outcome)
        if gate is None:
            return accepted.but(f"{_CHANGED} no time is left to judge again what was accepted; {_AGAIN}")
        try:
            before = gate.run()
        except CiEvalError as error:
            return replace(accepted.but(*_not_judged(error)), again=Again(0.0, None))
        judged = replace(accepted, again=Again(before.seconds, before.usd))
        more = outgrown(falls(outcome), falls(before))
        if more and before.unclear:
            return judged.but(f"{_CHANGED} what was accepted was not clear when judged again; {_AGAIN}")
        if more:
            names = [piece for fall in more for piece in (", ", Untrusted(fall.name))][1:]
            return judged.but(f"{_CHANGED} this falls further now than what was accepted, in ", *names)
        return judged


def _not_judged(error: CiEvalError) -> Words:
    return "what was accepted could not be judged again: ", Untrusted(str(error))


def _with(outcome: GateOutcome, found: Acceptance) -> GateOutcome:
    verdict = Verdict.ACCEPTED if found.counts else outcome.verdict
    seconds, usd = found.again or Again(0.0, outcome.usd)
    seconds = round(outcome.seconds + seconds, 1)
    return replace(outcome, verdict=verdict, acceptance=found, seconds=seconds, usd=usd)


def in_time_left(gate: Gate, outcome: GateOutcome) -> Gate | None:
    """The gate in the time that the first one left; None where that is none. Both pay from one purse."""
    if outcome.budget is None:
        return gate
    seconds = outcome.budget.seconds - outcome.seconds
    return replace(gate, tighter=replace(gate.tighter, budget_seconds=seconds)) if seconds > 0 else None
