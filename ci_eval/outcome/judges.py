"""Warnings about judges: what to know before relying on their scores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ci_eval.evaluation.suite import Side, Suite
from ci_eval.figures.calibration import JudgeFact
from ci_eval.figures.position_bias import PositionBias
from ci_eval.records import Record
from ci_eval.scorers.judge import Judge

_FAMILIES = {
    "gpt": "GPT", "chatgpt": "GPT", "o1": "GPT", "o3": "GPT", "o4": "GPT", "claude": "Claude", "gemini": "Gemini",
    "gemma": "Gemma", "llama": "Llama", "qwen": "Qwen", "mistral": "Mistral", "ministral": "Mistral",
    "mixtral": "Mistral", "deepseek": "DeepSeek", "grok": "Grok", "command": "Command", "phi": "Phi", "nova": "Nova",
}  # fmt: skip
"""By the first word of a model's name."""
# From small to large, by the words that makers put into names; a name without one is between.
_SIZES = (
    frozenset({"nano", "micro"}),
    frozenset({"lite", "tiny"}),
    frozenset({"mini", "haiku", "small", "ministral"}),
    frozenset({"flash", "medium"}),
    frozenset({"sonnet"}),
    frozenset({"large", "opus", "pro", "ultra", "max", "premier"}),
)
_BETWEEN = 4


def judge_warnings(suite: Suite, candidate: Side) -> Iterator[str]:
    """What is wrong with the judges of a suite, a sentence each."""
    for fact in suite.judge_facts:
        yield from _about(fact, candidate.target.model_name)
    if suite.judge_facts and all(isinstance(scorer.policy, Judge) for scorer in suite.scorers.all()):
        yield (
            "judges alone decide here: whoever can talk a judge round decides the merge; add a scorer that needs no "
            "model, as json_schema, contains or exact"
        )


def _about(fact: JudgeFact, evaluated: str) -> Iterable[str]:
    rubric, name = fact.policy.rubric, fact.scorer
    related = relation(fact.policy.model, evaluated)
    if related:
        yield f'the judge "{name}" {related}: such a judge tends to prefer its own kind of answer; take another one'
    if not fact.concrete:
        yield f'the rubric {rubric} of the judge "{name}" names no concrete criterion; docs/judge.md shows how'
    if fact.calibration is None:
        yield f'the judge "{name}" was never compared with people; label some answers and run ci-eval judge calibrate'
    if not fact.canaries:
        yield f'the rubric {rubric} of the judge "{name}" has no canaries: one that passes everything goes unnoticed'


def about_order(suite: Suite, records: Iterable[Record]) -> Iterator[str]:
    """Of pairwise judges: where what they say hangs much on the order in which two answers stand."""
    cells = [cell for record in records for cell in record.cells]
    for fact in suite.judge_facts:
        if not fact.policy.is_pairwise:
            continue
        found = PositionBias.of(cell.parts for cell in cells if cell.scorer == fact.scorer)
        if found.notable:
            yield (
                f'the judge "{fact.scorer}" said another thing in the other order in {found.swayed} of '
                f"{found.comparisons} comparisons{found.words}; each counts as a tie"
            )


def relation(judge: str, evaluated: str) -> str | None:
    """How a judge is related to the model that it judges, as far as their names say; None where they say nothing."""
    one, other = (name.casefold().rpartition("/")[2] for name in (judge, evaluated))
    if not one or not other:
        return None
    if one == other:
        return "is the model that it judges"
    family = _family(one)
    if family is None or family != _family(other) or not _is_smaller(one, other):
        return None
    return f"is, by its name, a smaller {family} model than the one that it judges"


def _family(name: str) -> str | None:
    found = re.match(r"o[134]\b|[a-z]+", name)
    return _FAMILIES.get(found.group()) if found else None


def _is_smaller(one: str, other: str) -> bool:
    """By the billions in both names (`llama-3.1-8b`), or by their words."""
    billions = [re.search(r"([0-9]+(?:\.[0-9]+)?)b\b", name) for name in (one, other)]
    if all(billions):
        ours, theirs = (float(found.group(1)) for found in billions if found)
        return ours < theirs
    return not any(billions) and _place(one) < _place(other)


def _place(name: str) -> int:
    words = set(re.findall("[a-z]+", name))
    return next((place for place, sizes in enumerate(_SIZES) if words & sizes), _BETWEEN)
