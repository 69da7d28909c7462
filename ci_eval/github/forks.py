"""Pull requests from people who may not push here: what is read of them, who lets them in, and why there is no key.

The job of `pull_request_target` holds main's secrets and is started by anybody who opens a pull request, whatever the
repository's approval setting says. So ci-eval looks for itself: main's commit must be what is checked out, and a person
must have approved this run. A head is fetched by its SHA, as objects; it never becomes a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ci_eval import sides
from ci_eval.config import Config
from ci_eval.errors import CiEvalError, Inconclusive, InputError, MissingKey
from ci_eval.git import Git, GitError
from ci_eval.github import caps, runs
from ci_eval.github.client import GitHub, GitHubUnavailable
from ci_eval.github.event import GatePull, GatePullAsData
from ci_eval.github.workplace import Workplace
from ci_eval.sides import Sides

_APPROVE = (
    "make an environment with required reviewers (Settings → Environments), name it in the job as `environment:`, "
    "and let a reviewer approve the run"
)


def anybody(main: Config) -> None:
    """Whoever starts this job may."""


@dataclass(frozen=True)
class Terms:
    """On what terms a pull request is judged."""

    fork: bool = False
    """Whether its head is another repository's, or nobody's any more."""
    admit: Callable[[Config], None] = anybody
    """Told main's policy before a key is read; raises where this job may not ask a model."""
    without_key: str | None = None
    """What to do where GitHub gives this pull request no key; None where it does."""

    def explain(self, error: CiEvalError) -> CiEvalError:
        """The same error, and for a key that GitHub keeps back what a maintainer can do."""
        if self.without_key and isinstance(error, MissingKey):
            return Inconclusive(f"{error.name} is not set, because {self.without_key}")
        return error


ANYBODY = Terms()


def terms(place: Workplace, pull: GatePull | GatePullAsData) -> Terms:
    """A head that is data waits for an approval, also where it is no fork's: whoever can push has `pull_request`."""
    if isinstance(pull, GatePullAsData):
        return Terms(pull.fork, partial(_admit, place, pull))
    return Terms(pull.fork, partial(caps.hold, place), without_key(pull))


def _admit(place: Workplace, pull: GatePullAsData, main: Config) -> None:
    admit_approved(place, pull)
    caps.hold(place, main)


# --- what is checked out, and what is read ----------------------------------------------------------------------------


def heads(place: Workplace, base_ref: str, head_sha: str) -> Sides:
    """The tip of the target branch and its merge with a head; both are fetched as objects. Raises MergeConflict."""
    git = place.git()
    try:
        git.fetch(place.remote(), [f"+refs/heads/{base_ref}:refs/ci-eval/base", head_sha])
    except GitError as error:
        raise Inconclusive(f"the pull request's commits cannot be fetched: {error}") from None
    return sides.of_merge(git, git.commit("refs/ci-eval/base"), head_sha)


def heads_beside_main(place: Workplace, base_ref: str, head_sha: str) -> Sides:
    """The same, in a job with secrets; raises InputError for any checkout but the workflow's own commit."""
    refuse_other_checkout(place.checkout(), place.environment.sha, head_sha)
    return heads(place, base_ref, head_sha)


def refuse_other_target(place: Workplace, pull: GatePullAsData) -> None:
    """Raises Inconclusive unless the pull request is into the branch that the workflow comes from.

    Whoever opens it chooses the target, and its policy says where keys go: others may write to another branch, without
    anybody's review.
    """
    if place.environment.ref.text() != f"refs/heads/{pull.base_ref}":
        raise Inconclusive(
            "the pull request is into another branch than the one that this workflow comes from, whose policy is the "
            f"only one to hold here; start the workflow with pr-number {pull.number} (Actions → Run workflow)"
        )


def refuse_other_checkout(checkout: Git, trusted: str, head: str) -> None:
    """Raises InputError unless HEAD is the trusted commit: neither a pull request's head nor a merge of it."""
    here = checkout.find("HEAD")
    if here == trusted and here != head and head not in checkout.parents(here):
        return
    raise InputError(
        "the checkout is not the commit that this workflow comes from: a pull request's files may lie beside secrets",
        remedy="check out with actions/checkout and no `ref:`; ci-eval fetches the pull request itself, as data",
    )


# --- who lets it in ---------------------------------------------------------------------------------------------------


def admit_approved(place: Workplace, pull: GatePullAsData) -> None:
    """Raises Inconclusive unless a person approved this run, and the pull request is still what was approved."""
    with place.github() as github:
        try:
            _need_approval(github, place.environment.run_id)
            _need_unmoved(github, pull)
        except GitHubUnavailable as error:
            raise Inconclusive(
                f"GitHub does not say whether somebody approved this run ({error.in_short}), so nothing was asked; "
                "give the job `permissions: actions: read` and `pull-requests: write`, or run it again"
            ) from None


def _need_approval(github: GitHub, run_id: int) -> None:
    """An approval is of a run, whose head never changes. GitHub does not say of which attempt it was.

    So the environment must ask for reviewers now as well: then it did for this attempt.
    """
    approved = {
        environment.name
        for review in runs.reviews(github, run_id)
        if review.approved_by_a_person
        for environment in review.environments
    }
    if not approved:
        raise Inconclusive(f"a maintainer must approve this run, and nobody has; {_APPROVE}")
    if not any(runs.requires_reviewers(github, name) for name in sorted(approved)):
        raise Inconclusive(f"no environment that this run was approved for has required reviewers now; {_APPROVE}")


def _need_unmoved(github: GitHub, pull: GatePullAsData) -> None:
    now = github.pull(pull.number)
    if now.state != "open":
        raise Inconclusive("the pull request was closed meanwhile; nothing was asked")
    if (now.head_sha, now.base_ref) != (pull.head_sha, pull.base_ref):
        raise Inconclusive(
            "superseded: the pull request has another head or target branch by now; approve the run of its newest push"
        )


# --- why there is no key ----------------------------------------------------------------------------------------------


def without_key(pull: GatePull) -> str | None:
    """Whether GitHub keeps secrets from this pull request's run, and what to do about it.

    By its head's repository and its author; who started the run, or pushed last, says nothing.
    """
    if pull.fork:
        return (
            "GitHub gives no secrets to a pull request from a fork: a maintainer must approve it; "
            f"start the workflow with pr-number {pull.number} (Actions → Run workflow), or set up pull_request_target "
            "behind an environment with required reviewers (docs/github.md)"
        )
    if pull.by_dependabot:
        return (
            "GitHub gives Dependabot's pull requests its own secrets only: a maintainer must approve it; "
            f"start the workflow with pr-number {pull.number} (Actions → Run workflow), or add the key under "
            "Settings → Secrets and variables → Dependabot"
        )
    return None
