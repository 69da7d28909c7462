"""Rows 62, 63 and 66 of the threat model: what a scorer or an answer could be made to do. Each is named by its row."""

from __future__ import annotations

import ast
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from behaving import judged
from command import ci_eval
from http_server import Answer, Server
from making import case, golden, held, resources, scorer_set
from repo import Repo

import ci_eval as package
from ci_eval.errors import InputError
from ci_eval.reader import MIB
from ci_eval.scorers.base import Answer as Said


def refused(scorer: dict[str, Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        scorer_set(golden(case()), scorer)
    return caught.value


# --- 62: archives and compression bombs -------------------------------------------------------------------------------


def test_62_nothing_is_ever_unpacked() -> None:
    """Bodies are decoded by the HTTP library, piece by piece up to a cap."""
    used = set()
    for file in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            used |= {name.partition(".")[0] for name in names}
    assert not used & {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zipimport"}


def test_62_an_answer_that_unpacks_to_gigabytes_is_lost_and_no_score(repo: Repo) -> None:
    bomb = gzip.compress(b" " * 400 * MIB)
    assert len(bomb) < MIB
    with Server(Answer(body=bomb, headers={"Content-Encoding": "gzip"})) as server:
        repo.write(
            "ci-eval.yaml",
            f"version: 1\nproviders: {{house: {{api: openai, base_url: {server.origin}/v1}}}}\nsuites:\n  s:\n"
            "    target: {prompt: p.md, model: m.yaml}\n    golden: g.jsonl\n    scorers: [{type: exact}]\n",
        )
        repo.write("p.md", "Answer yes or no.")
        repo.write("m.yaml", "provider: house\nmodel: m\n")
        repo.write("g.jsonl", '{"id": "a", "input": "b", "expected": "yes"}\n')
        ran = ci_eval("run", "--repo", str(repo.folder), "--quiet")
    assert ran.code == 3
    assert "1 answer was refused or lost to infrastructure" in ran.err


# --- 63: patterns that never end --------------------------------------------------------------------------------------


def test_63_no_answer_keeps_a_pattern_busy() -> None:
    """With backtracking, each of these would take longer than there has been time."""
    answer = "a" * 100_000 + "!"
    for pattern in ("^(a+)+$", "^(a|a)*b$", "(.*a){20}b", "^(([a-z])+.)+[A-Z]([a-z])+$"):
        judged({"type": "regex", "pattern": pattern}, Said(answer))
        at = held({"s.json": json.dumps({"pattern": pattern})})
        one = case()
        (bound,) = scorer_set(golden(one), {"type": "json_schema", "schema": "s.json"}).bind(resources(at)).values()
        bound.score(Said(json.dumps(answer)), one)


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P=name)", "a++", "(?>a)b"])
def test_63_what_re2_cannot_do_is_refused_with_a_remedy(pattern: str) -> None:
    error = refused({"type": "regex", "pattern": pattern})
    assert "not a pattern that RE2 takes" in str(error)
    assert "look-around" in error.remedy


def test_63_a_pattern_is_at_most_a_kibibyte() -> None:
    scorer_set(golden(case()), {"type": "regex", "pattern": "a" * 1024})
    refused({"type": "regex", "pattern": "a" * 1025})


# --- 66: what accepts everything --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["", ".*", "a*", "^", "|", "(a|)", "x?"])
def test_66_a_pattern_that_accepts_the_empty_answer_is_refused(pattern: str) -> None:
    refused({"type": "regex", "pattern": pattern})


@pytest.mark.parametrize(
    "schema",
    [{}, True, [], {"title": "Reply"}, {"description": "a", "$comment": "b", "$defs": {"c": {"type": "null"}}}],
)
def test_66_a_schema_that_accepts_everything_is_refused(schema: object) -> None:
    at = held({"s.json": json.dumps(schema)})
    with pytest.raises(InputError, match="accepts everything"):
        scorer_set(golden(case()), {"type": "json_schema", "schema": "s.json"}).bind(resources(at))


@pytest.mark.parametrize(
    ("name", "fine", "wrong"), [("ipv4", "127.0.0.1", "127.0.0.256"), ("date", "2026-05-04", "2026-05-40")]
)
def test_66_formats_count(name: str, fine: str, wrong: str) -> None:
    at = held({"s.json": json.dumps({"prefixItems": [{"format": name}]})})
    one = case()
    (bound,) = scorer_set(golden(one), {"type": "json_schema", "schema": "s.json"}).bind(resources(at)).values()
    assert bound.score(Said(json.dumps([fine])), one).passed
    assert not bound.score(Said(json.dumps([wrong])), one).passed
