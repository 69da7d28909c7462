"""Which branches a workflow's filter names, by GitHub's rules, as far as it can be read without doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNREAD = frozenset("?+[]\\")
_MOST_STARS = 3


def keeps_out(filters: Mapping[str, object], branch: str) -> bool:
    """Whether an event's filters surely keep a branch's pull requests away."""
    return _named(filters.get("branches"), branch) is False or _named(filters.get("branches-ignore"), branch) is True


def _named(patterns: object, branch: str) -> bool | None:
    """The last pattern that fits decides; None: perhaps, or no filter."""
    if not patterns:
        return None
    found: bool | None = False
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        plain = str(pattern).removeprefix("!")
        takes, fits = plain == pattern, _fits(plain, branch)
        if fits is None and takes is not found:
            found = None
        elif fits:
            found = takes
    return found


def _fits(pattern: str, branch: str) -> bool | None:
    """Whether a pattern is a branch's; None for one with more in it than a few stars."""
    parts = re.split(r"(\*+)", pattern)
    if _UNREAD & set(pattern) or len(parts) > 2 * _MOST_STARS + 1:
        return None
    return bool(re.fullmatch("".join(map(_translated, parts)), branch))


def _translated(part: str) -> str:
    return "[^/]*" if part == "*" else ".*" if part.startswith("**") else re.escape(part)
