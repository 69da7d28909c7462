"""`json_schema`: the answer is JSON of a given shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from jsonschema import FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from pydantic import Field
from referencing import Registry
from referencing.exceptions import Unresolvable

from ci_eval.config import RepoPath
from ci_eval.golden.cases import Case
from ci_eval.reader import Document, Path_, read_document
from ci_eval.scorers.base import MISSING, Answer, Resources, Score, ScorerPolicy, Scoring, binary, comparable
from ci_eval.scorers.regex import MAX_PATTERN, REMEDY, compiled
from ci_eval.scorers.schema_check import BoundedCheck
from ci_eval.scorers.schema_size import expanded_size
from ci_eval.text import JSON

_2020_12 = "https://json-schema.org/draft/2020-12/schema"
_MOST_RULES = 1_000_000
_LONG = 500
_CORE = {"$schema", "$id", "$anchor", "$dynamicAnchor", "$comment", "$defs", "$vocabulary", "definitions", "id"}
_NOTES = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_SAYING_NOTHING = frozenset(_CORE | _NOTES)
"""Keys by which nothing is refused."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class JsonSchema(ScorerPolicy):
    """Valid against a JSON Schema of the base commit. Nothing is fetched: a `$ref` must start with `#`."""

    default_dimension: ClassVar[str] = "format"
    type: Literal["json_schema"]
    schema_: RepoPath = Field(alias="schema")
    """A JSON Schema (draft 2020-12 unless it says otherwise), read from main."""

    def files(self) -> tuple[str, ...]:
        return (self.schema_,)

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - every answer has a shape
        return True

    def bind(self, resources: Resources) -> Scoring:
        document = read_document(resources.snapshot.read(self.schema_), self.schema_)
        _refuse_bombs(document)
        check = BoundedCheck(document.value, partial(problem_of, validator_of(document)))

        def score(answer: Answer, case: Case) -> Score:  # noqa: ARG001 - the shape is the same for every case
            value = answer.json if self.field is None else answer.field(self.field)
            if value is MISSING:
                return self.nothing()
            problem = check(value, len(answer.text))
            return binary(problem is None, problem or "valid")

        return score


def problem_of(validator: Validator, value: JSON) -> str | None:
    """What is wrong with a value; None where nothing is."""
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except (Unresolvable, RecursionError):
        return "the schema cannot be followed for this answer"
    return None if error is None else _reason(error)


# --- the schema, checked before it judges anything --------------------------------------------------------------------


def validator_of(document: Document) -> Validator:
    """Raises InputError for what is no schema, or none that can be held to what it says."""
    schema = document.value
    if not isinstance(schema, dict) or not schema.keys() - _SAYING_NOTHING:
        raise document.error((), "not a schema, or one that accepts everything", "write an object with rules")
    kind = _kind(document, schema)
    # Taken out, because a `$schema` that the library meets again (by `$ref: "#"`) brings back its own keywords.
    schema = {key: value for key, value in schema.items() if key != "$schema"}
    _refuse_what_leaves(document, schema)
    _refuse_long_mixtures(document, schema)
    try:
        # Without its format checker: whether a pattern is one, RE2 says.
        kind.check_schema(schema, format_checker=None)
    except SchemaError as error:
        at = ".".join(map(str, error.path))
        problem = f"not a valid JSON Schema (at {at})" if at else "not a valid JSON Schema"
        raise document.error(tuple(error.path), problem, "correct this part") from None
    except RecursionError:
        raise document.error((), "nested too deeply", "flatten it") from None
    _refuse_patterns(document, schema)
    validator: Validator = extend(kind, _LINEAR)(  # type: ignore[no-untyped-call]
        schema, registry=Registry(), format_checker=FormatChecker()
    )
    return validator


def _refuse_bombs(document: Document) -> None:
    size = expanded_size(document.value)
    if size is not None and size > _MOST_RULES:
        problem = f"references that lead to the same parts again and again, {_MOST_RULES:,} times and more"
        raise document.error((), problem, "let each part be reached in fewer ways")


