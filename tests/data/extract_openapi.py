"""Cut the part of GitHub's OpenAPI description that the tests hold us to out of the whole 13 MB.

Run by hand when it is renewed:

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
    python tests/data/extract_openapi.py octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

VERSION = "23.0.2"
INTEGRITY = "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
"""The sha512 that the npm registry gives for this version."""

OPERATIONS = {
    "/user": ["get"],
    "/repos/{owner}/{repo}/activity": ["get"],
    "/repos/{owner}/{repo}/collaborators/{username}/permission": ["get"],
    "/repos/{owner}/{repo}/issues": ["get", "post"],
    "/repos/{owner}/{repo}/issues/{issue_number}": ["patch"],
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ["get", "post"],
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ["patch"],
    "/repos/{owner}/{repo}/issues/{issue_number}/events": ["get"],
    "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}": ["delete"],
    "/repos/{owner}/{repo}/pulls/{pull_number}": ["get"],
    "/repos/{owner}/{repo}": ["get"],
    "/repos/{owner}/{repo}/actions/permissions/workflow": ["get"],
    "/repos/{owner}/{repo}/branches/{branch}": ["get"],
    "/repos/{owner}/{repo}/branches/{branch}/protection": ["get"],
    "/repos/{owner}/{repo}/codeowners/errors": ["get"],
    "/repos/{owner}/{repo}/rules/branches/{branch}": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}/approvals": ["get"],
    "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs": ["get"],
    "/repos/{owner}/{repo}/environments/{environment_name}": ["get"],
}
TARGET = Path(__file__).with_name("github-openapi.json")
_PROSE = {"description", "example", "examples", "summary", "externalDocs", "tags", "x-github", "x-octokit"}


def extract(whole: dict[str, Any]) -> dict[str, Any]:
    paths = {
        path: {
            name: without_prose(part) for name, part in whole["paths"][path].items() if name in {*methods, "parameters"}
        }
        for path, methods in OPERATIONS.items()
    }
    components: dict[str, dict[str, Any]] = {}
    waiting = references(paths)
    while waiting:
        kind, name = waiting.pop()
        if name not in components.setdefault(kind, {}):
            components[kind][name] = without_prose(whole["components"][kind][name])
            waiting |= references(components[kind][name])
    info = {
        "title": "The part of GitHub's API that ci-eval uses",
        "version": VERSION,
        "x-source": f"npm @octokit/openapi@{VERSION}, api.github.com.json (MIT, (c) Octokit contributors)",
    }
    return {
        "openapi": whole["openapi"],
        "info": info,
        "servers": whole["servers"],
        "paths": paths,
        "components": components,
    }


def without_prose(part: Any, *, names: bool = False) -> Any:
    """A part without what only people read. Under `properties` the keys are names, and every one of them stays."""
    if isinstance(part, list):
        return [without_prose(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: without_prose(value, names=key == "properties" and not names)
        for key, value in part.items()
        if names or key not in _PROSE
    }
    if "description" in part and not names:
        kept["description"] = ""
    return kept


def references(part: Any) -> set[tuple[str, str]]:
    """Every component that a part points to, as (kind, name)."""
    if isinstance(part, list):
        return set().union(*map(references, part))
    if not isinstance(part, dict):
        return set()
    found = set().union(*map(references, part.values()))
    target = part.get("$ref")
    if isinstance(target, str):
        _, _, kind, name = target.split("/")
        found.add((kind, name))
    return found


def main(archive: str, description: str) -> None:
    digest = base64.b64encode(hashlib.sha512(Path(archive).read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise SystemExit(f"{archive} is not @octokit/openapi@{VERSION}")
    part = extract(json.loads(Path(description).read_text(encoding="utf-8")))
    TARGET.write_text(json.dumps(part, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
