"""How much of a JSON Schema a single value can meet: what can be said of a check's cost before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ci_eval.text import JSON

_HARD_TO_COUNT = frozenset({"$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"})
"""Where they lead depends on the value, or they check again what was checked."""
_MOVES_REFERENCES = frozenset({"$id", "id"})


def expanded_size(schema: JSON) -> int | None:
    """The parts of a schema, each counted as often as references lead to it; None where nobody knows, or it has no end.

    A check looks at no value, at any depth, more often than this.
    """
    try:
        return _Count(schema).of(schema)
    except (_Uncounted, RecursionError):
        return None


class _Uncounted(Exception):
    pass


@dataclass
class _Count:
    root: JSON
    done: dict[int, int] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)

    def of(self, part: JSON) -> int:
        if not isinstance(part, dict | list):
            return 1
        if id(part) not in self.done:
            if id(part) in self.begun:
                raise _Uncounted
            self.begun.add(id(part))
            self.done[id(part)] = 1 + sum(map(self.of, self._below(part)))
        return self.done[id(part)]

    def _below(self, part: dict[str, JSON] | list[JSON]) -> Iterator[JSON]:
        if isinstance(part, list):
            yield from part
            return
        if not _HARD_TO_COUNT.isdisjoint(part) or (part is not self.root and not _MOVES_REFERENCES.isdisjoint(part)):
            raise _Uncounted
        yield from part.values()
        if isinstance(reference := part.get("$ref"), str):
            yield self._target(reference)

    def _target(self, reference: str) -> JSON:
        """What a JSON pointer points to (RFC 6901); a named anchor is not looked for."""
        found: Any = self.root
        start, *steps = unquote(reference.removeprefix("#")).split("/")
        for step in steps:
            key = step.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key) if isinstance(found, list) else key]
            except (LookupError, TypeError, ValueError):
                raise _Uncounted from None
        if start:
            raise _Uncounted
        return found  # type: ignore[no-any-return]
