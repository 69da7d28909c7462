"""Every scorer by its `type`. A new one is a file and a line here; its module is loaded when a suite names it."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from importlib import import_module

from ci_eval.golden.cases import Case, GoldenSet
from ci_eval.plan.subset import NOTHING, Cost
from ci_eval.reader import Document, validate
from ci_eval.scorers.base import Answer, Asking, Resources, Score, ScorerPolicy, Scoring, binary
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.memory import ScoreMemory, key_of
from ci_eval.snapshot import Snapshot
from ci_eval.text import canonical

SCORERS: Mapping[str, str] = {
    "bleu": "ci_eval.scorers.bleu:Bleu",
    "chrf": "ci_eval.scorers.bleu:Chrf",
    "contains": "ci_eval.scorers.contains:Contains",
    "escalation": "ci_eval.scorers.escalation:Escalation",
    "exact": "ci_eval.scorers.exact:Exact",
    "fields": "ci_eval.scorers.fields:Fields",
    "format": "ci_eval.scorers.format:Format",
    "grounded": "ci_eval.scorers.grounded:Grounded",
    "injection": "ci_eval.scorers.injection:Injection",
    "json_schema": "ci_eval.scorers.json_schema:JsonSchema",
    "judge": "ci_eval.scorers.judge:Judge",
    "language": "ci_eval.scorers.language:Language",
    "leak": "ci_eval.scorers.leak:Leak",
    "length": "ci_eval.scorers.length:Length",
    "not_silent": "ci_eval.scorers.not_silent:NotSilent",
    "numeric": "ci_eval.scorers.numeric:Numeric",
    "python": "ci_eval.scorers.python:PythonScorer",
    "refusal": "ci_eval.scorers.refusal:Refusal",
    "regex": "ci_eval.scorers.regex:Regex",
    "retrieval": "ci_eval.scorers.retrieval:Retrieval",
    "rouge": "ci_eval.scorers.rouge:Rouge",
    "similarity": "ci_eval.scorers.similarity:Similarity",
    "task_completion": "ci_eval.scorers.task_completion:TaskCompletion",
    "token_f1": "ci_eval.scorers.token_f1:TokenF1",
    "tool_calls": "ci_eval.scorers.tool_calls:ToolCalls",
}


def policy_class(kind: str) -> type[ScorerPolicy]:
    module, _, name = SCORERS[kind].partition(":")
    found: type[ScorerPolicy] = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class Scorer:
    """A scorer with its name, dimension and weight settled."""

    name: str
    dimension: str
    weight: Fraction
    policy: ScorerPolicy

    def digest(self, snapshot: Snapshot) -> str:
        """SHA-256 over all that decides its scores: keys, and the contents of the files it reads."""
        files = self.policy.read_from(snapshot)
        settings = self.policy.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(canonical([self.name, self.dimension, settings, files]).encode()).hexdigest()


@dataclass(frozen=True)
class BoundScorer:
    """A scorer that has its files and is ready to score."""

    scorer: Scorer
    scoring: Scoring | Asking
    memory: ScoreMemory

    @property
    def draws(self) -> bool:
        """Whether the same answer may score otherwise when it is scored again."""
        return isinstance(self.scoring, Asking) and self.scoring.draws

    @property
    def identity(self) -> str:
        """Who scores and how, of a scorer that is compared with people's labels."""
        return self.scoring.identity if isinstance(self.scoring, Asking) else ""

    def applies(self, case: Case) -> bool:
        return self.scorer.policy.applies(case)

    def score(self, answer: Answer, case: Case, errand: Errand | None = None) -> Score:
        """Raises ProviderError where a provider does not answer; only to ask one is there need of an errand."""
        seen = self.scorer.policy.looked_at(answer)
        if seen is None:
            return binary(False, f"no step with {canonical(self.scorer.policy.step)}")
        scoring = self.scoring
        if not isinstance(scoring, Asking):
            return scoring(seen, case)
        assert errand is not None, "the evaluator sends each answer on one"  # noqa: S101
        key = key_of(self.scorer.name, case, seen, errand.repeat)
        return self.memory.recall(key, lambda: scoring.score(seen, case, errand))

    def takes(self, case: Case, characters: int) -> Cost:
        """What scoring an answer of so many characters takes of providers."""
        return self.scoring.takes(case, characters) if isinstance(self.scoring, Asking) else NOTHING


