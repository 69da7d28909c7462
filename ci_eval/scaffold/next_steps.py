"""What is left to a person after `init`: settings that no file can make, with the page and the exact names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_eval.config import BaselinePolicy
from ci_eval.scaffold.workflow import CHECK, NO_RELEASE, PATH

_SOMEWHERE = "https://github.com/OWNER/NAME"
_MODELS_TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Step:
    """One thing to do, in the order in which it is done."""

    what: str
    where: str = ""
    """The address of a settings page."""


def site_of(repository: tuple[str, str] | None) -> str:
    """The web address of a repository, by its host and its owner/name."""
    return f"https://{repository[0]}/{repository[1]}" if repository else _SOMEWHERE


def steps(site: str, keys: Sequence[str], action: str | None, cases: Sequence[str]) -> Iterator[Step]:
    """`action`: what the workflow uses, None where it has to be a job of the user's own; `cases`: files to replace."""
    if action is None:
        copied = (
            "a service or code of your own needs a job of its own: examples/rag-service and examples/python-pipeline"
        )
        yield Step(f"Copy a workflow from the examples of ci-eval; {copied} have one.")
    elif action == NO_RELEASE:
        yield Step(f"Name the release that you use in {PATH}: OWNER/ci-eval@ and the commit of its tag.")
    if cases:
        yield Step(f"Replace the cases in {', '.join(cases)} by what your users ask, with what a right answer holds.")
    yield Step(f"Commit, push and merge it. The check {CHECK} of that pull request is red: main has no config yet.")
    for key in keys:
        if key != _MODELS_TOKEN:
            yield Step(f"New repository secret. Name: {key}", f"{site}/settings/secrets/actions/new")
    rules = f"{site}/settings/rules/new?target=branch"
    required = f'"Require status checks to pass": {CHECK}, from GitHub Actions.'
    yield Step(f"New branch ruleset. Target: the default branch. {required}", rules)
    branch = BaselinePolicy().branch
    yield Step(f'New branch ruleset. Target: {branch}. "Restrict deletions" and "Block force pushes".', rules)
    yield Step("Then ask ci-eval doctor whether the gate is in force.")
