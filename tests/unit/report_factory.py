"""Outcomes of a gate, as the verdict makes them; a test states only what is different about its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

from making import first_answers, question_of, repeatable

from ci_eval.comparison import Comparison, Pair
from ci_eval.config import GatePolicy
from ci_eval.confirm.evidence import Key, Stored
from ci_eval.confirm.machine import Confirmation, Rerun, Result, start
from ci_eval.datasets.contamination import Leak
from ci_eval.golden.cases import Case, Edits
from ci_eval.outcome.model import ChangeNote, GateOutcome, SuiteOutcome
from ci_eval.records import CellResult, Fingerprint, Header, Record
from ci_eval.report.document import Section, Table
from ci_eval.report.model import build
from ci_eval.text import Untrusted
from ci_eval.verdict import decide, worst

BASE, CANDIDATE = "a" * 40, "b" * 40
Change = Literal["broke", "repaired", "lost", "same"]

HEADER = Header(
    suite="helpdesk",
    commit="c" * 40,
    version="0.1.0",
    time="2026-05-04T08:30:00Z",
    event="push",
    deterministic=True,
    fingerprint=Fingerprint(target="d" * 64, golden="e" * 64, scorers="f" * 64),
)
NO_EDITS = Edits((), (), ())


def case(name: str, **different: Any) -> Case:
    shown: dict[str, Any] = {"input": f"Where is order {name}?", "expected": {"category": "billing"}}
    return Case(**{"id": name, "category": "billing", **shown, **different})


def cell(passed: bool = True, **different: Any) -> CellResult:
    fields = {"scorer": "exact", "dimension": "task_accuracy", "reason": "category is other, not billing"}
    return CellResult(**{**fields, "score": int(passed), "passed": passed, **different})


def record(name: str, *cells: CellResult, **different: Any) -> Record:
    fields: dict[str, Any] = {
        "request": "9" * 64,
        "output": '{"category": "billing"}' if all(one.passed for one in cells) else '{"category": "other"}',
        "finish": "stop",
        "latency_ms": 120.0,
        "tokens_in": 400,
        "tokens_out": 30,
    }
    return Record(**{"case": name, "cells": list(cells), **fields, **different})


def lost_record(name: str, error: str = "HTTP 503 after 4 tries") -> Record:
    return Record(case=name, request="9" * 64, error=Untrusted(error), error_kind="infrastructure")


_PASSED: Mapping[Change, tuple[bool, bool]] = {
    "broke": (True, False),
    "repaired": (False, True),
    "lost": (True, False),
    "same": (True, True),
}


def comparison(changes: Mapping[str, Change], dimension: str = "task_accuracy", **of_cases: Any) -> Comparison:
    base, candidate = {}, {}
    for name, change in changes.items():
        before, after = (cell(passed, dimension=dimension) for passed in _PASSED[change])
        base[name] = record(name, before)
        candidate[name] = lost_record(name) if change == "lost" else record(name, after)
    pairs = tuple(
        Pair(name, "exact", dimension, Fraction(1), base[name].cells[0], next(iter(candidate[name].cells), None))
        for name in changes
    )
    return Comparison(pairs, {name: case(name, **of_cases) for name in changes}, base, candidate)


def some(total: int = 300, *, broke: int = 0, repaired: int = 0, lost: int = 0) -> dict[str, Change]:
    """What became of each of so many cases."""
    kinds: list[Change] = ["broke"] * broke
    kinds += ["repaired"] * repaired
    kinds += ["lost"] * lost
    kinds += ["same"] * (total - len(kinds))
    return {f"case-{number:04}": kind for number, kind in enumerate(kinds)}


def suite(compared: Comparison | None = None, *, gate: GatePolicy | None = None, **different: Any) -> SuiteOutcome:
    compared = compared or comparison(some())
    return confirmed(compared, repeatable(compared, gate or GatePolicy()), **different)


def confirmed(compared: Comparison, confirmation: Confirmation, **different: Any) -> SuiteOutcome:
    fields: dict[str, Any] = {
        "suite": "helpdesk",
        "dimensions": decide(compared, confirmation),
        "comparison": compared,
        "flips": confirmation.flips,
        "quarantined": tuple(sorted(confirmation.question.quarantined)),
        "notes": (),
        "edits": NO_EDITS,
        "golden_cases": len(compared.cases),
        "new_cases": {},
        "leaks": (),
        "warnings": (),
        "base_header": HEADER,
        "base_stored": True,
        "calls": len(compared.cases),
    }
    made = SuiteOutcome(**{**fields, **different})
    return replace(made, repeatable=made.base_header.deterministic) if "repeatable" not in different else made


NOISY = HEADER.model_copy(update={"deterministic": False})
Runs = Mapping[str, tuple[str, str]]
"""What reruns of a case do on main and on the candidate, over and over: a letter each, + or -, x where it is lost."""
_RUN = {"+": True, "-": False, "x": None}


def rerun(
    compared: Comparison,
    runs: Runs,
    gate: GatePolicy | None = None,
    *,
    stored: Mapping[Key, Stored] | None = None,
    stop: Literal["deadline", "budget"] | None = None,
    **different: Any,
) -> SuiteOutcome:
    """A suite whose model does not repeat itself; with `stop`, the first batch of reruns is the last."""
    policy = gate or GatePolicy()
    limits = {pair.dimension: policy.limit(pair.dimension) for pair in compared.pairs}
    state = start(question_of(compared, limits, set(), stored or {}), *first_answers(compared))
    made = Counter[tuple[str, str]]()
    while todo := state.todo():
        if stop and state.level > 1:
            state = state.stop(stop)
            break
        state = state.observe(result for one in todo for result in _run(one, compared, runs, made))
    return confirmed(compared, state, **{"base_header": NOISY, **different})


def _run(asked: Rerun, compared: Comparison, runs: Runs, made: Counter[tuple[str, str]]) -> Iterator[Result]:
    letters = runs.get(asked.case, ("x", "x"))[asked.side == "candidate"]
    for _ in range(asked.runs):
        passed = _RUN[letters[made[asked.case, asked.side] % len(letters)]]
        made[asked.case, asked.side] += 1
        yield asked.case, asked.side, {pair.scorer: passed for pair in compared.pairs if pair.case == asked.case}


def joined(*parts: Comparison) -> Comparison:
    """Several dimensions of the same cases, each under a scorer of its own."""
    first = parts[0]
    pairs = tuple(
        replace(pair, scorer=f"{pair.scorer}{number}") for number, part in enumerate(parts) for pair in part.pairs
    )
    return replace(first, pairs=pairs)


def outcome(*suites: SuiteOutcome, **different: Any) -> GateOutcome:
    fields: dict[str, Any] = {
        "verdict": worst(one.verdict for one in suites),
        "reason": "judged",
        "base_commit": BASE,
        "candidate_commit": CANDIDATE,
        "suites": suites,
        "seconds": 41.6,
    }
    return GateOutcome(**{**fields, **different})


def full(text: str = "ordinary", *, id_text: str = "case") -> GateOutcome:
    """An outcome with something in every place, all of it saying `text` where somebody else may write."""
    compared = comparison({f"{id_text}-1": "broke", f"{id_text}-2": "repaired", f"{id_text}-3": "lost"})
    names = list(compared.cases)
    broken = record(names[0], cell(False, reason=text), output=text)
    compared = replace(
        compared,
        pairs=(replace(compared.pairs[0], candidate=broken.cells[0]), *compared.pairs[1:]),
        cases={name: _tagged(case(name, input=text or "x", expected=text), id_text) for name in names[:2]}
        | {names[2]: case(names[2], input=text or "x", expected=text)},
        base={**compared.base, names[0]: record(names[0], cell(), output=text)},
        candidate={**compared.candidate, names[0]: broken, names[2]: lost_record(names[2], text)},
    )
    hostile = Untrusted(text)
    one = suite(
        compared,
        quarantined=((names[1], text),),
        notes=(ChangeNote("prompt", hostile, (hostile, hostile), hostile), ChangeNote(text, hostile, (hostile,))),
        edits=Edits(("new-1", "new-2"), ("gone-1",), ("other-1",)),
        new_cases={"new-1": record("new-1", cell(False, reason=text), output=text)},
        leaks=(Leak(names[0], "input", text, 7, "word for word"), Leak(names[1], "answer", text, None, "same words")),
        warnings=(hostile,),
    )
    return outcome(one, policy_notes=(hostile,), problem=hostile)


def harmless(text: str) -> GateOutcome:
    """The same with a text that nobody minds; with a blank one for a blank one, since no answer fails loudly."""
    return full() if text.strip() else full("\t")


def _tagged(one: Case, tag: str) -> Case:
    """With a tag that no golden set would be allowed."""
    return one.model_copy(update={"tags": [tag]})


def realistic() -> GateOutcome:
    """A prompt that lost a rule: what a reviewer would see."""
    accuracy = comparison(some(broke=12, repaired=2))
    form = comparison(some(broke=1), "format")
    behaviour = comparison(some(), "behaviour")
    compared = joined(accuracy, form, behaviour)
    edges = {name: case(name, stratum="edge", category="account") for name in list(compared.cases)[3:40]}
    diff = (
        "@@ -18,3 +18,2 @@\n ## priority\n-- urgent: money taken wrongly, pictures lost or exposed\n - low: a question"
    )
    return outcome(
        suite(
            replace(compared, cases={**compared.cases, **edges}),
            gate=GatePolicy(per_dimension={"format": "any"}),
            notes=(
                ChangeNote("prompt", Untrusted("golden/helpdesk/prompt.md"), (), Untrusted(diff), 19),
                ChangeNote("model", Untrusted("golden/helpdesk/model.yaml"), (Untrusted("temperature 0 → 0.7"),)),
            ),
            edits=Edits(("refund-091", "refund-092"), ("refund-004",), ()),
            new_cases={name: record(name, cell()) for name in ("refund-091", "refund-092")},
            leaks=(Leak("case-0007", "input", "golden/helpdesk/train.jsonl", 41, "same words"),),
        ),
        policy_notes=(Untrusted("golden/helpdesk/cases/billing.jsonl changes: helpdesk is judged by main's version"),),
    )


def revealed(item: object) -> str:
    """Everything that a part of a model says, one after the other."""
    if isinstance(item, Untrusted):
        return item.text()
    if isinstance(item, str):
        return str(item)
    if isinstance(item, tuple):
        return "".join(revealed(one) for one in item)
    names = getattr(item, "__dataclass_fields__", ())
    return "".join(revealed(getattr(item, name)) for name in names)


# --- what a report says -----------------------------------------------------------------------------------------------


def section(one: GateOutcome, title: str) -> Section:
    return next(section for section in build(one).sections if section.title == title)


def rows(one: GateOutcome, title: str, table: int = 0) -> list[list[str]]:
    found = [block for block in section(one, title).blocks if isinstance(block, Table)][table]
    return [[revealed(text) for text in row] for row in found.rows]


def said(one: GateOutcome, title: str) -> str:
    return "".join(revealed(block) for block in section(one, title).blocks)
