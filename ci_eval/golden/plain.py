r"""Texts as their signs are meant, for what looks for things by their shape. Pure.

A model writes "+49 171" with blanks that do not break, an address of a web page is full of entities, and a row may hold
JSON: whoever reads it sees what `plain` returns. Sign by sign, and so in linear time.
"""

from __future__ import annotations

import html
import re
import unicodedata

from ci_eval.text import visible

_WRITTEN_OUT = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,10});"  # HTML
    r"|%(?P<percent>2[BbDdEe]|40)"  # addresses: + - . @
    r"|\\{1,8}u(?P<json>[0-9A-Fa-f]{4})"
)
_SAME_SHAPE = re.compile("<(?:wide|narrow|small|font)>")
"""Unicode's word for letters that differ from plain ones in nothing but width or type."""
_MINUS = "\N{MINUS SIGN}"


def plain(text: str) -> str:
    r"""A text without hidden characters, its blanks, hyphens, digits and widths plain, and its escapes undone.

    >>> plain("＋49\u202f171\u20119302415, anna&#64;mail.net")
    '+49 171-9302415, anna@mail.net'
    """
    return visible(_WRITTEN_OUT.sub(_meant, text)).translate(_PLAIN)


def _meant(escape: re.Match[str]) -> str:
    code = escape["percent"] or escape["json"]
    return chr(int(code, 16)) if code else html.unescape(escape.group())


class _Plain(dict[int, str]):
    """For `str.translate`; each sign is looked up once."""

    def __missing__(self, code: int) -> str:
        self[code] = _plain_sign(chr(code))
        return self[code]


def _plain_sign(sign: str) -> str:
    category = unicodedata.category(sign)
    if category == "Zs":
        return " "
    if category == "Pd" or sign == _MINUS:
        return "-"
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    return unicodedata.normalize("NFKC", sign) if _SAME_SHAPE.match(unicodedata.decomposition(sign)) else sign


_PLAIN = _Plain()
