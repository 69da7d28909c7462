"""`ci-eval schema`: the JSON Schema of each file format, for editors and for `check-jsonschema`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

FORMATS = ("config", "case", "model", "rubric", "label", "run-header", "run-record")


@click.command()
@click.argument("name", metavar="[FORMAT]", type=click.Choice(FORMATS), default="config")
def schema(name: str) -> int:
    """Print the JSON Schema of a file format.

    FORMAT is config (the default), case, model, rubric, label, run-header or run-record.
    """
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema(name)}, indent=2))
    return 0


def _schema(name: str) -> dict[str, Any]:
    from ci_eval.config import Policy
    from ci_eval.evaluation.labels import LabelRow
    from ci_eval.golden.cases import Case
    from ci_eval.records import Header, Record
    from ci_eval.scorers.rubric import Rubric
    from ci_eval.targets.model_config import ModelConfig

    models: dict[str, type[BaseModel]] = {
        "config": Policy,
        "case": Case,
        "model": ModelConfig,
        "rubric": Rubric,
        "label": LabelRow,
        "run-header": Header,
        "run-record": Record,
    }
    found: dict[str, Any] = models[name].model_json_schema(by_alias=True)
    if name == "config":
        _add_scorers(found, found["$defs"]["SuitePolicy"]["properties"]["scorers"])
    if name == "case":
        _add_scorers(found, found["properties"]["scorers"])
    _name_bounds(found)
    return found


_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def _name_bounds(part: object) -> None:
    """Of a union (`int | float`) pydantic leaves the bounds under its own names, which no validator knows."""
    if isinstance(part, dict):
        for name, bound in _BOUNDS.items():
            if "anyOf" in part and name in part:
                part[bound] = part.pop(name)
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _name_bounds(inner)


def _add_scorers(found: dict[str, Any], place: dict[str, Any]) -> None:
    """Every kind of scorer has its own keys; the config model leaves them to the registry."""
    from ci_eval.scorers.registry import SCORERS, policy_class

    for kind in SCORERS:
        own = policy_class(kind).model_json_schema(by_alias=True)
        found.setdefault("$defs", {}).update(own.pop("$defs", {}))
        found["$defs"][f"scorer_{kind}"] = own
    place["items"] = {"oneOf": [{"$ref": f"#/$defs/scorer_{kind}"} for kind in SCORERS]}
