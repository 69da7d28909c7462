"""How an answer that is wrong looks to whoever gets it: loud, so that it can be caught, or silent. Pure.

A loud failure says itself that it is none: an error, a cut, an invalid format, a refusal, a hand-over, a doubt. A
silent one is valid, confident and wrong, and nobody downstream can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

from ci_eval.scorers.base import Judged
from ci_eval.scorers.escalation import hands_over
from ci_eval.scorers.folding import readings
from ci_eval.scorers.refusal import declines

Loud = Literal["error", "cut off", "invalid format", "refusal", "hand-over", "doubt"]
Mode = Literal["right", "silent"] | Loud
LOUD: tuple[Loud, ...] = get_args(Loud)
FORMAT = "format"
"""The dimension of the scorers that say whether an answer has the right form, as `json_schema`'s by default."""

_DOUBTS = re.compile(
    r"\b(?:i(?:'m| am) (?:not|un)(?: (?:entirely|completely|quite|really|fully|too|so))? ?(?:sure|certain|aware|clear)"
    r"|i (?:do not|don't|didn't|could not|couldn't|cannot|can't|wasn't able to|was not able to|was unable to)"
    r" (?:actually |really |currently )?(?:know|find|locate|verify|confirm|determine|tell for (?:sure|certain)|say for"
    r" (?:sure|certain))\b"
    r"|i (?:do not|don't) have (?:that |this |the |any |enough |access to )"
    r"|i(?:'m| am) (?:only )?guessing|(?:this|that|it) is (?:only |just )?(?:a|my) (?:best )?guess|my best guess"
    r"|i (?:may|might|could) be (?:wrong|mistaken)|not enough information|insufficient information|hard to (?:say|tell)"
    r"|(?:please|you should|you may want to|i(?:'d| would) (?:suggest|recommend)) (?:double-?check|verif)"
    r"|(?:is|are|was|were) not (?:mentioned|specified|stated|contained|covered|provided) (?:in|by))",
    re.IGNORECASE,
)


def doubts(text: str) -> bool:
    """Whether an answer says that it may be wrong, or does not know, in English."""
    return _DOUBTS.search(" ".join(text.replace("\u2019", "'").split())) is not None


def mode(text: str, finish: str | None, cells: Iterable[Judged], *, acts: bool = False) -> Mode:
    """How an answer failed, by what it says and by its scores; `right` where every score passed.

    `acts`: it asks for tools, so that a text may be missing.
    """
    failed = {cell.dimension for cell in cells if not cell.passed}
    if not failed:
        return "right"
    if finish == "length":
        return "cut off"
    if FORMAT in failed or not (acts or text.strip()):
        return "invalid format"
    read = readings(text)
    if finish == "refusal" or any(map(declines, read)):
        return "refusal"
    if any(map(hands_over, read)):
        return "hand-over"
    return "doubt" if any(map(doubts, read)) else "silent"
