"""Documents checked against pydantic models: exact keys and types, and errors that say what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from ci_eval.errors import InputError
from ci_eval.reader.documents import (
    Document,
    Path_,
    quoted,
)
from ci_eval.reader.yaml_text import FLOAT
from ci_eval.text import JSON


class Strict(BaseModel):
    """A model that takes exactly its own keys and types."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        populate_by_name=False,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _name_the_unknown_key(cls, data: object) -> object:
        known = [info.alias or name for name, info in cls.model_fields.items()]
        given = data if isinstance(data, dict) else {}
        for key in given:
            if key not in known:
                free = [name for name in known if name not in given]
                near = [one for names in (free, known) for one in difflib.get_close_matches(str(key), names, 1, 0.5)]
                remedy = f'write "{near[0]}"' if near else f"remove it; known are {', '.join(known)}"
                raise PydanticCustomError("unknown_key", "unknown key", {"key": str(key), "remedy": remedy})
        return data


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: Document) -> Model:
    """The document as a model; raises InputError for the first thing that is wrong."""
    value = document.value
    if not isinstance(value, dict):
        raise document.error((), "not a mapping of keys to values", "write key: value pairs")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = _most_telling(error.errors(include_url=False, include_input=False), value)
    except RecursionError:
        raise document.error((), "nested too deeply", "flatten it") from None
    raise _as_input_error(details, document)


_KINDS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "none_required": "null",
    "string_type": "text",
}
_LIMITS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
    "string_pattern_mismatch": ("must match", "pattern"),
    "string_too_long": ("has more characters than", "max_length"),
    "string_too_short": ("has fewer characters than", "min_length"),
    "too_long": ("has more entries than", "max_length"),
    "too_short": ("has fewer entries than", "min_length"),
}


def _most_telling(errors: Sequence[ErrorDetails], value: JSON) -> ErrorDetails:
    """The first error; where several types are allowed, that of the type which was meant, or one that names them all.

    Of `golden: text | list[text]` pydantic says for `[1]` that the list is no text, and then that 1 is none.
    """
    first = errors[0]
    path = _path_in(value, first["loc"])
    same_place = [error for error in errors if _path_in(value, error["loc"])[: len(path)] == path]
    if not _words(first):
        return first
    meant = [error for error in same_place if not _words(error) or len(_path_in(value, error["loc"])) > len(path)]
    if meant:
        return _most_telling(meant, value)
    words = dict.fromkeys(_words(error) for error in same_place)
    if "a number" in words:
        words.pop("a whole number", None)
    return {**first, "type": "kind", "ctx": {"words": " or ".join(words)}}


def _words(error: ErrorDetails) -> str:
    """What was expected; empty where something of the right type is wrong."""
    return str(error["ctx"]["expected"]) if error["type"] == "literal_error" else _KINDS.get(error["type"], "")


def _as_input_error(details: ErrorDetails, document: Document) -> InputError:
    path = _path_in(document.value, details["loc"])
    context = details.get("ctx", {})
    name = ".".join(str(part) for part in path)
    if details["type"] == "unknown_key":
        problem = f"unknown key {quoted(context['key'])}" + (f" in {name}" if name else "")
        return document.error((*path, context["key"]), problem, context["remedy"])
    if details["type"] == "missing":
        key = details["loc"][-1]
        problem, remedy = f'"{key}" is missing', f'add "{key}"'
    else:
        problem, remedy = _problem(details, context, _value_at(document.value, path))
    return document.error(path, f"{name}: {problem}" if name else problem, remedy)


def _problem(details: ErrorDetails, context: Mapping[str, Any], value: object) -> tuple[str, str]:
    if details["type"] == "kind":
        return f"must be {context['words']}", _remedy(context["words"], value)
    if details["type"] in _LIMITS:
        words, limit = _LIMITS[details["type"]]
        if context[limit] == 1 and "fewer" in words:
            return "is empty", "write a value"
        return f"{words} {context[limit]}", "correct the value"
    return details["msg"][:1].lower() + details["msg"][1:], str(context.get("remedy", "correct the value"))


def _remedy(words: str, value: object) -> str:
    if value is None:
        return "write a value"
    if words == "text" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if words.endswith("number") and isinstance(value, str) and FLOAT.fullmatch(value):
        return "write it without quotes"
    return _EXAMPLES.get(words, "correct the value")


_EXAMPLES = {
    "a list": "write [one, another], or one item a line after a dash",
    "a mapping": "write key: value pairs",
}


def _value_at(value: Any, path: Path_) -> object:
    for part in path:
        value = value[part]
    return value


def _path_in(value: object, location: Iterable[str | int]) -> Path_:
    """The part of pydantic's location that the file knows: it also names union branches and missing keys."""
    path: list[str | int] = []
    for part in location:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]  # type: ignore[index]
            path.append(part)
    return tuple(path)


def wrong(problem: str, remedy: str) -> PydanticCustomError:
    """What a validator raises: `validate` adds file and line."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "remedy": remedy})
