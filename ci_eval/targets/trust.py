"""Whether a change may be judged by running this target, and can be: the answers that are no are told, and are red."""

from __future__ import annotations

from ci_eval.changes import SuiteChanges
from ci_eval.config import TargetPolicy
from ci_eval.scorers.registry import ScorerSet
from ci_eval.snapshot import Snapshot
from ci_eval.targets.own import code_files

_PRIVILEGED = frozenset({"pull_request_target", "workflow_run", "issue_comment"})
_WITHOUT_SECRETS = frozenset({"pull_request", "local"})
"""Where GitHub itself keeps secrets from a fork's code, and where it is run by who has read it."""


def objection(
    policy: TargetPolicy, change: SuiteChanges, base: Snapshot, candidate: Snapshot, event: str, *, fork: bool = False
) -> str | None:
    """Why nothing is run for this change, by main's policy; None when it may be."""
    if policy.kind == "http":
        return _one_deployment(change)
    return code_objection(policy, base, candidate, event, fork=fork)


def scorers_objection(scorers: ScorerSet, event: str, *, fork: bool = False) -> str | None:
    """Why answers are not scored: a scorer is code of main's, which a stranger's pull request hands its words to."""
    strange = event in _PRIVILEGED or (fork and event not in _WITHOUT_SECRETS)
    if strange and any(scorer.policy.runs_code for scorer in scorers.all()):
        return f"on {event} no code of the repository is run, and a scorer is code; use pull_request"
    return None


def code_objection(
    policy: TargetPolicy, base: Snapshot, candidate: Snapshot, event: str, *, fork: bool = False
) -> str | None:
    """Why a side's code is not run; None when it may be, or where there is none. `fork`: the candidate is a fork's."""
    if policy.kind not in {"command", "python"}:
        return None
    if event in _PRIVILEGED:
        return f"on {event} no code of the repository is run, and this target is code; use pull_request"
    if fork and event not in _WITHOUT_SECRETS:
        return f"on {event} no code is run for a pull request from a fork, and this target is code; use pull_request"
    if policy.code == "trusted" or (candidate.commit is None and event == "local"):  # one's own working tree
        return None
    ours, theirs = (code_files(side, policy.files) for side in (base, candidate))
    changed = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))
    if not changed:
        return None
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return (
        f"{changed[0]}{more} changed, and a pull request's code is run only where main's policy says code: trusted; "
        "merge that first, or let somebody who has read the code run the gate on their machine"
    )


def _one_deployment(change: SuiteChanges) -> str | None:
    """A service is handed prompt and config; any other file is as it was deployed, on both sides."""
    watched = [file.path for file in change.subject if file.role == "watched file"]
    if not watched:
        return None
    return (
        f"{watched[0]} changed, and the service has one deployment, which does not run it; "
        "judge code with a command or python target"
    )
