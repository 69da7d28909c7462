"""Texts that an answer is compared with: one, or several of which the nearest counts."""

from __future__ import annotations

from typing import Any

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Comparing, as_text


class WithReferences(Comparing):
    """A scorer of texts: `expected` is a text, or a list of texts of which each would be right."""

    def applies(self, case: Case) -> bool:
        return bool(self.references(case))

    def references(self, case: Case) -> list[str]:
        """What the answer may say; a value that is no text, as its JSON."""
        wanted: Any = self.expected(case)
        if wanted is MISSING:
            return []
        return [as_text(text) for text in (wanted if isinstance(wanted, list) else [wanted])]
