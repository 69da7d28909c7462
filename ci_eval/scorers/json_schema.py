"""`json_schema`: the answer is JSON of a given shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from pydantic import Field
from referencing import Registry
from referencing.exceptions import Unresolvable

from ci_eval.config import RepoPath
from ci_eval.golden.cases import Case
from ci_eval.reader import Document, read_document
from ci_eval.scorers.base import MISSING, Answer, Judge, Resources, Score, ScorerPolicy, binary, comparable
from ci_eval.scorers.regex import MAX_PATTERN, REMEDY, compiled

_2020_12 = "https://json-schema.org/draft/2020-12/schema"


class JsonSchema(ScorerPolicy):
    """Valid against a JSON Schema of the base commit. Nothing is fetched: a `$ref` must start with `#`."""

    default_dimension: ClassVar[str] = "format"
    type: Literal["json_schema"]
    schema_: RepoPath = Field(alias="schema")

    def files(self) -> tuple[str, ...]:
        return (self.schema_,)

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - every answer has a shape
        return True

    def bind(self, resources: Resources) -> Judge:
        document = read_document(resources.snapshot.read(self.schema_), self.schema_)
        validator = _validator(document)

        def score(answer: Answer, case: Case) -> Score:  # noqa: ARG001 - the shape is the same for every case
            value = answer.json if self.field is None else answer.field(self.field)
            if value is MISSING:
                return binary(
                    False, "the answer is not JSON" if self.field is None else f"no {self.field} in the answer"
                )
            try:
                error = next(iter(validator.iter_errors(value)), None)
            except (Unresolvable, RecursionError):
                return binary(False, "the schema cannot be followed for this answer")
            return binary(error is None, "valid" if error is None else _reason(error))

        return score


# --- the schema, checked before it judges anything --------------------------------------------------------------------


def _validator(document: Document) -> Validator:
    schema = document.value
    if not isinstance(schema, dict) or not schema:
        raise document.error((), "not a schema, or one that accepts everything", "write an object with rules")
    kind = _kind(document, schema)
    _refuse_what_leaves(document, schema)
    try:
        # Without a format checker: whether a pattern is one is for RE2 to say.
        kind.check_schema(schema, format_checker=None)
    except SchemaError as error:
        raise document.error(tuple(error.path), "not a valid JSON Schema", "correct this part") from None
    except RecursionError:
        raise document.error((), "nested too deeply", "flatten it") from None
    _refuse_patterns(document, schema)
    return extend(kind, _LINEAR)(schema, registry=Registry(), format_checker=FormatChecker())


def _kind(document: Document, schema: Mapping[str, Any]) -> type[Validator]:
    named = schema.get("$schema", _2020_12)
    kind = validator_for({"$schema": named}, None) if isinstance(named, str) else None  # type: ignore[arg-type]  # the stub forgets that None is a default
    if kind is None:
        raise document.error(("$schema",), "an unknown $schema", f"write {_2020_12}")
    return kind


def _refuse_what_leaves(document: Document, schema: JSONObject) -> None:
    for path, part in _objects(schema):
        for key in ("$ref", "$dynamicRef", "$recursiveRef"):
            reference = part.get(key, "#")
            if not isinstance(reference, str) or not reference.startswith("#"):
                raise document.error((*path, key), f"a {key} that leaves the file", 'write references that start with "#"')


def _refuse_patterns(document: Document, schema: JSONObject) -> None:
    for path, part in _objects(schema):
        by_name = part.get("patternProperties")
        patterns = [part.get("pattern"), *(by_name if isinstance(by_name, dict) else ())]
        for pattern in patterns:
            try:
                if isinstance(pattern, str) and len(pattern) <= MAX_PATTERN:
                    compiled(pattern)
            except ValueError as error:
                raise document.error(path, str(error), REMEDY) from None
            if isinstance(pattern, str) and len(pattern) > MAX_PATTERN:
                raise document.error(path, f"a pattern of more than {MAX_PATTERN} characters", "shorten it")
        if by_name and "unevaluatedProperties" in part:
            problem = "unevaluatedProperties beside patternProperties, which is searched without RE2"
            raise document.error(path, problem, "write additionalProperties")
