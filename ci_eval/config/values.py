"""Values that several parts of `ci-eval.yaml` hold: names, paths, addresses, limits. Each is checked as it is read."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from ci_eval.errors import InputError
from ci_eval.origin import origin_of
from ci_eval.reader import wrong

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
WORKFLOW_TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable
_OURS = frozenset({"model", "messages", "n", "stream", "stream_options"})


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise wrong("not a name", "write lower-case letters, digits, _ and -, starting with a letter")
    return value


def _repo_path(value: str) -> str:
    odd = len(value) > 300 or not value.isprintable() or "\\" in value
    if odd or {"", ".", ".."} & {*value.split("/")}:
        raise wrong("not a path in the repository", "write it relative to the root, as in prompts/support.md")
    return value


def _key_env(value: str, info: ValidationInfo) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
        raise wrong("not the name of an environment variable", "write capitals, digits and _")
    if value == WORKFLOW_TOKEN and info.data.get("api") == "github":
        return value
    if value.startswith(("GITHUB_", "ACTIONS_", "RUNNER_", "INPUT_")):
        raise wrong("a variable of the runner cannot be a model's key", "name the variable that holds the model's key")
    return value


def _function(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,199}:[A-Za-z_][A-Za-z0-9_]{0,99}", value):
        raise wrong("not a function", "write module:function, as in app.pipeline:answer")
    return value


def _base_url(value: str) -> str:
    try:
        origin_of(value)
    except InputError as error:
        raise wrong(error.problem, error.remedy) from None
    return value


def _extra(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", value) or value in _OURS:
        raise wrong("not a parameter that a model config may set", "name one of the server's own, as in min_p")
    return value


Name = Annotated[str, AfterValidator(_name)]
"""Of a suite, provider or dimension."""
RepoPath = Annotated[str, AfterValidator(_repo_path)]
"""Of a file, or a pattern for several, from the root of the repository."""
KeyVariable = Annotated[str, AfterValidator(_key_env)]
"""An environment variable that holds a key or a setting: none of the runner's own."""
BaseUrl = Annotated[str, AfterValidator(_base_url)]
ExtraName = Annotated[str, AfterValidator(_extra)]
"""A parameter of the server's own."""
PointLimit = Annotated[int | float, Field(gt=0, le=100)]
"""Of points on the 0-100 scale."""
FieldPath = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
"""A part of a JSON value, as in `order.items.0`."""
Function = Annotated[str, AfterValidator(_function)]