def _kind(document: Document, schema: Mapping[str, Any]) -> Any:
    named = schema.get("$schema", _2020_12)
    kind = validator_for({"$schema": named}, None) if isinstance(named, str) else None  # type: ignore[arg-type]  # the stub forgets that None is a default
    if kind is None:
        raise document.error(("$schema",), "an unknown $schema", f"write {_2020_12}")
    return kind


def _refuse_what_leaves(document: Document, schema: JSON) -> None:
    for path, part in _objects(schema):
        if isinstance(part.get("$schema"), str):
            raise document.error((*path, "$schema"), "a second $schema", "keep the one at the top")
        for key in _REFERENCES:
            reference = part.get(key, "#")
            if not isinstance(reference, str) or not reference.startswith("#"):
                problem, remedy = f"a {key} that leaves the file", 'write references that start with "#"'
                raise document.error((*path, key), problem, remedy)


def _refuse_long_mixtures(document: Document, schema: JSON) -> None:
    """Older drafts want the items of some lists to differ, and the library compares each pair, unless it can sort."""
    for path, part in _objects(schema):
        for key, items in part.items():
            kinds = {type(item) for item in items} if isinstance(items, list) and len(items) > _LONG else {str}
            if not (kinds == {str} or kinds <= {int, float}):
                problem = f"a list of more than {_LONG} items that are neither all text nor all numbers"
                raise document.error((*path, key), problem, "shorten it")


def _refuse_patterns(document: Document, schema: JSON) -> None:
    parts = list(_objects(schema))
    for path, part in parts:
        for pattern in (part.get("pattern"), *_patterns_of(part)):
            if not isinstance(pattern, str):
                continue
            if len(pattern) > MAX_PATTERN:
                raise document.error(path, f"a pattern of more than {MAX_PATTERN} characters", "shorten it")
            try:
                compiled(pattern)
            except ValueError as error:
                raise document.error(path, str(error), REMEDY) from None
    named = [path for path, part in parts if _patterns_of(part)]
    if named and any("unevaluatedProperties" in part for _, part in parts):
        problem = "patternProperties in a schema with unevaluatedProperties"
        raise document.error((*named[0], "patternProperties"), problem, "write additionalProperties instead")


def _patterns_of(part: Mapping[str, Any]) -> Iterable[str]:
    by_pattern = part.get("patternProperties")
    return by_pattern if isinstance(by_pattern, dict) else ()


def _objects(value: JSON, path: Path_ = ()) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from _objects(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, (*path, index))


# --- keywords that take linear time; the library's own use Python's `re`, and compare each item with each -------------

Errors = Iterator[ValidationError]


def _pattern(_: Validator, pattern: str, instance: JSON, __: JSON) -> Errors:
    if isinstance(instance, str) and not compiled(pattern).search(instance):
        yield ValidationError("does not match the pattern")


def _pattern_properties(validator: Any, patterns: Mapping[str, JSON], instance: JSON, _: JSON) -> Errors:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for key in filter(compiled(pattern).search, instance):
                yield from validator.descend(instance[key], schema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, schema: JSON, instance: JSON, whole: Mapping[str, Any]) -> Errors:
    if isinstance(instance, dict):
        patterns = [compiled(pattern) for pattern in _patterns_of(whole)]
        known = whole.get("properties", {})
        for key in instance:
            if key not in known and not any(pattern.search(key) for pattern in patterns):
                if schema is False:
                    yield ValidationError("may not be there", path=[key])
                else:
                    yield from validator.descend(instance[key], schema, path=key)


def _unique_items(_: Validator, wanted: JSON, instance: JSON, __: JSON) -> Errors:
    if wanted and isinstance(instance, list) and len({comparable(item) for item in instance}) < len(instance):
        yield ValidationError("has an item twice")


_LINEAR: Mapping[str, Any] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}


def _reason(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "the answer"
    return f"{place} breaks the schema's {error.validator!s}"
