"""The jobs that use ci-eval: whether their checks can be trusted to run, and to say what they found."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from ci_eval.doctor.findings import Check, Finding, names
from ci_eval.doctor.workflows import ON_PULL_REQUESTS, PULLED, Start, Workflows
from ci_eval.text import Untrusted

READABLE = Check("workflow-readable", "workflows", "what is not read here may do anything")
GATED = Check("gate-job", "workflows", "without a job that answers pull requests nothing is judged")
FILTERS = Check("no-filters", "workflows", "a workflow that a filter skips leaves its required check pending for ever")
RETARGETED = Check(
    "retargeted", "workflows", "a pull request that gets another target branch keeps the check that was for the old one"
)
QUEUE = Check("merge-group", "workflows", "in a merge queue the required check never comes, or nothing is judged there")
SKIPPED = Check(
    "never-skipped", "workflows", "GitHub counts a skipped job as a success: the pull request may be merged"
)
STEP = Check("verdict-counts", "workflows", "the check is green whatever the gate says")
NAME = Check("check-name", "workflows", "a required check is found by its exact name, whichever job reports it")
PINNED = Check(
    "pinned", "workflows", "a tag or branch can be moved: the next run executes somebody else's code beside the keys"
)
RELEASED = Check("release-named", "workflows", "GitHub finds no such action: the check is red, and nothing is judged")
OWN_ACTION = Check(
    "own-action", "workflows", "a pull request can bring a gate that lets it pass, and run it beside the keys"
)
PERMISSIONS = Check("least-permissions", "workflows", "whoever gets hold of the job's token can change the repository")
CREDENTIALS = Check("no-credentials", "workflows", "whatever runs in the job, or gets its folder, finds the token")
DEPTH = Check("fetch-depth", "workflows", "the gate cannot see what main was, and cannot use what it remembers")
TIME = Check("timeout", "workflows", "a job that hangs holds the pull request for six hours")
CONCURRENCY = Check("concurrency", "workflows", "runs for commits that nobody waits for any more are paid for")

_SHA = re.compile(r"[^@\s]+@[0-9a-f]{40}")
_NO_COMMIT = f"@{'0' * 40}"
_DIGEST = re.compile(r"docker://[^@\s]+@sha256:[0-9a-f]{64}")
_SWALLOWS = re.compile(r"\|\|\s*(?:true\b|:(?:\s|$)|exit\s+0\b)|(?:^|[;\n])[ \t]*set[ \t]+\+e\b")
_PR_TYPES = ("opened", "synchronize", "reopened")
_READING = {"read", "none"}


def check_workflows(workflows: Workflows) -> Iterator[Finding]:
    """Everything about the jobs that use ci-eval."""
    yield from _unreadable(workflows)
    if not workflows.gates:
        yield _no_gate(workflows)
    for start in workflows.gates:
        yield from _gate(start, workflows)
    using = [start for start in workflows.starts if start.gates or start.remembers]
    for path in dict.fromkeys(job.workflow.path for start in using for job in start.chain):
        yield from _pinned(path, workflows)
    for start in using:
        yield from _any(start)


def _unreadable(workflows: Workflows) -> Iterator[Finding]:
    for error in workflows.unreadable:
        where = (Untrusted(error.file),)
        line = f"line {error.line}: " if error.line else ""
        fact = ("this workflow could not be read: ", line, Untrusted(error.problem))
        yield READABLE.unknown(where, *fact, remedy=(Untrusted(error.remedy), ", or look at it by hand"))


def _no_gate(workflows: Workflows) -> Finding:
    about, remedy = (".github/workflows",), "add the workflow of docs/github.md"
    if workflows.unreadable:
        return GATED.unknown(about, "no job that answers pull requests with ci-eval was found", remedy=remedy)
    return GATED.problem(about, "no job answers pull requests with ci-eval", remedy=remedy)


# --- a gate -----------------------------------------------------------------------------------------------------------


def _gate(start: Start, workflows: Workflows) -> Iterator[Finding]:
    yield _filters(start)
    yield from _retargeted(start)
    yield _queue(start)
    yield _verdict_counts(start)
    yield _skipped(workflows.reporter(start), workflows)
    yield _name(workflows.reporter(start), workflows)
    if any(step.gates and step.uses.startswith("./") for step in start.job.steps):
        fact, remedy = (
            "the gate itself is taken from the checkout",
            "use ci-eval by its repository and a full commit SHA",
        )
        yield OWN_ACTION.warning(start.about, fact, remedy=remedy)


def _filters(start: Start) -> Finding:
    for event in _pulled(start):
        filters = start.events[event]
        found = sorted({"paths", "paths-ignore"} & filters.keys())
        if found:
            fact = f"{event} is filtered by {' and '.join(found)}"
            return FILTERS.problem(start.about, fact, remedy="remove the filter: ci-eval decides inside, in a second")
        missing = [name for name in _PR_TYPES if name not in _types(filters)]
        if missing:
            fact = f"{event} does not run on {', '.join(missing)}"
            return FILTERS.problem(start.about, fact, remedy=f"remove types, or add {', '.join(missing)}")
    return FILTERS.ok(start.about, "no filter keeps the check from being reported")


def _pulled(start: Start) -> list[str]:
    """The events of pull requests that this job answers."""
    return [event for event in PULLED if event in start.events and start.runs(event) is not False]


def _types(filters: Mapping[str, object]) -> Collection[object]:
    """What the event is narrowed to; without `types:` it is what GitHub takes then."""
    types = filters.get("types")
    return _PR_TYPES if types is None else types if isinstance(types, list) else [types]


def _retargeted(start: Start) -> Iterator[Finding]:
    """GitHub keeps a check by its commit, and tells of another target branch by `edited`, which has to be asked for."""
    asked = _pulled(start)
    deaf = [event for event in asked if "edited" not in _types(start.events[event])]
    if deaf:
        remedy = f"write types: [{', '.join((*_PR_TYPES, 'edited'))}], and others that you need"
        yield RETARGETED.problem(start.about, f"{' and '.join(deaf)} does not run on edited", remedy=remedy)
    elif asked:
        yield RETARGETED.ok(start.about, "another target branch is judged anew (edited)")


def _queue(start: Start) -> Finding:
    if start.on(("merge_group",)):
        return QUEUE.ok(start.about, "runs in a merge queue")
    fact = "does not run on merge_group"
    return QUEUE.warning(start.about, fact, remedy="add merge_group: to the workflow's on: (needed with a merge queue)")


def _skipped(start: Start, workflows: Workflows) -> Finding:
    """`pull_request_target` is there for forks, whose pull requests another job may then leave to it."""
    apart = any(gate.on(("pull_request_target",)) for gate in workflows.gates)
    forks = {"pull_request_target": True, "pull_request": False if apart else None}
    events = [event for event in ON_PULL_REQUESTS if event in start.events]
    doubtful = [event for event in events if start.runs(event, forks.get(event)) is not True]
    if not doubtful:
        return SKIPPED.ok(start.about, "nothing skips this job")
    why = " and ".join(key for key in ("needs", "if") if any(key in job.body for job in start.chain))
    fact = f"{why} may skip this job on {', '.join(doubtful)}"
    remedy = "leave them out, or write if: always() and let the job fail by itself"
    return SKIPPED.problem(start.about, fact, remedy=remedy)


def _verdict_counts(start: Start) -> Finding:
    gates = [step for step in start.job.steps if step.gates]
    forgiving = [*(job.body for job in start.chain), *(step.body for step in gates)]
    if any(body.get("continue-on-error") not in {None, False} for body in forgiving):
        return STEP.problem(start.about, "continue-on-error lets a regression pass", remedy="remove it")
    if any(_SWALLOWS.search(step.script) for step in gates if not step.is_action):
        fact = "the script goes on after the gate has failed"
        return STEP.problem(start.about, fact, remedy="let the step end with the gate's exit code")
    if any(step.body.get("if") not in {None, True, "always()", "${{ always() }}"} for step in gates):
        return STEP.problem(start.about, "an if: may skip the gate's step", remedy="remove the step's if:")
    return STEP.ok(start.about, "the job fails where the gate fails")


def _name(start: Start, workflows: Workflows) -> Finding:
    name = start.check_name
    if name is None:
        fact = "the check's name depends on the run (a matrix, or ${{ }})"
        return NAME.problem(start.about, fact, remedy="give the job one constant name:, without a matrix")
    others = [other for other in workflows.by_check[name] if other is not start]
    if others:
        places = names(f"{other.job.workflow.path} ({other.job.id})" for other in others)
        told = ("its check ", Untrusted(name), " is also reported by ", *places)
        return NAME.problem(start.about, *told, remedy="give every other job another name")
    return NAME.ok(start.about, "reports the check ", Untrusted(name), ", alone")


# --- any job that uses ci-eval ----------------------------------------------------------------------------------------


def _any(start: Start) -> Iterator[Finding]:
    yield _permissions(start)
    yield from _checkouts(start)
    if start.job.body.get("timeout-minutes") is None:
        yield TIME.warning(start.about, "has no timeout-minutes", remedy="write timeout-minutes: 15")
    else:
        yield TIME.ok(start.about, "ends by itself (timeout-minutes)")
    if start.gates:
        yield _concurrency(start)


def _permissions(start: Start) -> Finding:
    given = next(_given(start), None)
    if given is None:
        fact, remedy = "its token has whatever the repository's default is", "write permissions: {} on top of the file"
        return PERMISSIONS.warning(start.about, fact, remedy=f"{remedy}, and what a job needs in the job")
    allowed, needed = _GATE_MAY if start.gates else _MAIN_MAY
    strong = sorted(_written(given) - allowed)
    if strong:
        return PERMISSIONS.problem(start.about, "its token may write ", *names(strong), remedy=f"leave {needed}")
    return PERMISSIONS.ok(start.about, "its token may do what is needed, and no more")


_GATE_MAY = (frozenset({"pull-requests"}), "contents: read and pull-requests: write")
_MAIN_MAY = (frozenset({"contents", "issues"}), "contents: write and issues: write")


def _given(start: Start) -> Iterator[object]:
    """Permissions from the nearest to the farthest: the nearest that are written count."""
    for job in reversed(start.chain):
        yield from (body["permissions"] for body in (job.body, job.workflow.body) if "permissions" in body)


def _written(permissions: object) -> set[str]:
    if isinstance(permissions, dict):
        return {name for name, right in permissions.items() if right not in _READING}
    return set() if permissions in {None, "read-all"} else {"everything"}


def _checkouts(start: Start) -> Iterator[Finding]:
    found = [step for step in start.job.steps if step.uses.lower().startswith("actions/checkout@")]
    if not found:
        return
    if any(step.inputs.get("persist-credentials") not in {False, "false"} for step in found):
        fact = "the checkout leaves the job's token on the disk"
        yield CREDENTIALS.problem(start.about, fact, remedy="write persist-credentials: false in its with:")
    else:
        yield CREDENTIALS.ok(start.about, "the checkout leaves no token behind")
    if any(step.gates for step in start.job.steps):
        yield _depth(start, {str(step.inputs.get("fetch-depth", 1)) for step in found})


def _depth(start: Start, depths: set[str]) -> Finding:
    if "0" in depths:
        return DEPTH.ok(start.about, "checks out the whole history")
    fact = "the checkout is cut: whether a stored run of main is an ancestor cannot be seen"
    if "2" in depths:
        return DEPTH.warning(start.about, fact, remedy="write fetch-depth: 0")
    return DEPTH.problem(start.about, "the checkout holds no parent of the merge commit", remedy="write fetch-depth: 0")


def _concurrency(start: Start) -> Finding:
    if any("concurrency" in body for job in start.chain for body in (job.body, job.workflow.body)):
        return CONCURRENCY.ok(start.about, "runs of one pull request do not pile up (concurrency)")
    remedy = "write concurrency: with a group by pull request and cancel-in-progress: true"
    return CONCURRENCY.warning(start.about, "a new push does not end the run for the old one", remedy=remedy)


# --- a workflow that holds one ----------------------------------------------------------------------------------------


def _pinned(path: str, workflows: Workflows) -> Iterator[Finding]:
    """Of all its jobs, since they share a cache and artifacts."""
    about = (Untrusted(path),)
    jobs = [job for job in workflows.jobs if job.workflow.path == path]
    found = [use for job in jobs for use in (job.uses, *(step.uses for step in job.steps)) if use]
    floating = [use for use in found if not _is_pinned(use)]
    if floating:
        remedy = "write the full commit SHA behind the @ (behind docker://, the digest)"
        yield PINNED.problem(about, "not pinned: ", *names(floating), remedy=remedy)
    else:
        yield PINNED.ok(about, "every action is pinned")
    unnamed = [use for use in found if use.endswith(_NO_COMMIT)]
    if unnamed:
        remedy = "write the release that you use: its owner, and the commit of its tag"
        yield RELEASED.warning(about, "a placeholder stands where a commit has to: ", *names(unnamed), remedy=remedy)


def _is_pinned(use: str) -> bool:
    return use.startswith("./") or bool(_DIGEST.fullmatch(use) or _SHA.fullmatch(use))
