"""What stands in the repository and on this machine: the config and all that it names, keys, git, main's memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ci_eval import config
from ci_eval.baseline.store import Store
from ci_eval.config import Config
from ci_eval.doctor.findings import Check, Finding, names
from ci_eval.errors import CiEvalError, InputError
from ci_eval.evaluation.screened import refuse_personal
from ci_eval.evaluation.suite import Suite, required_keys
from ci_eval.git import Git, GitError, Remote
from ci_eval.report.document import Text
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted

CONFIG = Check("config", "set-up", "nothing can be judged")
SUITE = Check("suite", "set-up", "this suite cannot be judged, and every gate of it is red")
DATASETS = Check("datasets", "set-up", "a dataset that the config names by a wrong path is changed unnoticed")
JUDGED = Check(
    "deterministic-scorer", "set-up", "one model alone decides what is merged, and models can be talked into it"
)
KEY = Check("key", "set-up", "nothing can be asked: every gate ends inconclusive")
LOCAL = Check("local-model", "set-up", "the embedded model cannot answer, so every gate ends inconclusive")
GIT = Check("git", "set-up", "base and head cannot be merged for a look at the result")
HISTORY = Check("history", "set-up", "what main was cannot be seen, so its stored runs do not serve")
MEMORY = Check("baseline", "set-up", "main is asked again in every gate, which takes time and money")
REMOTE = Check("remote", "set-up", "whoever reads the clone's settings, or a log of them, has the password")

_LEAST_GIT = (2, 38)
_HERE: Text = ("this machine",)
_CLONE: Text = ("this clone",)


def check_config(snapshot: Snapshot, path: str) -> tuple[Config | None, list[Finding]]:
    """The config, where it loads, and what is to be said of it and of each suite."""
    about = (Untrusted(path),)
    try:
        found = config.load(snapshot, path)
    except InputError as error:
        remedy = "commit it: what is committed counts" if _is_uncommitted(snapshot, path) else error.remedy
        return None, [CONFIG.problem(about, *_told(error), remedy=(Untrusted(remedy),), refused=True)]
    suites = list(found.policy.suites)
    loads = CONFIG.ok(about, f"loads, with {len(suites)} suite{'s' if len(suites) > 1 else ''}")
    return found, [loads, *(finding for name in suites for finding in _suite(found, snapshot, name))]


def _is_uncommitted(snapshot: Snapshot, path: str) -> bool:
    folder = snapshot.git.work_tree
    return path not in snapshot.entries and folder is not None and (folder / path).is_file()


def _told(error: InputError) -> Text:
    where = f", line {error.line}" if error.line else ""
    return (Untrusted(error.file), f"{where}: ", Untrusted(error.problem))


def _suite(found: Config, snapshot: Snapshot, name: str) -> Iterator[Finding]:
    about = (f"suite {name}",)
    try:
        suite = Suite.load(found, snapshot, name)
        refuse_personal(found.policy, found, snapshot, [name])
        suite.side(snapshot)
        scorers = len(suite.bound)
    except InputError as error:
        yield SUITE.problem(about, *_told(error), remedy=(Untrusted(error.remedy),), refused=True)
        return
    cases = len(suite.golden.cases)
    if not cases:
        yield SUITE.problem(about, "has no golden cases", remedy="add some, or correct the pattern under golden:")
    else:
        yield SUITE.ok(about, f"prompt, model, schemas and {cases:,} golden cases load; {scorers} scorers")
    empty = [pattern for pattern in suite.policy.datasets if not snapshot.glob(pattern)]
    if empty:
        yield DATASETS.warning(about, "no file is called ", *names(empty), remedy="correct datasets:, or add the file")
    yield from _judged(suite)


def _judged(suite: Suite) -> Iterator[Finding]:
    """A scorer with a provider asks a model what it thinks; all others compute."""
    about = (f"suite {suite.name}",)
    asking = dict.fromkeys(suite.scorers.dimensions(), True)
    for scorer in suite.scorers.all():
        asking[scorer.dimension] &= scorer.policy.asks() is not None
    alone = [dimension for dimension, asks in asking.items() if asks]
    if not alone:
        yield JUDGED.ok(about, "every dimension has a scorer that asks no model")
        return
    remedy = "add a scorer that computes beside it (exact, json_schema, contains, regex, refusal)"
    yield JUDGED.warning(about, "only a model scores ", *names(alone), remedy=remedy)


# --- keys and the local model -----------------------------------------------------------------------------------------


def check_keys_here(found: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each key is there. Nothing else is ever said of one."""
    for name in sorted(required_keys(found)):
        if environ.get(name, "").strip():
            yield KEY.ok(_HERE, f"{name} is set")
        else:
            yield KEY.warning(
                _HERE, f"{name} is not set", remedy="set it to ask models here; a job has it from its secrets"
            )


