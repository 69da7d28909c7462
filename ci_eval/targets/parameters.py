"""The parameters of a prompt file, by the names and under the rules of the model config."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ci_eval.errors import InputError
from ci_eval.reader import Document, Path_, validate
from ci_eval.targets.model_config import ModelConfig

_NOT_PARAMETERS = frozenset({"provider", "model", "train", "extra"})
KNOWN = frozenset(ModelConfig.model_fields) - _NOT_PARAMETERS


def translated(document: Document, path: Path_, names: Mapping[str, str], model: str | None) -> Document:
    """The model and the mapping at `path`, its keys translated by `names`, each on its line.

    Raises InputError for a key that is not known, and for a value that a model config could not hold either.
    """
    found: dict[str, Any] = {}
    lines: dict[Path_, int] = {("model",): document.line(("model",))}
    for key, value in _at(document, path).items():
        neutral = names.get(key)
        if neutral not in KNOWN:
            raise _unknown(document, (*path, key), names)
        if neutral in found:
            raise document.error((*path, key), f'"{key}" says again what stands above it', "keep one of the two")
        found[neutral] = value
        lines[(neutral,)] = document.line((*path, key))
    checked = Document(document.file, {"provider": "p", "model": "m", **found}, document.line(path), lines)
    validate(ModelConfig, checked)
    return Document(document.file, {**({"model": model} if model else {}), **found}, document.first_line, lines)


def _at(document: Document, path: Path_) -> dict[str, Any]:
    value: Any = document.value
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _unknown(document: Document, path: Path_, names: Mapping[str, str]) -> InputError:
    known = sorted(name for name, neutral in names.items() if neutral in KNOWN)
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    remedy = f'write "{near[0]}"' if near else f"remove it; sent are {', '.join(known)}"
    return document.error(path, f'unknown parameter "{path[-1]}"', remedy)
