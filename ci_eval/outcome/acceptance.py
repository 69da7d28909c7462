"""A person's word on a regression, and whether it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci_eval.text import Hostile, Untrusted

Words = tuple[Hostile, ...]
"""A sentence of ours, with names of others in it."""


@dataclass(frozen=True)
class Acceptance:
    """The label that accepts a regression was found."""

    by: Untrusted | None
    """The login of who put it on; None where that is not known."""
    own: bool = False
    """Whether they opened the pull request themselves."""
    refused: Words = ()
    """Why it does not count."""
    queued: bool = False
    """Whether it was found in a merge queue, instead of in the run that putting it on started."""
    seconds: float = 0.0
    """What judging again took of what had been accepted, in a merge queue; in USD beside it."""
    usd: float | None = 0.0

    @property
    def counts(self) -> bool:
        return not self.refused

    def but(self, *words: Hostile) -> Acceptance:
        """The same, refused."""
        return replace(self, refused=words)
