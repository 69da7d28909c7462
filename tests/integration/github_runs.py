"""Workflow runs and environments as GitHub's API writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WEBHOOKS = Path(__file__).parent.parent / "data" / "webhooks"
WORKFLOW = 77
Json = Any


def run_json(run_id: int, **changes: Json) -> dict[str, Json]:
    opened = json.loads((WEBHOOKS / "pull_request.opened.json").read_text(encoding="utf-8"))
    repository, head = opened["repository"], opened["pull_request"]["head"]
    api = f"{repository['url']}/actions/runs/{run_id}"
    parts = ("jobs", "logs", "cancel", "rerun", "artifacts", "check_suite", "workflow")
    person = {"name": "Octo", "email": "octo@example.com"}
    return {
        "id": run_id,
        "node_id": f"WFR_{run_id}",
        "name": "forks",
        "display_title": "A pull request",
        "run_number": run_id % 1000,
        "run_attempt": 1,
        "event": "pull_request_target",
        "status": "in_progress",
        "conclusion": None,
        "workflow_id": WORKFLOW,
        "path": ".github/workflows/forks.yml",
        "head_branch": head["ref"],
        "head_sha": head["sha"],
        "head_commit": {
            "id": head["sha"],
            "tree_id": head["sha"],
            "message": "x",
            "timestamp": "2026-05-04T10:20:30Z",
            "author": person,
            "committer": person,
        },
        "head_repository": head["repo"],
        "repository": repository,
        "pull_requests": [],
        "url": api,
        "html_url": f"https://github.com/octo-org/shop/actions/runs/{run_id}",
        **{f"{part}_url": f"{api}/{part}" for part in parts},
        "created_at": "2026-05-04T10:20:30Z",
        "updated_at": "2026-05-04T10:20:30Z",
        **changes,
    }


def asked_for(run: Mapping[str, Json], workflow: int, query: Mapping[str, str]) -> bool:
    """Whether the list of a workflow's runs, narrowed by its query, holds a run."""
    since = query.get("created", ">=").removeprefix(">=")
    return bool(
        run["workflow_id"] == workflow
        and run["event"] == query.get("event", run["event"])
        and run["head_branch"] == query.get("branch", run["head_branch"])
        and run["created_at"] >= since
    )


def environment_json(name: str, reviewers: list[Json]) -> dict[str, Json]:
    asked = [{"type": "User", "reviewer": reviewer} for reviewer in reviewers]
    rule = {"id": 1, "node_id": "GA_1", "type": "required_reviewers", "reviewers": asked}
    branches = {"id": 2, "node_id": "GA_2", "type": "branch_policy"}
    return {
        "id": 7,
        "node_id": "EN_7",
        "name": name,
        "url": f"https://api.github.com/repos/octo-org/shop/environments/{name}",
        "html_url": f"https://github.com/octo-org/shop/deployments/activity_log?environments_filter={name}",
        "created_at": "2026-05-04T10:20:30Z",
        "updated_at": "2026-05-04T10:20:30Z",
        "protection_rules": [branches, rule] if reviewers else [branches],
        "deployment_branch_policy": None,
    }
