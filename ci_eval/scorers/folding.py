"""Texts folded to plain letters and digits, to find words that are disguised: by capitals, accents, widths, blanks,
punctuation or hidden characters. What users may choose to ignore is in `normalise.py`.

Character by character, since Python's normalisation of a whole text takes quadratic time where many marks are piled up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from ci_eval.text import visible


class _Folded(dict[int, str]):
    """For `str.translate`: letters and digits in their plainest form, and something else for all that is neither."""

    def __init__(self, other: str) -> None:
        super().__init__()
        self.other = other

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", chr(code)).casefold()
        kept = "".join(char for char in plain if char.isalnum())
        self[code] = kept or ("" if unicodedata.category(chr(code)).startswith("M") else self.other)
        return self[code]


_LETTERS, _WORDS = _Folded(""), _Folded(" ")


_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_BLANKS = frozenset("bfnrt")
_DEEPEST = 3
"""JSON within JSON within JSON."""


def readings(text: str) -> list[str]:
    r"""A text as it is written, and as it reads where it is JSON or holds some: without the escapes.

    Also of JSON that is broken, or has something around it.

    >>> readings(r'{"reply": "Line\nup \u00fc"}')
    ['{"reply": "Line\\nup \\u00fc"}', '{"reply": "Line up ü"}']
    """
    found = [text]
    while "\\" in found[-1] and len(found) <= _DEEPEST:
        plain = _ESCAPE.sub(_unescaped, found[-1])
        found.append(plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return found


def _unescaped(escape: re.Match[str]) -> str:
    code, sign = escape.groups()
    return chr(int(code, 16)) if code else " " if sign in _BLANKS else sign


def letters(text: str) -> str:
    r"""Nothing but letters and digits.

    >>> letters("Ｃafé-\u200b42!")
    'cafe42'
    """
    return visible(text).translate(_LETTERS)


Phrase = Annotated[str, Field(min_length=1, max_length=500)]
Phrases = Annotated[list[Phrase], Field(max_length=200)]


def says_any(phrases: Iterable[str], text: str) -> bool:
    """Whether whole words of a text are one of some phrases, whatever the capitals, blanks and punctuation."""
    said = words(text)
    return any(words(phrase) in said for phrase in phrases)


def words(text: str) -> str:
    r"""Letters and digits, one blank between two words and at both ends: what holds " free of " says "free of".

    >>> words("Free\u00a0of charge.")
    ' free of charge '
    """
    return f" {' '.join(visible(text).translate(_WORDS).split())} "
