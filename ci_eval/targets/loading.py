"""The target of a suite on one side: of the kind that main's policy says, from the files that the side names."""

from __future__ import annotations

from ci_eval.config import Config, Subject
from ci_eval.errors import InputError
from ci_eval.snapshot import Snapshot
from ci_eval.targets import chat, own
from ci_eval.targets.base import Target


def load(snapshot: Snapshot, subject: Subject, main: Config, suite: str) -> Target:
    """Raises InputError with file, line and remedy."""
    policy = main.policy.suites[suite].target
    if policy.kind != "chat":
        return own.load(snapshot, subject, policy)
    if subject.prompt is None or subject.model is None:
        problem = "the target is a prompt and a model on main, and this side names none"
        raise InputError(problem, remedy="merge another kind of target first, by itself", file=main.path)
    return chat.load(snapshot, subject, policy.user, main.policy.providers, main.provider(suite))
