"""Which two snapshots are compared: base is law, candidate is data."""

from __future__ import annotations

from dataclasses import dataclass

from ci_eval import snapshot
from ci_eval.errors import InputError, UsageError
from ci_eval.git import Git, GitError
from ci_eval.snapshot import Snapshot

_DEFAULT_BRANCHES = (
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "main",
    "refs/remotes/origin/master",
    "master",
)
_FULL_DEPTH = "let actions/checkout fetch everything (fetch-depth: 0), and check out the merge commit (no `ref:`)"


@dataclass(frozen=True)
class Sides:
    """Base is always a commit; the candidate may be a working tree, or a merge that is no commit."""

    base: Snapshot
    candidate: Snapshot


def of_merge_commit(git: Git, merge: str, head: str) -> Sides:
    """A pull request as GitHub merged it: base is the merge's first parent, and its second must be the head.

    Raises InputError when the checkout does not hold the merge or the event speaks of another head.
    """
    try:
        parents = git.parents(merge)
    except GitError:
        raise InputError("the checkout does not hold the pull request's merge commit", remedy=_FULL_DEPTH) from None
    if len(parents) != 2 or parents[1] != head:
        raise InputError("the merge commit does not belong to the pull request's head", remedy=_FULL_DEPTH)
    return Sides(snapshot.at_commit(git, parents[0]), snapshot.at_commit(git, merge))


def of_merge_group(git: Git, base: str, head: str) -> Sides:
    """What a merge queue is about to merge, and the commit that GitHub built it on.

    Raises InputError when the checkout does not show one below the other.
    """
    if base == head or not git.is_ancestor(base, head):
        raise InputError(
            "the checkout does not show that the merge group was built on its base",
            remedy="let actions/checkout fetch everything (fetch-depth: 0), without `ref:`",
        )
    return Sides(snapshot.at_commit(git, base), snapshot.at_commit(git, head))


def of_merge(git: Git, base: str, head: str) -> Sides:
    """The tip of the target branch, and what merging head into it would give; raises MergeConflict."""
    candidate = snapshot.at_tree(git, git.merged_tree(base, head))
    return Sides(snapshot.at_commit(git, base), Snapshot(git, candidate.entries, head))


def on_laptop(git: Git, base_ref: str | None, head_ref: str | None) -> Sides:
    """The merge-base with the default branch (or `base_ref`), and the working tree (or `head_ref`)."""
    head = commit_named(git, "HEAD" if head_ref is None else head_ref)
    base = _merge_base(git, base_commit(git, base_ref), head)
    candidate = snapshot.of_work_tree(git) if head_ref is None else snapshot.at_commit(git, head)
    return Sides(snapshot.at_commit(git, base), candidate)


def base_commit(git: Git, base_ref: str | None) -> str:
    """The tip of the branch that was named, or of the default branch; raises UsageError without one."""
    if base_ref is not None:
        return commit_named(git, base_ref)
    found = next((commit for ref in _DEFAULT_BRANCHES if (commit := git.find(ref))), None)
    if found is None:
        raise UsageError("no main or master branch to compare with; name one with --base")
    return found


def commit_named(git: Git, ref: str) -> str:
    """The commit that a user named; raises UsageError."""
    found = git.find(ref) if ref else None
    if found is None and ref == "HEAD":
        raise UsageError("this repository has no commit yet; commit first")
    if found is None:
        name = ref or "nothing"
        raise UsageError(f"no commit is called {name}; name a branch, a tag or a commit that this clone holds")
    return found


def _merge_base(git: Git, base: str, head: str) -> str:
    try:
        return git.merge_base(base, head)
    except GitError:
        raise UsageError("the two commits share no history; fetch more of it, or name another --base") from None
