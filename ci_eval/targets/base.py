"""What every target is: it renders cases, and says what it is made of."""

from __future__ import annotations

from typing import Protocol

from ci_eval.golden.cases import Case
from ci_eval.providers.base import Request
from ci_eval.targets.prompt import Prompt


class Target(Protocol):
    """A system under test on one side, ready to render requests."""

    @property
    def prompt(self) -> Prompt | None: ...

    @property
    def digest(self) -> str:
        """SHA-256 over all that requests are made of, but the cases."""

    @property
    def lane(self) -> str:
        """Who answers: targets of one lane share its concurrency."""

    @property
    def model_name(self) -> str: ...

    @property
    def rows(self) -> tuple[str, ...]:
        """The files of rows that the model learns from."""

    def request(self, case: Case) -> Request:
        """The request of a case; raises InputError for what cannot be rendered."""
