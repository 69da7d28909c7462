"""What the local model reads in a system prompt: lists of labels, and the JSON shape of an answer. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_MAX_OBJECTS = 100  # places where a JSON object is looked for in a prompt
_PLACE = re.compile(r"<([a-z_][a-z0-9_]{0,63})( text)?>", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|' + _PLACE.pattern, re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_OBJECT = re.compile(r"^[ \t]*(?=\{)", re.MULTILINE)
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
Entries = dict[str, str]
"""Label to definition, in the order of the prompt."""


def parse_lists(prompt: str) -> dict[str, Entries]:
    r"""The prompt's lists: label to definition, by the lower-case name in their heading.

    >>> parse_lists("## Mood\n- happy: smiles,\n  laughs\n* sad\n")
    {'mood': {'happy': 'smiles, laughs', 'sad': ''}}
    """
    lists: dict[str, Entries] = {}
    entries: Entries = {}
    label = ""
    for line in prompt.splitlines():
        bare = line.strip()
        if line.startswith("#"):
            name = bare.strip("# \t").lower()
            entries = lists.setdefault(name, {}) if _NAME.fullmatch(name) else {}
            label = ""
        elif bare.startswith(("- ", "* ")):
            label, definition = _entry(bare[2:])
            if label:
                entries.setdefault(label, definition)
        elif label and bare and line[0].isspace():
            entries[label] = f"{entries[label]} {bare}".strip()
        else:
            label = ""
    return {name: entries for name, entries in lists.items() if entries}


def _entry(line: str) -> tuple[str, str]:
    label, colon, definition = line.partition(":")
    label = label.strip("*`\"' \t")
    # Without a colon a single word is a bare label; more words are a rule or a remark, not an entry.
    return (label, definition.strip("* \t")) if colon or len(label.split()) == 1 else ("", "")


def find_shape(prompt: str) -> str | None:
    """The first JSON object at the start of a line, as it stands there with its placeholders."""
    # A placeholder becomes as many digits, which are JSON within quotes and without, and nothing moves.
    digits = _PLACE.sub(lambda place: "1" * len(place.group()), prompt)
    for start in islice(_OBJECT.finditer(digits), _MAX_OBJECTS):
        try:
            _, end = json.JSONDecoder().raw_decode(digits, start.end())
        except (ValueError, RecursionError):
            continue
        return prompt[start.end() : end]
    return None


def fill(shape: str, chosen: Mapping[str, tuple[str, str]]) -> str:
    r"""The shape with the chosen (label, text) of each list; what nobody chose is empty or null.

    >>> fill('{"a": "<a>: <a text>", "b": <b>, "c": <c>}', {"a": ("x", 'say "y"'), "b": ("true", "")})
    '{"a": "x: say \\"y\\"", "b": true, "c": null}'
    """

    def value(place: re.Match[str]) -> str | None:
        label_text = chosen.get(place[1].lower())
        return label_text[bool(place[2])] if label_text else None

    def piece(match: re.Match[str]) -> str:
        if match.group().startswith('"'):
            return _PLACE.sub(lambda place: _quoted(value(place) or "")[1:-1], match.group())
        bare = value(match)
        return "null" if bare is None else bare if _LITERAL.fullmatch(bare) else _quoted(bare)

    return _PIECE.sub(piece, shape)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