def check_local_model(found: Config) -> Iterator[Finding]:
    if not _uses_local_model(found):
        return
    try:
        from ci_eval.providers.minilm import find_folder  # noqa: PLC0415 - numpy only where it is used

        find_folder()
    except InputError as error:
        yield LOCAL.problem(_HERE, error.problem, remedy=error.remedy)
    else:
        yield LOCAL.ok(_HERE, "the local model is installed")


def _uses_local_model(found: Config) -> bool:
    scorers = [scorer for suite in found.policy.suites.values() for scorer in suite.scorers]
    embeds = any(scorer.get("type") == "similarity" and "provider" not in scorer for scorer in scorers)
    return embeds or any(provider.api == "local" for provider in found.policy.providers.values())


# --- git --------------------------------------------------------------------------------------------------------------


def check_clone(git: Git, branch: str | None) -> Iterator[Finding]:
    """`branch`: where the baselines are, where the config says it."""
    yield _version(git)
    if git.run("rev-parse", "--is-shallow-repository").strip() == b"true":
        yield HISTORY.warning(_CLONE, "its history is cut (shallow)", remedy="git fetch --unshallow")
    else:
        yield HISTORY.ok(_CLONE, "has the whole history")
    if branch:
        yield _memory(git, branch)


def _version(git: Git) -> Finding:
    found = re.search(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.[0-9]{1,4})?", git.run("version").decode("ascii", "replace"))
    if found and (int(found[1]), int(found[2])) >= _LEAST_GIT:
        return GIT.ok(_HERE, f"git {found[0]}")
    least = ".".join(map(str, _LEAST_GIT))
    version = found[0] if found else "of an unknown version"
    return GIT.problem(_HERE, f"git {version} is too old", remedy=f"install git {least} or newer")


def _memory(git: Git, branch: str) -> Finding:
    """What commands on a laptop read: the branch of the clone itself."""
    if git.find(f"refs/heads/{branch}") is None:
        fetch = f"git fetch origin {branch}:{branch} (main's job makes it at its first push)"
        return MEMORY.warning(_CLONE, f"has no branch {branch}", remedy=fetch)
    try:
        stored = Store(Remote(str(git.git_dir.resolve()), protocols="file"), branch).paths()
    except CiEvalError:
        return MEMORY.problem(_CLONE, f"its branch {branch} cannot be read", remedy="fetch it again")
    if not stored:
        return MEMORY.warning(_CLONE, f"its branch {branch} holds no runs", remedy="ci-eval baseline update")
    return MEMORY.ok(_CLONE, f"its branch {branch} holds {len(stored):,} stored run{'s' if len(stored) > 1 else ''}")


# --- which repository -------------------------------------------------------------------------------------------------

_HTTPS = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+(?::[0-9]{1,5})?)/(?P<path>[^?#@]+)")
_SSH = re.compile(
    r"(?:ssh://git@(?P<host>[A-Za-z0-9.-]+)(?::[0-9]{1,5})?/|git@(?P<short>[A-Za-z0-9.-]+):)(?P<path>[^?#@:]+)"
)


def origin_url(git: Git) -> str | None:
    """The address of the remote `origin`; it may hold a password, so it is never shown."""
    try:
        return git.run("config", "--get", "remote.origin.url").decode("utf-8", "replace").strip()
    except GitError:
        return None


def check_remote(url: str | None) -> Iterator[Finding]:
    if url and re.match(r"https?://[^/]*@", url):
        remedy = "git remote set-url origin https://HOST/OWNER/NAME, change the password, use a credential helper"
        yield REMOTE.problem(_CLONE, "the address of origin holds a user name or a password", remedy=remedy)


def repository_of(url: str) -> tuple[str, str] | None:
    """Host, and owner/name, of a remote's address; None where it is not of a form that is known for certain."""
    match = _HTTPS.fullmatch(url) or _SSH.fullmatch(url)
    if match is None:
        return None
    groups = match.groupdict()
    host = groups.get("host") or groups.get("short") or ""
    return host.lower(), groups["path"].removesuffix("/").removesuffix(".git")
