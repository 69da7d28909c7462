"""`normalise` of several scorers: texts without the differences that the user says do not count.

To find a text however it is disguised, see `folding.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Literal

from ci_eval.text import JSON, stream_safe

Normal = Literal["case", "whitespace", "punctuation", "accents", "unicode"]

# Whose signs are no punctuation: 3.5 is not 35, and -5 is not 5.
_NUMBER = re.compile(r"((?:(?<!\w)-)?(?:(?<!\w)\.)?[0-9]+(?:[-.,:/][0-9]+)*)")
_DIGIT = re.compile("[0-9]")
_BLANKS = re.compile(r"\s\s+|[^\S ]")
_ACCENTS = re.compile("[\u0300-\u036f]")


def normalised(text: str, kinds: Collection[Normal]) -> str:
    """A text without the differences of some kinds.

    >>> normalised("Crème  brûlée!", ["accents", "case", "punctuation", "whitespace"])
    'creme brulee'
    """
    if "unicode" in kinds:
        text = _composed("NFKC", text)
    if "accents" in kinds and not text.isascii():
        text = _composed("NFC", _ACCENTS.sub("", _composed("NFD", text)))
    if "case" in kinds:
        text = text.casefold()
    if "unicode" in kinds:  # folding case takes some letters apart again
        text = _composed("NFKC", text)
    if "punctuation" in kinds:
        parts = _NUMBER.split(text) if _DIGIT.search(text) else [text]
        text = "".join(
            part if number % 2 else part.translate(_WITHOUT_PUNCTUATION) for number, part in enumerate(parts)
        )
    return _BLANKS.sub(" ", text) if "whitespace" in kinds else text


def normalised_value(value: JSON, kinds: Collection[Normal]) -> JSON:
    """A JSON value with all its texts normalised and without blanks at their ends; names of fields stay as they are."""
    if isinstance(value, str):
        return normalised(value, kinds).strip()
    if isinstance(value, dict):
        return {key: normalised_value(item, kinds) for key, item in value.items()}
    return [normalised_value(item, kinds) for item in value] if isinstance(value, list) else value


def _composed(form: Literal["NFC", "NFD", "NFKC"], text: str) -> str:
    return text if text.isascii() else unicodedata.normalize(form, stream_safe(text))


class _WithoutPunctuation(dict[int, int | None]):
    """What a sign becomes, learned as it is met: a table of all Unicode takes every thread half a second."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.category(chr(code)).startswith("P") else code
        return self[code]


_WITHOUT_PUNCTUATION = _WithoutPunctuation()
