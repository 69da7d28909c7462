"""`grounded`: what the answer claims stands in the case's `context`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import (
    MISSING,
    Answer,
    PassAt,
    Resources,
    Score,
    ScorerPolicy,
    Scoring,
    as_text,
    binary,
)
from ci_eval.scorers.failure import doubts
from ci_eval.scorers.folding import words
from ci_eval.scorers.refusal import declines
from ci_eval.text import Untrusted, shorten

_MOST_CLAIMS = 60
"""Each is embedded; what is beyond counts as unsupported."""
_MOST_PASSAGES = 300
_FEWEST_WORDS = 3
_SHOWN = 100
_END = re.compile(r"(?<=[.!?。！？])[\"')\]*_]{0,3}\s+(?![a-z])|(?<=[。！？])")
_BULLET = re.compile(r"^(?:[-*•#>]{1,6}|\d{1,3}[.)])\s+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"[.,](?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")

Vector = Sequence[float]


class Grounded(ScorerPolicy):
    """The share of the answer's sentences that the case's `context` supports: one is near enough to it in meaning, and
    each number and name of it stands there or in the input. Questions, refusals and doubts claim nothing.
    """

    default_dimension: ClassVar[str] = "output_quality"
    type: Literal["grounded"]
    support_at: PassAt = 0.6
    """The least cosine of the embeddings of a claim and of a sentence of the context, by the local model."""
    numbers: bool = True
    """Whether a number that is nowhere in the context makes a claim unsupported."""
    names: bool = True
    """The same for words with a capital within a sentence; false for German, where all nouns have one."""
    pass_at: PassAt = 1
    """The least share of supported claims that passes."""

    def applies(self, case: Case) -> bool:
        return any(part.text().strip() for part in case.context)

    def bind(self, resources: Resources) -> Scoring:
        # A case is answered on both sides, and again where they differ: its context stays the same.
        embed_known = lru_cache(maxsize=64)(resources.embed)

        def score(answer: Answer, case: Case) -> Score:
            got = answer.field(self.field)
            if got is MISSING:
                return binary(False, f"no {self.field} in the answer")
            said = claims(as_text(got))
            if not said:
                return binary(True, "claims nothing")
            looked = said[:_MOST_CLAIMS]
            nearest = _nearest(resources.embed(looked), embed_known(_passages(case)))
            known = "\n".join(part.text() for part in (*case.context, case.input))
            strange = self._strange(looked, numbers(known), words(known))
            problems = [
                one or ("" if near >= self.support_at else f"cosine {near:.2f}")
                for one, near in zip(strange, nearest, strict=True)
            ]
            return self._told(said, problems)

        return score

    def _strange(self, said: Sequence[str], known: Collection[str], words_known: str) -> Iterator[str]:
        """For each claim a number or name of it that the context does not have; nothing where it has them all."""
        for claim in said:
            foreign = [one for one in _NUMBER.findall(claim) if number(one) not in known] if self.numbers else []
            foreign += [one for one in names(claim) if words(one) not in words_known] if self.names else []
            yield f"{foreign[0]} is not there" if foreign else ""

    def _told(self, said: Sequence[str], problems: Sequence[str]) -> Score:
        value = problems.count("") / len(said)
        wrong = [f"{shorten(claim, _SHOWN)} ({why})" for claim, why in zip(said, problems, strict=False) if why]
        if len(said) > len(problems):
            wrong.append(f"{len(said) - len(problems)} more claims, which are too many to look at")
        reason = f"not in the context: {'; '.join(wrong)}" if wrong else "all in the context"
        return Score(value, value >= self.pass_at, Untrusted(reason))


# --- sentences, numbers, names ----------------------------------------------------------------------------------------


def sentences(text: str) -> list[str]:
    """Of every line, without the sign that a list begins with."""
    lines = (_BULLET.sub("", line.strip()) for line in text.splitlines())
    return [part.strip() for line in lines for part in _END.split(line) if part.strip()]


def claims(text: str) -> list[str]:
    """The sentences that say something that may be wrong."""
    found = [one for one in sentences(text) if len(_WORD.findall(one)) >= _FEWEST_WORDS or _NUMBER.search(one)]
    return [one for one in found if not (one.endswith(("?", "？")) or declines(one) or doubts(one))]


def number(written: str) -> str:
    """A number as it is compared: without thousands marks, the decimal comma as a point.

    >>> number("1,000.50"), number("4,90"), number("007")
    ('1000.5', '4.9', '7')
    """
    plain = (written if written[0] == "0" else _THOUSANDS.sub("", written)).replace(",", ".")
    whole, point, rest = plain.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + rest if rest else "")


def numbers(text: str) -> set[str]:
    return {number(one) for one in _NUMBER.findall(text)}


def names(sentence: str) -> list[str]:
    """Words with a capital, but the first."""
    _, *rest = _WORD.findall(sentence) or [""]
    return [one for one in rest if one[0].isupper() and len(one) > 1 and not one.startswith(("I'", "I\u2019"))]


# --- meaning ----------------------------------------------------------------------------------------------------------


def _passages(case: Case) -> tuple[str, ...]:
    """The sentences of the context; neighbours together, where there are too many to embed each."""
    parts = sentences("\n".join(part.text() for part in case.context))
    each = -(-len(parts) // _MOST_PASSAGES)
    return tuple(" ".join(parts[start : start + each]) for start in range(0, len(parts), each))


def _nearest(said: Sequence[Vector], known: Sequence[Vector]) -> list[float]:
    return [max(float(sum(a * b for a, b in zip(one, other, strict=True))) for other in known) for one in said]
