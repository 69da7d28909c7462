"""What only the repository's settings can give, judged by what GitHub's API says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ci_eval.doctor.branches import keeps_out
from ci_eval.doctor.findings import Check, Finding, names
from ci_eval.doctor.owners import Owners
from ci_eval.doctor.workflows import FOLDER, PULLED, Start
from ci_eval.errors import InputError
from ci_eval.github.repository import (
    About,
    Branch,
    OwnersProblems,
    Protection,
    Protections,
    Rule,
    TokenDefault,
    Unseen,
)
from ci_eval.report.document import Text
from ci_eval.text import Untrusted

SEEN = Check("github", "protections", "a protection that nobody has seen may be off")
REQUIRED = Check(
    "required-check", "protections", "a red gate stops nobody: the pull request can be merged all the same"
)
REACHED = Check(
    "reaches-main", "protections", "a required check that never comes leaves every pull request pending for ever"
)
SOURCE = Check("check-source", "protections", "anyone who may push can set a status of that name from elsewhere")
GUARD = Check(
    "guarded-gate", "protections", "a pull request can replace the gate's job by one of the same name that is green"
)
OWNED = Check(
    "code-owners", "protections", "golden set, config and workflows can be changed without those who answer for them"
)
QUEUED = Check("merge-queue", "protections", "in a merge queue the required check never comes")
BASELINE = Check("baseline-branch", "protections", "who may push there can replace what main is remembered by")
DEFAULT = Check("default-token", "protections", "a job that says nothing of permissions gets a token that writes")
REVIEWED = Check(
    "reviewed-environment", "protections", "a stranger's pull request gets the keys without anybody's consent"
)

_ACTIONS_APP = 15_368
"""Of GitHub Actions on github.com; another server has another number."""
_GITHUB = "https://api.github.com"
_NEW_WORKFLOW = f"{FOLDER}/a-new-workflow.yml"
_BARS = {"deletion": "deletion", "non_fast_forward": "force pushes", "update": "pushes"}
_RULES = "Settings → Rules"


@dataclass(frozen=True)
class Seen:
    """Everything that was asked, as it was answered."""

    repository: str
    api_url: str
    about: About
    rules: Sequence[Rule] | Unseen
    branch: Branch | Unseen
    protection: Protection | Unseen
    token_default: TokenDefault | Unseen
    owners_problems: OwnersProblems | Unseen
    baseline: str | None
    """The branch of main's stored runs; None where no config names it."""
    baseline_rules: Sequence[Rule] | Unseen
    baseline_protection: Protection | Unseen
    environments: Mapping[str, bool | Unseen]


def look(asked: Protections, baseline: str | None, environments: Iterable[str]) -> Seen | Unseen:
    """Ask GitHub for all of it; Unseen where not even the repository is to be seen."""
    about = asked.about()
    if isinstance(about, Unseen):
        return about
    branch = asked.branch(about.default_branch)
    return Seen(
        repository=asked.github.repository,
        api_url=asked.github.api_url,
        about=about,
        rules=asked.rules(about.default_branch),
        branch=branch,
        protection=_protection(asked, about.default_branch, branch),
        token_default=asked.token_default(),
        owners_problems=asked.owners_problems(),
        baseline=baseline,
        baseline_rules=asked.rules(baseline) if baseline else (),
        baseline_protection=_protection(asked, baseline, asked.branch(baseline)) if baseline else _OPEN,
        environments={name: asked.is_reviewed(name) for name in environments},
    )


def _protection(asked: Protections, name: str, branch: Branch | Unseen) -> Protection | Unseen:
    """A branch that is not protected, or not there, has no protection of the older kind: nothing to be asked for."""
    if isinstance(branch, Unseen):
        return _OPEN if branch.status == 404 else branch
    return asked.protection(name) if branch.protected else _OPEN


_OPEN = Protection.model_validate({"allow_force_pushes": {"enabled": True}, "allow_deletions": {"enabled": True}})


def unseen(why: str, remedy: str) -> Finding:
    """None of it could be asked."""
    return SEEN.unknown(("the repository on GitHub",), why, remedy=remedy)


def check_protections(seen: Seen, gates: Sequence[Start], owners: Owners | None) -> Iterator[Finding]:
    main: Text = ("branch ", Untrusted(seen.about.default_branch))
    reaching = [start for start in gates if _reaches(start, seen.about.default_branch)]
    for name in dict.fromkeys(start.check_name for start in reaching or gates if start.check_name):
        yield from _required(seen, main, name, [start for start in gates if start.check_name == name])
    yield from _reached(seen, gates, reaching)
    yield _guard(seen, main, gates, owners)
    yield from _owners(seen, owners)
    yield from _queue(seen, main, gates)
    if seen.baseline:
        yield _baseline(seen, ("branch ", seen.baseline))
    yield _token(seen)
    for environment, found in seen.environments.items():
        yield _environment(environment, found)


