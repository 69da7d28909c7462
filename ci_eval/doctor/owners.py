"""CODEOWNERS as GitHub reads it: the last pattern that fits decides, and one without owners takes them away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci_eval.errors import InputError
from ci_eval.reader import decode
from ci_eval.snapshot import Snapshot, matches_exactly

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""The first that is there counts."""
_LIMIT = 3_000_000
_WORD = re.compile(r"(?:\\.|[^\s\\])+")


@dataclass(frozen=True)
class Owners:
    """The lines of the file that GitHub takes."""

    path: str
    rules: tuple[tuple[tuple[str, ...], bool], ...]
    """Patterns of a line, and whether it names an owner."""

    def owns(self, path: str) -> bool:
        found = [owned for patterns, owned in self.rules if any(matches_exactly(one, path) for one in patterns)]
        return bool(found) and found[-1]

    def without(self, paths: Iterable[str]) -> list[str]:
        """The paths that nobody owns."""
        return [path for path in paths if not self.owns(path)]


def load(snapshot: Snapshot) -> Owners | None:
    """The file of a snapshot, None without one; raises InputError where it cannot be read."""
    path = next((place for place in PLACES if place in snapshot.entries), None)
    if path is None:
        return None
    try:
        text = decode(snapshot.read(path, limit=_LIMIT), path)
    except InputError as error:
        raise InputError(error.problem, remedy="GitHub ignores such a file: mend it", file=path) from None
    return Owners(path, tuple(rule for line in text.split("\n") if (rule := _rule(line))))


def _rule(line: str) -> tuple[tuple[str, ...], bool] | None:
    words = _words(line)
    if not words or words[0].startswith(("!", "\\#")) or "[" in words[0]:
        return None
    return _patterns(words[0].replace("\\ ", " ")), any("@" in word for word in words[1:])


def _words(line: str) -> Sequence[str]:
    """Up to the comment."""
    found: list[str] = []
    for word in _WORD.findall(line):
        if word.startswith("#"):
            break
        found.append(word)
    return found


def _patterns(written: str) -> tuple[str, ...]:
    """A line's pattern as patterns over whole paths: of files, and of what is in folders."""
    bare = written.strip("/")
    anchored = "/" in written.rstrip("/")
    whole = bare if anchored else f"**/{bare}"
    inside = f"{whole}/**"
    if written.endswith("/"):
        return (inside,)
    # Of a folder's `*` GitHub takes the files in it and nothing below.
    return (whole,) if anchored and bare.endswith("/*") else (whole, inside)
