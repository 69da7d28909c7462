"""`pii: refuse`: no personal data in what a model is asked, shown or taught."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ci_eval.config import Config, Policy
from ci_eval.datasets.rows import READABLE
from ci_eval.golden.screening import refuse
from ci_eval.reader import each_row
from ci_eval.snapshot import Snapshot


def refuse_personal(law: Policy, config: Config, snapshot: Snapshot, suites: Iterable[str]) -> None:
    """Where a policy says so, looks through golden sets, few-shot examples and datasets as a config names them.

    Raises InputError at the first row that holds personal data.
    """
    for suite in suites if law.pii == "refuse" else ():
        _refuse([*asked_files(config, snapshot, suite), *taught_files(config, snapshot, suite)], snapshot)


def refuse_to_send_personal(config: Config, snapshot: Snapshot, suite: str) -> None:
    """The same, for what a provider would be told of one suite by its own policy."""
    if config.policy.pii == "refuse":
        _refuse(asked_files(config, snapshot, suite), snapshot)


def refuse_to_show_personal(law: Policy, config: Config, snapshot: Snapshot, suite: str) -> None:
    """The same for few-shot examples alone, where cases are another snapshot's: an anchor's, or of a removed suite."""
    if law.pii == "refuse":
        _refuse(_shown(config, snapshot, suite), snapshot)


def asked_files(config: Config, snapshot: Snapshot, suite: str) -> list[str]:
    """The files of a suite whose rows are sent: golden cases and few-shot examples."""
    golden = (path for pattern in config.policy.suites[suite].golden_patterns for path in snapshot.glob(pattern))
    return list(dict.fromkeys([*golden, *_shown(config, snapshot, suite)]))


def _shown(config: Config, snapshot: Snapshot, suite: str) -> list[str]:
    examples = config.subject(suite).examples
    return [examples.from_] if examples and snapshot.has(examples.from_) else []


def taught_files(config: Config, snapshot: Snapshot, suite: str) -> list[str]:
    """Its fine-tune datasets."""
    patterns = config.policy.suites[suite].datasets
    found = dict.fromkeys(path for pattern in patterns for path in snapshot.glob(pattern))
    return [path for path in found if path.endswith(READABLE)]


def _refuse(paths: Iterable[str], snapshot: Snapshot) -> None:
    for path in paths:
        _look_through(snapshot.read(path), path)


@lru_cache(maxsize=16)  # main's law and the pull request's may both ask; a refusal is not remembered
def _look_through(data: bytes, path: str) -> None:
    refuse(each_row(data, path))