# --- the required check -----------------------------------------------------------------------------------------------


def _required(seen: Seen, main: Text, name: str, gates: Sequence[Start]) -> Iterator[Finding]:
    apps = [app for context, app in _required_checks(seen) if context == name]
    if apps:
        yield REQUIRED.ok(main, "the check ", Untrusted(name), " is required")
        # Required twice it has to satisfy both, so the narrower one counts.
        yield _source(seen, main, name, next((app for app in apps if app is not None and app >= 0), None))
    elif _required_workflows(seen.rules) & {start.chain[0].workflow.path for start in gates}:
        yield REQUIRED.ok(main, "the gate's workflow is required")
    elif isinstance(seen.rules, Unseen) or isinstance(seen.branch, Unseen):
        yield REQUIRED.unknown(main, "required checks could not all be seen", remedy=_MORE)
    else:
        fact = ("the check ", Untrusted(name), " is not required")
        remedy = ("require it: ", _RULES, ", Require status checks to pass, ", Untrusted(name), " from GitHub Actions")
        yield REQUIRED.problem(main, *fact, remedy=remedy)


def _reached(seen: Seen, gates: Sequence[Start], reaching: Sequence[Start]) -> Iterator[Finding]:
    """Of gates that answer no pull request into main, those that main waits for."""
    main, required = seen.about.default_branch, {context for context, _ in _required_checks(seen)}
    for start in gates:
        kept = [event for event in PULLED if keeps_out(start.events.get(event, {}), main)]
        if kept and (start.check_name in required or not reaching):
            fact = (f"{' and '.join(kept)} is filtered by branches, and ", Untrusted(main), " is kept out")
            yield REACHED.problem(start.about, *fact, remedy=("write branches: [", Untrusted(main), "]"))


def _reaches(start: Start, main: str) -> bool:
    return any(event in start.events and not keeps_out(start.events[event], main) for event in PULLED)


_MORE = "give a token of an admin with administration: read (GITHUB_TOKEN=$(gh auth token))"


def _required_checks(seen: Seen) -> Iterator[tuple[str, int | None]]:
    """Names and the app that each is expected from; rules of both kinds."""
    if isinstance(seen.branch, Branch) and (old := seen.branch.protection.required_status_checks):
        yield from ((check.context, check.app_id) for check in old.checks if old.enforcement_level != "off")
    for rule in _of_type(seen.rules, "required_status_checks"):
        listed = rule.parameters.get("required_status_checks")
        for check in listed if isinstance(listed, list) else ():
            if isinstance(check, dict) and isinstance(check.get("context"), str):
                app = check.get("integration_id")
                yield check["context"], app if isinstance(app, int) else None


def _source(seen: Seen, main: Text, name: str, app: int | None) -> Finding:
    if app is None:
        remedy = f"{_RULES}: choose GitHub Actions as the check's source instead of any"
        return SOURCE.warning(main, "the check ", Untrusted(name), " is taken from any app", remedy=remedy)
    if seen.api_url == _GITHUB and app != _ACTIONS_APP:
        remedy = f"{_RULES}: choose GitHub Actions as the check's source"
        return SOURCE.problem(main, "the check ", Untrusted(name), f" is expected from app {app}", remedy=remedy)
    return SOURCE.ok(main, "the check ", Untrusted(name), " counts from one app only; all workflows share it")


# --- who may change the gate ------------------------------------------------------------------------------------------


def _guard(seen: Seen, main: Text, gates: Sequence[Start], owners: Owners | None) -> Finding:
    paths = {start.chain[0].workflow.path for start in gates}
    if paths and paths <= _required_workflows(seen.rules):
        return GUARD.ok(main, "a ruleset runs the gate's workflow (require workflows to pass)")
    owned = owners is not None and not owners.without([*paths, _NEW_WORKFLOW])
    if owned and _asks_owners(seen):
        return GUARD.ok(main, "code owners must agree to a change of a workflow")
    if owned and (isinstance(seen.rules, Unseen) or isinstance(seen.protection, Unseen)):
        return GUARD.unknown(main, "whether code owners must agree cannot be seen with this token", remedy=_MORE)
    what = "nobody has to agree to" if _asks_owners(seen) or not owned else "code owners need not agree to"
    remedy = f"own .github/ in CODEOWNERS and, under {_RULES}, Require review from Code Owners"
    if seen.about.owner.type == "Organization":
        remedy += "; or a ruleset of the organization: Require workflows to pass"
    return GUARD.problem(main, f"{what} a change of a workflow", remedy=remedy)


def _asks_owners(seen: Seen) -> bool:
    old = seen.protection.required_pull_request_reviews if isinstance(seen.protection, Protection) else None
    new = any(rule.parameters.get("require_code_owner_review") is True for rule in _of_type(seen.rules, "pull_request"))
    return new or bool(old and old.require_code_owner_reviews)