@dataclass(frozen=True)
class ScorerSet:
    """A suite's scorers, and those that single cases bring."""

    shared: tuple[Scorer, ...]
    by_case: Mapping[str, tuple[Scorer, ...]]
    _found: dict[str, tuple[Case, tuple[Scorer, ...]]] = field(default_factory=dict, repr=False, compare=False)

    def dimensions(self) -> tuple[str, ...]:
        """In the order in which the config names them."""
        return tuple(dict.fromkeys(scorer.dimension for scorer in self.all()))

    def all(self) -> Iterable[Scorer]:
        return (*self.shared, *(scorer for scorers in self.by_case.values() for scorer in scorers))

    def free(self) -> ScorerSet:
        """Those by which any answer can be scored at once: no provider, no code, no other scores."""
        by_case = {case: tuple(filter(_is_free, own)) for case, own in self.by_case.items()}
        return ScorerSet(tuple(filter(_is_free, self.shared)), by_case)

    def for_case(self, case: Case) -> tuple[Scorer, ...]:
        """Those that have something to say about a case. It is found once: telling may take reading its texts."""
        known, found = self._found.get(case.id, (None, ()))
        if known is not case:
            own = self.by_case.get(case.id, ())
            found = (*(scorer for scorer in self.shared if scorer.policy.applies(case)), *own)
            self._found[case.id] = case, found
        return found

    def bind(self, resources: Resources, memory: ScoreMemory | None = None) -> Mapping[str, BoundScorer]:
        """Every scorer by name, ready; raises InputError for a file or pattern that cannot be used."""
        kept = memory or ScoreMemory()
        return {scorer.name: BoundScorer(scorer, _bound(scorer.policy, resources), kept) for scorer in self.all()}

    def digest(self, snapshot: Snapshot) -> str:
        return hashlib.sha256(canonical([scorer.digest(snapshot) for scorer in self.all()]).encode()).hexdigest()


def _bound(policy: ScorerPolicy, resources: Resources) -> Scoring | Asking:
    return policy.bind_asking(resources) if policy.asks() else policy.bind(resources)


def _is_free(scorer: Scorer) -> bool:
    policy = scorer.policy
    return policy.asks() is None and not policy.runs_code and not policy.judges_scores


def build(config: Document, suite: str, golden: GoldenSet) -> ScorerSet:
    """The scorers of a suite; raises InputError with the line of the first that is wrong."""
    entries = config.value["suites"][suite]["scorers"]  # type: ignore[index, call-overload]
    shared: list[Scorer] = []
    for index, entry in enumerate(entries):
        part = _part(config, entry, ("suites", suite, "scorers", index))
        scorer = _unique(_scorer(part), shared, part)
        if golden.cases and not any(scorer.policy.applies(case) for case in golden.cases.values()):
            problem = f'the scorer "{scorer.name}" has nothing to look at in any golden case'
            raise part.error(("field",), problem, "correct its field, give the cases what they expect, or remove it")
        for case in golden.cases.values():
            scorer.policy.check(case)
        shared.append(scorer)
    by_case = {case.id: _beside(shared, _of_case(golden, case)) for case in golden.cases.values() if case.scorers}
    return ScorerSet(_beside(shared, shared), by_case)


def _beside(shared: Sequence[Scorer], scorers: Sequence[Scorer]) -> tuple[Scorer, ...]:
    policies = [scorer.policy for scorer in shared]
    return tuple(replace(scorer, policy=scorer.policy.beside(policies)) for scorer in scorers)


def _of_case(golden: GoldenSet, case: Case) -> tuple[Scorer, ...]:
    found: list[Scorer] = []
    for entry in case.scorers:
        row = golden.rows[case.id]
        part = Document(row.file, entry, row.first_line)
        scorer = _scorer(part)
        if not scorer.policy.applies(case):
            problem = f'the scorer "{scorer.name}" has nothing to look at in the case "{case.id}"'
            raise part.error((), problem, "give the case what it expects, or remove the scorer")
        scorer.policy.check(case)
        found.append(replace(scorer, name=f"{case.id}:{len(found)}:{scorer.name}"))
    return tuple(found)


def _part(config: Document, entry: object, path: tuple[str | int, ...]) -> Document:
    lines = {inner[len(path) :]: line for inner, line in config.lines.items() if inner[: len(path)] == path}
    return Document(config.file, entry, config.line(path), lines)  # type: ignore[arg-type]


def _scorer(part: Document) -> Scorer:
    entry = part.value
    kind = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in SCORERS:
        near = difflib.get_close_matches(str(kind), SCORERS, n=1)
        remedy = f'write "{near[0]}"' if near else f"write one of {', '.join(SCORERS)}"
        raise part.error(("type",), f'unknown scorer "{kind}"' if kind else "a scorer without a type", remedy)
    policy = validate(policy_class(kind), part)
    name = policy.name or (f"{kind}:{policy.field}" if policy.field else kind)
    return Scorer(name, policy.dimension or policy.default_dimension, Fraction(str(policy.weight)), policy)


def _unique(scorer: Scorer, before: Sequence[Scorer], part: Document) -> Scorer:
    if any(other.name == scorer.name for other in before):
        raise part.error((), f'two scorers named "{scorer.name}"', "give one of them a name of its own")
    return scorer
