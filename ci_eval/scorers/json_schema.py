"""`json_schema`: the answer is JSON of a given shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from pydantic import Field
from referencing import Registry
from referencing.exceptions import Unresolvable

from ci_eval.config import RepoPath
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.reader import Document, read_document
from ci_eval.scorers.base import MISSING, Answer, Judge, Resources, Score, ScorerPolicy, binary


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
        schema = _checked(document)
        validator = validator_for(schema, Draft202012Validator)(
            schema, registry=Registry(), format_checker=FormatChecker()
        )

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


def _checked(document: Document) -> Any:
    schema = document.value
    if not isinstance(schema, dict) or not schema:
        raise document.error((), "not a schema, or one that accepts everything", "write an object with rules")
    for reference in _references(schema):
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise document.error((), "a $ref that leaves the file", 'write references that start with "#"')
    validator = validator_for(schema, None)  # type: ignore[arg-type]  # the stub forgets that None is a default
    if validator is None:
        raise document.error(("$schema",), "an unknown $schema", "write https://json-schema.org/draft/2020-12/schema")
    try:
        validator.check_schema(schema)
    except SchemaError as error:
        raise document.error(tuple(error.path), "not a valid JSON Schema", "correct this part") from None
    except RecursionError:
        raise InputError("nested too deeply", remedy="flatten it", file=document.file, line=1) from None
    return schema


def _references(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"$ref", "$dynamicRef", "$recursiveRef"}:
                yield item
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _reason(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "the answer"
    return f"{place} breaks the schema's {error.validator!s}"