def _required_workflows(rules: Sequence[Rule] | Unseen) -> set[str]:
    found: set[str] = set()
    for rule in _of_type(rules, "workflows"):
        listed = rule.parameters.get("workflows")
        found |= {str(one.get("path")) for one in (listed if isinstance(listed, list) else ()) if isinstance(one, dict)}
    return found


def _owners(seen: Seen, owners: Owners | None) -> Iterator[Finding]:
    if owners is None or isinstance(seen.owners_problems, Unseen) or not seen.owners_problems.errors:
        return
    lines = [f"line {error.line}" for error in seen.owners_problems.errors]
    fact = ("GitHub finds fault with ", *names(lines), " of it, and passes over that")
    yield OWNED.problem((Untrusted(owners.path),), *fact, remedy="name users or teams that may write here")


def unreadable_owners(error: InputError) -> Finding:
    return OWNED.problem((Untrusted(error.file),), Untrusted(error.problem), remedy=error.remedy)


def check_owners(owners: Owners | None, paths: Sequence[str]) -> Finding:
    """Without GitHub: whether the files that make the gate have owners."""
    if owners is None:
        remedy = "add .github/CODEOWNERS with owners of /.github/, the golden set and the config"
        return OWNED.warning(("CODEOWNERS",), "there is none", remedy=remedy)
    about = (Untrusted(owners.path),)
    free = owners.without(dict.fromkeys([_NEW_WORKFLOW, owners.path, *paths]))
    if free:
        return OWNED.warning(about, "nobody owns ", *names(free), remedy="add them: the last line that fits decides")
    return OWNED.ok(about, "workflows, golden set and config have owners")


# --- the rest ---------------------------------------------------------------------------------------------------------


def _queue(seen: Seen, main: Text, gates: Sequence[Start]) -> Iterator[Finding]:
    if not any(True for _ in _of_type(seen.rules, "merge_queue")):
        return
    if any(start.on(("merge_group",)) for start in gates):
        yield QUEUED.ok(main, "has a merge queue, and the gate runs in it")
    else:
        remedy = "add merge_group: to the workflow's on:"
        yield QUEUED.problem(main, "has a merge queue, in which the gate does not run", remedy=remedy)


def _baseline(seen: Seen, about: Text) -> Finding:
    barred = {rule.type for rule in ([] if isinstance(seen.baseline_rules, Unseen) else seen.baseline_rules)}
    old = seen.baseline_protection
    if isinstance(old, Protection):
        barred |= {"deletion"} if not old.allow_deletions.enabled else set()
        barred |= {"non_fast_forward"} if not old.allow_force_pushes.enabled else set()
        barred |= {"update"} if old.restrictions is not None else set()
    open_to = [words for kind, words in _BARS.items() if kind not in barred]
    if not open_to:
        return BASELINE.ok(about, "cannot be deleted or rewritten, and only some may push")
    if isinstance(old, Unseen) or isinstance(seen.baseline_rules, Unseen):
        return BASELINE.unknown(about, "how it is protected cannot all be seen with this token", remedy=_MORE)
    if open_to == ["pushes"]:
        remedy = (
            "a ruleset: Restrict updates, passed by an app of yours whose token the baseline job has as github-token"
        )
        return BASELINE.warning(about, "everyone who may write can add to it; it cannot be rewritten", remedy=remedy)
    remedy = f"{_RULES}: a ruleset for it with Restrict deletions, Block force pushes and Restrict updates"
    return BASELINE.problem(about, f"is open to {', '.join(open_to)}", remedy=remedy)


def _token(seen: Seen) -> Finding:
    about = ("Actions",)
    if isinstance(seen.token_default, Unseen):
        fact = f"the default permissions of workflows: {seen.token_default.why}"
        return DEFAULT.unknown(about, fact, remedy=_MORE)
    if seen.token_default.default_workflow_permissions == "read":
        return DEFAULT.ok(about, "by default a job's token only reads")
    remedy = "Settings → Actions → General → Workflow permissions: Read repository contents"
    return DEFAULT.warning(about, "by default a job's token may write", remedy=remedy)


def _environment(name: str, found: bool | Unseen) -> Finding:
    about: Text = ("environment ", Untrusted(name))
    if isinstance(found, Unseen):
        return REVIEWED.unknown(about, f"its reviewers: {found.why}, or it is not there", remedy=_MORE)
    if found:
        return REVIEWED.ok(about, "a reviewer has to agree before its secrets are handed out")
    remedy = "Settings → Environments: add required reviewers"
    return REVIEWED.problem(about, "hands its secrets to every run: no reviewers are required", remedy=remedy)


def _of_type(rules: Sequence[Rule] | Unseen, kind: str) -> Iterator[Rule]:
    return iter(()) if isinstance(rules, Unseen) else (rule for rule in rules if rule.type == kind)
