"""What the tests of the comment share: a client of the stand-in, one job's marker, and somebody else."""

from __future__ import annotations

from typing import Any

from github_standin import TOKEN, StandIn

from ci_eval.github.client import GitHub
from ci_eval.github.environment import Token
from ci_eval.github.publish import Marker

SHA = "5" * 40
MARKER = Marker("0123456789abcdef", SHA, run_id=500, run_attempt=1)
STRANGER = ("mallory", "User")


def connect(standin: StandIn, token: str = TOKEN) -> GitHub:
    return GitHub(standin.api_url, standin.repository, Token(token), 0, 0, 0)


def marker(**changes: Any) -> Marker:
    return Marker(**{**MARKER.__dict__, **changes})


def posts(standin: StandIn) -> int:
    return sum(request.startswith("POST") for request in standin.requests)
