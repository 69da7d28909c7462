"""The anchor's run: a fixed commit of the product, judged by today's policy, stored or made now."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from ci_eval import config as configs
from ci_eval.config import Config
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation.base_run import Baselines
from ci_eval.evaluation.full_run import FullRun
from ci_eval.evaluation.screened import refuse_to_show_personal
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Side, Suite
from ci_eval.git import Git
from ci_eval.records import Run
from ci_eval.snapshot import Snapshot, at_commit


def anchor_side(suite: Suite, git: Git) -> Side:
    """The product as it was at a suite's anchor, under the suite's policy of today.

    Raises Inconclusive where this clone does not hold the anchor, InputError where today's golden set does not fit it,
    or it would show personal data that today's policy refuses.
    """
    anchor = suite.policy.anchor
    assert anchor is not None, "the caller has looked"  # noqa: S101
    is_commit = re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", anchor.ref)
    commit = git.find(anchor.ref if is_commit else f"refs/tags/{anchor.ref}")
    if commit is None:
        raise Inconclusive(
            f"suite {suite.name}: its anchor {anchor.ref} is no tag or commit of this checkout; "
            "let actions/checkout fetch everything (fetch-depth: 0), or name another anchor on main"
        )
    at = at_commit(git, commit)
    named_by = _as_it_was(suite, at)
    refuse_to_show_personal(suite.config.policy, named_by or suite.config, at, suite.name)
    return suite.side(at, named_by)


def _as_it_was(suite: Suite, at: Snapshot) -> Config | None:
    """The config of that time, which named the files of that time; None where it is not there or not read any more."""
    with suppress(InputError):
        then = configs.load(at, suite.config.path)
        return then if suite.name in then.policy.suites else None
    return None


def missing_anchors(
    suites: Iterable[Suite], git: Git, baselines: Baselines, session: Session, *, repeats: int
) -> list[tuple[Suite, Run]]:
    """A run of every anchor of which main has none that serves: after a change of the golden set, or by age."""
    found = []
    for suite in suites:
        if suite.policy.anchor:
            side = anchor_side(suite, git)
            if baselines.recall(suite, side, 0)[0] is None:
                run = FullRun(suite, side, session, "anchor").evaluate(suite.golden.cases.values(), repeats)
                found.append((suite, run))
    return found
