"""How much of an answer is stored: as much as fits a row that can be read back."""

from __future__ import annotations

from collections.abc import Iterable

from ci_eval.providers.base import ToolCall
from ci_eval.records.record import CallMade
from ci_eval.text import Untrusted, shorten

# In characters, where nothing else is said. A record must fit a row of the reader, where a control character takes six;
# this is far more than a report shows.
_OUTPUT_KEPT = 100_000
_REASON_KEPT = 500
_STEPS_KEPT = 20_000
_MOST_STEPS = 200  # steps
_CALLS_KEPT = 100  # tool calls
_CALL_TEXT_KEPT = 40_000


def kept_output(text: str) -> Untrusted:
    """An answer as it is stored: whole, unless it would make a row that cannot be read back."""
    return Untrusted(shorten(text, _OUTPUT_KEPT))


def kept_steps(steps: Iterable[Untrusted]) -> list[Untrusted]:
    """The first steps, as many as fit; where some are left out, one more step says how many."""
    found: list[Untrusted] = []
    room = _STEPS_KEPT
    left = list(steps)
    while left and len(found) < _MOST_STEPS and len(left[0].text()) <= room:
        room -= len(left[0].text())
        found.append(left.pop(0))
    return [*found, Untrusted({"left out": len(left)})] if left else found


def kept_calls(calls: Iterable[ToolCall]) -> list[CallMade]:
    """The first tool calls, as many and as much of each as fit."""
    found: list[CallMade] = []
    room = _CALL_TEXT_KEPT
    for call in list(calls)[:_CALLS_KEPT]:
        texts = [shorten(part.text(), room // 2) for part in (call.name, call.arguments)]
        room -= min(room, sum(map(len, texts)))
        found.append(CallMade(name=Untrusted(texts[0]), arguments=Untrusted(texts[1])))
    return found


def kept_reason(reason: Untrusted) -> Untrusted:
    return Untrusted(shorten(reason.text(), _REASON_KEPT))
