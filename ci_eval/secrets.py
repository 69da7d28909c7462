"""Keys: read once from the environment, held apart, shown to nobody."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from urllib.parse import quote, quote_plus

from ci_eval.errors import InputError


class Secret:
    """A key. It shows itself to nobody but those who put it on the wire or into a program's environment."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "<Secret>"

    __str__ = __repr__

    def header(self, name: str, prefix: str = "") -> tuple[str, str]:
        return name, prefix + self._value

    def derived(self, purpose: str) -> bytes:
        """A key for another purpose. Slow to compute, so that a short one cannot be found by trying words."""
        return hashlib.pbkdf2_hmac("sha256", self._value.encode(), purpose.encode(), 200_000)

    def variable(self, name: str) -> tuple[str, str]:
        """As a variable of the environment of a program that the policy names."""
        return name, self._value

    def forms(self) -> frozenset[str]:
        """The key as it may be repeated: as it is, in a URL, in JSON, and in base64 at any place of a longer text."""
        value = self._value
        whole = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
        coded = {form for text in in_base64(value.encode()) for form in (text, text.translate(_URL_SAFE))}
        return frozenset(form for form in whole | coded if len(form) >= _LEAST)


_LEAST = 6
"""Shorter than this a text is no key, and would be found everywhere."""
_URL_SAFE = str.maketrans("+/", "-_")


def in_base64(value: bytes) -> Iterator[str]:
    """At each of the three places in a group, without the outer signs, which share bits with what is beside."""
    for before in range(3):
        yield base64.b64encode(b"\0" * before + value).decode().rstrip("=")[math.ceil(before * 8 / 6) : -2]


def redactor(secrets: Iterable[Secret]) -> Callable[[str], str] | None:
    """Takes every form of some keys out of a text; None where there are none."""
    forms = sorted({form for secret in secrets for form in secret.forms()}, key=len, reverse=True)
    if not forms:
        return None
    pattern = re.compile("|".join(map(re.escape, forms)))
    return lambda text: pattern.sub("[a key was here]", text)


def take(environ: MutableMapping[str, str], names: Iterable[str]) -> dict[str, Secret]:
    """Move the named variables out of an environment into a table; one that is empty or not set is left out.

    Raises InputError for what no header can carry, because the library's own error would quote it.
    """
    found = {name: environ.pop(name, "").strip() for name in set(names)}
    for name, value in found.items():
        if not (value.isascii() and (value.isprintable())):
            problem = f"{name} holds a line break or something else that is no part of a key"
            raise InputError(problem, remedy="set it to the key alone")
        if 0 < len(value) < _LEAST:
            raise InputError(f"{name} is too short for a key", remedy="set it to the whole key")
    return {name: Secret(value) for name, value in found.items() if value}
