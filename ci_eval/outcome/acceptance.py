"""Whether a person accepted a regression, and whether that counts: as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ci_eval.text import Hostile, Untrusted

Words = tuple[Hostile, ...]
"""A sentence of ours, with names of others in it."""


class Again(NamedTuple):
    """What judging once more took."""

    seconds: float
    usd: float | None
    """Of the whole job, since one purse pays; None where a price is not known."""


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
    again: Again | None = None
    """What it took to judge in a merge queue once more what had been accepted; None where nothing was."""

    @property
    def counts(self) -> bool:
        return not self.refused

    def but(self, *words: Hostile) -> Acceptance:
        """The same, refused."""
        return replace(self, refused=words)
