"""SARIF 2.1.0, which shows results at the files that they are about: the part of it that code scanning reads.

A message may hold links and placeholders, so whatever looks like one is escaped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from ci_eval import __version__
from ci_eval.report.document import Text, in_words
from ci_eval.text import Hostile, Untrusted, node
from ci_eval.verdict import Verdict

Level = Literal["error", "warning", "note"]
LEVELS: dict[Verdict, Level] = {
    Verdict.REGRESSION: "error",
    Verdict.INCONCLUSIVE: "warning",
    Verdict.ACCEPTED: "warning",
    Verdict.PASS: "note",
}
_LONGEST = 500
_IN_MESSAGES = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})


@dataclass(frozen=True)
class Place:
    """A file, and the line in it where that is known."""

    path: Hostile
    line: int | None = None


@dataclass(frozen=True)
class Finding:
    """What is said of a rule, at the first place and beside the others."""

    rule: str
    level: Level
    message: Text
    places: tuple[Place, ...]
    about: str
    """Whose finding it is: what keeps it apart from others of the rule, and stays from run to run."""


def to_sarif(findings: Sequence[Finding], rules: dict[str, Text], verdict: Verdict | None, headline: Text) -> str:
    """The file; `rules` holds what each of them looks at."""
    order = list(rules)
    driver = {"name": "ci-eval", "version": __version__, "rules": [_rule(name, rules[name]) for name in order]}
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(verdict, headline)],
        "automationDetails": {"id": "ci-eval/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, order.index(finding.rule)) for finding in findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def _rule(name: str, looks_at: Text) -> dict[str, Any]:
    return {"id": node(name), "shortDescription": _message(looks_at), "defaultConfiguration": {"level": "error"}}


def _invocation(verdict: Verdict | None, headline: Text) -> dict[str, Any]:
    """Without a clear answer the tool did not do what it was asked to."""
    if verdict is not Verdict.INCONCLUSIVE:
        return {"executionSuccessful": True}
    told = {"level": "error", "message": _message(headline)}
    return {"executionSuccessful": False, "toolExecutionNotifications": [told]}


def _result(finding: Finding, index: int) -> dict[str, Any]:
    first, *others = finding.places
    related = [{"id": number, **_location(place)} for number, place in enumerate(others, start=1)]
    return {
        "ruleId": node(finding.rule),
        "ruleIndex": index,
        "level": finding.level,
        "message": _message(finding.message),
        "locations": [_location(first)],
        **({"relatedLocations": related} if related else {}),
        "partialFingerprints": {"ciEval/v1": _fingerprint(finding)},
    }


def _location(place: Place) -> dict[str, Any]:
    region = {} if place.line is None else {"region": {"startLine": place.line}}
    return {"physicalLocation": {"artifactLocation": _artifact(place.path), **region}}


def _artifact(path: Hostile) -> dict[str, str]:
    """A path in the repository, or on this machine; never an address of something else."""
    raw = path.text() if isinstance(path, Untrusted) else path
    quoted = quote(raw, safe="/", errors="replace")
    return {"uri": f"file://{quoted}"} if raw.startswith("/") else {"uri": quoted, "uriBaseId": "%SRCROOT%"}


def _message(text: Text) -> dict[str, str]:
    return {"text": in_words(text, lambda one: node(one, limit=_LONGEST)).translate(_IN_MESSAGES)}


def _fingerprint(finding: Finding) -> str:
    name = f"{finding.rule}\0{finding.about}"
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
