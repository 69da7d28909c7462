"""The files that `init` adds to a repository, and whether the config loads with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ci_eval import config as configs
from ci_eval.config import DEFAULT_PATH, Config
from ci_eval.evaluation.suite import check_policy, required_keys
from ci_eval.golden import cases
from ci_eval.scaffold import texts, workflow
from ci_eval.scaffold.choices import CASES, Start
from ci_eval.scaffold.discovery import Found
from ci_eval.snapshot import Entry, Snapshot


@dataclass(frozen=True)
class NewFiles:
    """What `init` writes, and what it leaves as it is."""

    files: Mapping[str, str]
    """Texts by path."""
    kept: tuple[str, ...]
    """Paths that are there already and serve the same purpose."""
    replace: tuple[str, ...]
    """Golden files whose rows only show what a case looks like."""


def new_files(found: Found, start: Start | None, job: workflow.Job | None) -> NewFiles:
    """`start` is None where there is a config already, `job` where no job of the action can judge what it names."""
    wanted = texts.files(start) if start else {}
    have = {path: _instead(path, found.files) for path in wanted}
    files = {path: text for path, text in wanted.items() if have[path] is None}
    kept = dict.fromkeys(path for path in have.values() if path)
    if start is None:
        kept[DEFAULT_PATH] = None
    if found.gates:
        kept[found.gates] = None
    elif workflow.PATH in found.files:
        kept[workflow.PATH] = None
    elif job:
        files[workflow.PATH] = workflow.render(job)
    shown = [suite.cases for suite in start.suites if not suite.starter] if start else []
    replace = tuple(path for path in shown if path in files)
    return NewFiles(files, tuple(kept), replace)


def _instead(path: str, files: Collection[str]) -> str | None:
    """What stands where a file would be written, or, in a folder of golden cases, beside it."""
    if path in files:
        return path
    folder, _, name = path.rpartition("/")
    beside = sorted(other for other in files if other.startswith(f"{folder}/") and other.endswith(".jsonl"))
    return next(iter(beside), None) if name == CASES else None


def with_files(snapshot: Snapshot, files: Mapping[str, str]) -> Snapshot:
    """The snapshot as it will be. The texts go to the object store, as those of every changed file do."""
    blobs = {path: Entry("100644", snapshot.git.write_blob(text.encode())) for path, text in files.items()}
    return Snapshot(snapshot.git, {**snapshot.entries, **blobs}, None)


@dataclass(frozen=True)
class Checked:
    """A config that loads, with all that it names."""

    suites: int
    cases: int


def check(snapshot: Snapshot) -> Checked:
    """What `plan` and `gate` look at before they ask anything; raises InputError with file, line and remedy."""
    config = configs.load(snapshot)
    check_policy(config, snapshot)
    suites = config.policy.suites
    return Checked(
        len(suites), sum(len(cases.load(snapshot, suite.golden_patterns).cases) for suite in suites.values())
    )


def keys_of(config: Config) -> list[str]:
    """What the workflow has to hand on."""
    return sorted(required_keys(config))


def fits_the_action(config: Config) -> bool:
    """Whether its image can judge all suites: it has no packages of the user's, and reaches no service of a step."""
    return all(suite.target.kind == "chat" for suite in config.policy.suites.values())
