"""The one door to files, and the one reader of YAML, JSON and JSONL.

Strict on purpose: what a person skims in review and what the program acts on must be the same thing. So no duplicate
keys, no aliases or merge keys, no NaN, no number that a second parser would read otherwise, and caps on size and
depth. Whatever is wrong is an InputError that names file, line and remedy.
"""

from __future__ import annotations

from ci_eval.reader.documents import (
    CONFIG_LIMIT,
    FILE_LIMIT,
    KIB,
    MAX_DEPTH,
    MIB,
    ROW_LIMIT,
    Document,
    Path_,
    decode,
    text_lines,
)
from ci_eval.reader.files import append_lines, appending, read_file, write_file
from ci_eval.reader.json_text import parse_json, parse_reply, read_json, read_jsonl
from ci_eval.reader.models import Strict, validate, wrong
from ci_eval.reader.rows import each_row, read_document, read_rows
from ci_eval.reader.yaml_text import read_yaml

__all__ = [
    "CONFIG_LIMIT",
    "FILE_LIMIT",
    "KIB",
    "MAX_DEPTH",
    "MIB",
    "ROW_LIMIT",
    "Document",
    "Path_",
    "Strict",
    "append_lines",
    "appending",
    "decode",
    "each_row",
    "parse_json",
    "parse_reply",
    "read_document",
    "read_file",
    "read_json",
    "read_jsonl",
    "read_rows",
    "read_yaml",
    "text_lines",
    "validate",
    "write_file",
    "wrong",
]
