"""What strangers can make a workflow do: jobs that check out a pull request beside main's secrets, and pasted texts.

actions/checkout refuses a pull request's head on privileged events by itself, but not where it is told to, not what a
script fetches, and not an artifact that another run made. Those are refused here, in every workflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ci_eval.doctor.findings import Check, Finding, names
from ci_eval.doctor.workflows import PRIVILEGED, Start, Step, Workflows, expressions, references
from ci_eval.text import Untrusted

CHECKOUT = Check(
    "no-unsafe-checkout",
    "workflows",
    "a stranger's pull request is on the disk of a job that holds main's secrets: one script that runs it is enough",
)
PASTED = Check(
    "no-pasted-text",
    "workflows",
    "the title of a pull request, or the name of its branch, becomes a command of the job",
)

_TRUSTED_REF = re.compile(
    r"github\.(?:sha|ref|ref_name|base_ref|workflow_sha|event\.repository\.default_branch"
    r"|event\.pull_request\.base\.(?:sha|ref))",
    re.IGNORECASE,
)
_OTHER_RUN = re.compile(r"\bgh\s+run\s+download\b|/artifacts\b|\bdownloadArtifact\b|\blistWorkflowRunArtifacts\b")
_GITHUB_CLI = re.compile(r"\bgh\s+(?:pr\s+checkout|repo\s+clone)\b|\bhub\s+checkout\b|/(?:tarball|zipball)\b")
_FETCHING = frozenset({"fetch", "pull", "clone"})
_WITH_VALUE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env"})
_STRANGE_ENDS = frozenset(
    {"body", "comment", "commits", "discussion", "display_title", "email", "event", "github", "head", "head_branch"}
    | {"head_commit", "issue", "label", "message", "page_name", "pull_request", "review", "title", "workflow_run"}
)
"""What strangers write, and what holds it."""
_STRANGE_PAIRS = frozenset({"head.ref", "repo.default_branch", "label.name", "author.name", "committer.name"})


def check_strangers(workflows: Workflows) -> Iterator[Finding]:
    found = [*_unsafe(workflows), *_pasted(workflows)]
    yield from found
    every = (".github/workflows",)
    if not any(finding.check is CHECKOUT for finding in found):
        yield CHECKOUT.ok(every, "no privileged workflow brings in a pull request's files")
    if not any(finding.check is PASTED for finding in found):
        yield PASTED.ok(every, "no script has a stranger's text pasted into it")


# --- unsafe checkouts -------------------------------------------------------------------------------------------------


def _unsafe(workflows: Workflows) -> Iterator[Finding]:
    told: set[tuple[str, int, str]] = set()
    for start in workflows.starts:
        privileged = start.on(PRIVILEGED)
        for step in start.job.steps:
            for what, remedy in _ways(step, privileged=privileged):
                place = (step.file, step.line, what)
                if place not in told:
                    told.add(place)
                    about = (*start.about, f", line {step.line}", *_elsewhere(step, start))
                    yield CHECKOUT.problem(about, what, remedy=remedy, refused=True)


def _elsewhere(step: Step, start: Start) -> tuple[str | Untrusted, ...]:
    return () if step.file == start.job.workflow.path else (" of ", Untrusted(step.file))


def _ways(step: Step, *, privileged: bool) -> Iterator[tuple[str, str]]:
    """Each way in which a step brings in what a stranger wrote, and what to do instead."""
    data = "read the head's files as data by their SHA, as ci-eval does, or use pull_request"
    if step.inputs.get("allow-unsafe-pr-checkout") not in {None, False, "false"}:
        yield "allow-unsafe-pr-checkout turns the guard of actions/checkout off", f"remove it; {data}"
    if not privileged:
        return
    if _fetches(step.script):
        yield "a script fetches commits, which no guard looks at", f"remove it; {data}"
    if step.uses.lower().startswith("actions/checkout@") and not _checks_out_main(step):
        yield "the checkout names another commit than the trusted one", f"remove ref: and repository:; {data}"
    if _takes_artifact(step):
        yield "an artifact of another run is downloaded, which a pull request may have made", f"remove it; {data}"


def _checks_out_main(step: Step) -> bool:
    ref, repository = step.inputs.get("ref"), step.inputs.get("repository")
    return _is_trusted(ref) and repository in {None, "", "${{ github.repository }}"}


def _is_trusted(ref: object) -> bool:
    """A ref that is written out, or an expression for main; `refs/pull/…` is neither."""
    if not isinstance(ref, str):
        return ref is None
    return "pull/" not in ref.lower() and all(_TRUSTED_REF.fullmatch(told) for told in expressions(ref))


def _fetches(script: str) -> bool:
    text = script.replace("\\\n", " ")
    return bool(_GITHUB_CLI.search(text)) or any(word in _FETCHING for word in _git_commands(text))


def _git_commands(script: str) -> Iterator[str]:
    """The word after each `git` and its options."""
    words = re.split(r"[\s;&|()`\"'{}]+", script)
    for index, word in enumerate(words):
        if word == "git" or word.endswith("/git"):
            rest = iter(words[index + 1 : index + 40])
            for option in rest:
                if option in _WITH_VALUE:
                    next(rest, None)
                elif not option.startswith("-"):
                    yield option
                    break


def _takes_artifact(step: Step) -> bool:
    action = step.uses.lower().partition("@")[0]
    if action.endswith(("/download-artifact", "/action-download-artifact")):
        return "run-id" in step.inputs or not action.startswith("actions/")
    return bool(_OTHER_RUN.search(step.script))


# --- pasted texts -----------------------------------------------------------------------------------------------------


def _pasted(workflows: Workflows) -> Iterator[Finding]:
    for start in {(s.job.workflow.path, s.job.id): s for s in workflows.starts}.values():
        if not (start.gates or start.remembers or start.on(PRIVILEGED)):
            continue
        found = [text for step in start.job.steps for text in _strange(step.script)]
        if found:
            remedy = 'hand it over in env: and write "$NAME" in the script'
            yield PASTED.problem(start.about, "a script has pasted into it: ", *names(found), remedy=remedy)


def _strange(script: str) -> Iterator[str]:
    for name in references(script):
        parts = name.split(".")
        if parts[0] == "github" and (
            parts[1:] == ["head_ref"]
            or (
                parts[1:2] in ([], ["event"]) and (parts[-1] in _STRANGE_ENDS or ".".join(parts[-2:]) in _STRANGE_PAIRS)
            )
        ):
            yield name
