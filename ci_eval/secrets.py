"""Keys: read once from the environment, held apart, shown to nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, MutableMapping

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


def take(environ: MutableMapping[str, str], names: Iterable[str]) -> dict[str, Secret]:
    """Move the named variables out of an environment into a table; one that is empty or not set is left out.

    Raises InputError for what no header can carry, because the library's own error would quote it.
    """
    found = {name: environ.pop(name, "").strip() for name in set(names)}
    for name, value in found.items():
        if not (value.isascii() and (value.isprintable())):
            problem = f"{name} holds a line break or something else that is no part of a key"
            raise InputError(problem, remedy="set it to the key alone")
    return {name: Secret(value) for name, value in found.items() if value}
