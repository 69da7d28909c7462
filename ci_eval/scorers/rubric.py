"""The rubric of a judge: named criteria with words for what passes, and answers whose verdict is known.

A YAML or JSON file, or markdown with the same keys between two `---` lines at its top. Markdown without them is taken
as one criterion in the author's words, and the report says that nothing in it is concrete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ci_eval.errors import InputError
from ci_eval.golden.cases import Case, Expected, Input
from ci_eval.reader import KIB, Document, Strict, decode, read_document, read_yaml, validate, wrong
from ci_eval.snapshot import Snapshot
from ci_eval.text import JSON, Untrusted

Scale = Literal["binary", "1-5"]
Mode = Literal["rubric", "pairwise"]
"""Whether a judge grades one answer, or compares two."""
LEAST, MOST = 1, 5
"""Of the scale 1-5."""
OVERALL = "overall"
"""All criteria together, among names of criteria."""
_LIMIT = 64 * KIB
_LINE = "---"

Words = Annotated[str, Field(min_length=1, max_length=4000)]
CanaryText = Annotated[str, Field(max_length=20_000)]
CriterionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class Criterion(Strict):
    """One question about an answer."""

    name: CriterionName
    question: Words
    pass_: Words | None = Field(default=None, alias="pass")
    """What an answer that passes looks like."""
    fail: Words | None = None
    """What one that fails looks like."""
    anchors: dict[Literal["1", "2", "3", "4", "5"], Words] | None = None
    """What an answer of a score looks like, of the scale 1-5: of 1 and 5 at least."""

    @model_validator(mode="after")
    def _is_of_one_scale(self) -> Criterion:
        if self.anchors is not None and (self.pass_ or self.fail):
            raise wrong("pass or fail, and anchors", "write anchors for the scale 1-5, pass and fail for binary")
        if self.anchors is not None and not {"1", "5"} <= self.anchors.keys():
            raise wrong("anchors without 1 or 5", "say what the worst and the best answer look like")
        return self


class Canary(Strict):
    """An answer whose verdict is known: a judge that misses it is not trusted."""

    input: Input
    output: CanaryText
    reference: CanaryText | None = None
    """For a pairwise judge: what `output` is better or worse than."""
    expect: Literal["pass", "fail", "better", "worse"]
    """`better` and `worse` go with `reference`."""
    criterion: CriterionName | None = None
    """Whose verdict is known; without it, that of all together."""
    expected: Expected | None = None
    context: list[Untrusted] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_of_one_mode(self) -> Canary:
        if (self.reference is not None) != (self.expect in {"better", "worse"}):
            remedy = "write {input, output, reference, expect: better} or {input, output, expect: pass}"
            raise wrong("better and worse go with a reference, pass and fail go without one", remedy)
        if self.reference is not None and self.expected is not None:
            raise wrong("a reference, and expected", "remove expected: a pairwise judge does not see it")
        return self

    @property
    def mode(self) -> Mode:
        """Of the judges that it is for."""
        return "rubric" if self.reference is None else "pairwise"

    def case(self, number: int) -> Case:
        """The case that it is an answer to."""
        return Case(id=f"canary-{number}", input=self.input, expected=self.expected, context=self.context)


class Rubric(Strict):
    """What a judge goes by."""

    guidance: Annotated[str, Field(max_length=_LIMIT)] = ""
    """What the judge is told before the criteria."""
    criteria: Annotated[list[Criterion], Field(min_length=1, max_length=20)]
    canaries: Annotated[list[Canary], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_fit(self) -> Rubric:
        names = [criterion.name for criterion in self.criteria]
        if len(set(names)) < len(names):
            raise wrong("two criteria of one name", "give one of them another name")
        if OVERALL in names:
            raise wrong(f'"{OVERALL}" means all criteria together', "give the criterion another name")
        for number, canary in enumerate(self.canaries, start=1):
            if canary.criterion is not None and canary.criterion not in names:
                raise wrong(f"canary {number} names no criterion", f"write one of {', '.join(names)}")
        return self


@dataclass(frozen=True)
class ReadRubric:
    """A rubric, and what its file was like."""

    rubric: Rubric
    concrete: bool
    """Whether it names criteria."""

    @property
    def criteria(self) -> Sequence[Criterion]:
        return self.rubric.criteria


def load(snapshot: Snapshot, path: str, scale: Scale, mode: Mode = "rubric") -> ReadRubric:
    """The rubric of a judge that answers so; raises InputError with file, line and remedy."""
    document = _document(snapshot.read(path, limit=_LIMIT), path)
    if isinstance(document.value, str):
        whole = Criterion(name="rubric", question="Does the answer do what the rubric above asks for?")
        return ReadRubric(Rubric(guidance=document.value, criteria=[whole]), concrete=False)
    read = ReadRubric(validate(Rubric, document), concrete=True)
    for number, criterion in enumerate(read.criteria):
        if (criterion.anchors is not None) != (scale == "1-5"):
            problem = f'the criterion "{criterion.name}" is not written for its judge\'s scale, {scale}'
            raise document.error(("criteria", number), problem, "write anchors for the scale 1-5, and none for binary")
    for number, canary in enumerate(read.rubric.canaries):
        if canary.mode != mode:
            problem = f"canary {number + 1} is not written for its judge's mode, {mode}"
            raise document.error(("canaries", number), problem, _CANARY_OF[mode])
    return read


_CANARY_OF: Mapping[Mode, str] = {
    "rubric": "write {input, output, expect: pass} or {…, expect: fail}",
    "pairwise": "write {input, output, reference, expect: better} or {…, expect: worse}",
}


def _document(data: bytes, path: str) -> Document:
    """The keys of a rubric; of plain markdown, its text."""
    if not path.endswith((".md", ".markdown", ".txt")):
        return read_document(data, path)
    text = decode(data, path, limit=_LIMIT).replace("\r\n", "\n")
    if not text.strip():
        raise InputError("an empty rubric", remedy="write what a good answer is", file=path, line=1)
    first, _, rest = text.partition("\n")
    if first.rstrip() != _LINE:
        return Document(path, text)
    front, closing, body = f"{rest}\n".partition(f"\n{_LINE}\n")
    if not closing:
        raise InputError("keys that are never closed", remedy=f"end them with a line {_LINE}", file=path, line=1)
    keys = read_yaml(f"\n{front}\n".encode(), path)
    return Document(path, _with_guidance(keys, body.strip()), keys.first_line, keys.lines)


def _with_guidance(keys: Document, body: str) -> JSON:
    """The text below the keys tells the judge more."""
    if not isinstance(keys.value, dict) or not body:
        return keys.value
    if "guidance" in keys.value:
        raise keys.error(("guidance",), "guidance, and text below the keys", "write it in one place")
    return {**keys.value, "guidance": body}
