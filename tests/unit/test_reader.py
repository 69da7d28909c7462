"""One reader for YAML, JSON, JSONL and CSV: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from ci_eval.errors import InputError
from ci_eval.reader import (
    CONFIG_LIMIT,
    MAX_DEPTH,
    ROW_LIMIT,
    Document,
    Strict,
    append_lines,
    decode,
    parse_json,
    parse_reply,
    read_document,
    read_file,
    read_json,
    read_jsonl,
    read_rows,
    read_yaml,
    text_lines,
    validate,
    write_file,
)

Read = Callable[[bytes, str], object]


def refusal(read: Read, data: str | bytes, file: str = "f") -> InputError:
    with pytest.raises(InputError) as caught:
        read(data.encode() if isinstance(data, str) else data, file)
    return caught.value


def said(read: Read, data: str | bytes) -> str:
    return str(refusal(read, data))


class TestText:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"fine\n\xff", "f:2: not UTF-8; save the file as UTF-8"),
            (b"\xed\xa0\x80", "f:1: not UTF-8; save the file as UTF-8"),
            (b"a\nb\n\xc3", "f:3: not UTF-8; save the file as UTF-8"),
            ("\ufeffa: 1".encode(), "f:1: starts with a byte-order mark; save as UTF-8 without BOM"),
            ("a: 1".encode("utf-16"), "f:1: not UTF-8; save the file as UTF-8"),
        ],
    )
    def test_only_utf_8_without_a_mark(self, data: bytes, message: str) -> None:
        assert said(decode, data) == message

    def test_only_up_to_the_limit(self) -> None:
        assert decode(b"x" * 2048, "f", limit=2048) == "x" * 2048
        message = said(lambda data, file: decode(data, file, limit=2048), b"x" * 2049)
        assert message == "f: larger than 2 KiB; split it or make it smaller"

    def test_lines_end_with_a_line_feed_only(self) -> None:
        assert list(text_lines("a\u2028b\x0cc\r\nd\x85\n\n")) == ["a\u2028b\x0cc\r", "d\x85", ""]


class TestYaml:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("on: off", {"on": "off"}),
            ("yes: no", {"yes": "no"}),
            ("a: 010", {"a": "010"}),
            ("a: 1:30", {"a": "1:30"}),
            ("a: 0x1f", {"a": "0x1f"}),
            ("a: 1_000", {"a": "1_000"}),
            ("a: 2026-05-04", {"a": "2026-05-04"}),
            ("a: True", {"a": "True"}),
            ("a: =", {"a": "="}),
            ("a: [1, -2, +3, 1., .5, 1e3, -0.0]", {"a": [1, -2, 3, 1.0, 0.5, 1000.0, -0.0]}),
            ("a: ['1', \"true\", ~, null, true, '']", {"a": ["1", "true", None, None, True, ""]}),
            ("a: 00.5", {"a": "00.5"}),
            ("a: [b!, c&d, e*f, g<<]", {"a": ["b!", "c&d", "e*f", "g<<"]}),
            ("a: '<<'\n'<<': b", {"a": "<<", "<<": "b"}),
            ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
            ("1: one", {"1": "one"}),
            ("# nothing\n", None),
            ("", None),
            ("---\na: 1\n...\n", {"a": 1}),
            (f"a: {'9' * 101}", {"a": "9" * 101}),
        ],
    )
    def test_the_core_schema_of_1_2(self, text: str, value: object) -> None:
        assert repr(read_yaml(text.encode(), "f").value) == repr(value)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 'f:5: the key "c" stands here twice; keep one of them'),
            ("a: 1\n'a': 2\n", 'f:2: the key "a" stands here twice; keep one of them'),
            ("- {a: 1, b: {x: 1, x: 2}}", 'f:1: the key "x" stands here twice; keep one of them'),
            ("a: &x 1\nb: 2\n", "f:1: an anchor or alias (& or *); write the value out, or quote it"),
            ("a: 1\nb: *x\n", "f:2: an anchor or alias (& or *); write the value out, or quote it"),
            ("a: 1\n&x b: 2\n", "f:2: an anchor or alias (& or *); write the value out, or quote it"),
            ("a: {}\nb:\n  <<: {a: 1}\n", "f:3: a merge key (<<); write the keys out"),
            ("a: !!python/object/apply:os.system [id]\n", "f:1: a tag (!); remove it, or quote the value"),
            ("a: !!binary aGk=\n", "f:1: a tag (!); remove it, or quote the value"),
            ("a: ! 12\n", "f:1: a tag (!); remove it, or quote the value"),
            ("a: 1\n# fine\rb: 2", "f:2: a line break that is not seen (U+000D); end lines with LF or CRLF"),
            ("# fine\u2028b: 2\n", "f:1: a line break that is not seen (U+2028); end lines with LF or CRLF"),
            ("# fine\u2029b: 2\n", "f:1: a line break that is not seen (U+2029); end lines with LF or CRLF"),
            ("# fine\x85b: 2\n", "f:1: a line break that is not seen (U+0085); end lines with LF or CRLF"),
            ("a: !x\n  b: 1\n", "f:1: a tag (!); remove it, or quote the value"),
            ("!!str a: 1\n", "f:1: a tag (!); remove it, or quote the value"),
            ("a:\n- .nan\n", "f:2: a number that is not finite; write a finite number, or quote the word"),
            ("a: -.INF", "f:1: a number that is not finite; write a finite number, or quote the word"),
            ("a: 1e400", "f:1: a number too large; write a smaller number, or quote the word"),
            ("? [a]\n: 1\n", "f:1: a key that is not a word; write a plain key"),
            ("? {a: 1}\n: 1\n", "f:1: a key that is not a word; write a plain key"),
            ("a: 1\n---\nb: 2\n", "f:2: a second document; keep one document a file"),
            ("a: 1\nb:\n\tc: 2\n", "f:3: not YAML: a tab; indent with blanks"),
            ("a: 1\nb: @c\n", "f:2: not YAML: a text that starts with @; put it in quotes"),
            ("a: `c`\n", "f:1: not YAML: a text that starts with `; put it in quotes"),
            (
                "a: b: c\n",
                "f:1: not YAML: mapping values are not allowed in this context; "
                'put a text that holds ": " in quotes, or correct the indentation',
            ),
            ("a: 1\nb: 'c\nd: 2\n", "f:2: not YAML: found unexpected end of stream; correct the syntax"),
            ("a: 1\nb: [c,\n", "f:3: not YAML: did not find expected node content; correct the syntax"),
            ("a: [1\nb: 2\n", "f:2: not YAML: did not find expected ',' or ']'; correct the syntax"),
            ("- a\n-b\n- c\n", "f:2: not YAML: could not find expected ':'; correct the syntax"),
            ("a: 1\nb: \x07\n", "f:2: not YAML: a character that may not stand here; remove it"),
            ("é: 1\n\n\nb: \x00\n", "f:4: not YAML: a character that may not stand here; remove it"),
            ('a: "\\q"\n', "f:1: not YAML: found unknown escape character; correct the syntax"),
        ],
    )
    def test_what_is_refused_and_where(self, text: str, message: str) -> None:
        assert said(read_yaml, text) == message

    @pytest.mark.parametrize(("open_", "close"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
    def test_depth(self, open_: str, close: str) -> None:
        """As deep as the limit is well; one deeper is refused, and so is a hundred thousand."""
        deep = MAX_DEPTH
        assert read_yaml((open_ * deep + "1" + close * deep).encode(), "f").value
        for depth in (deep + 1, 50_000):
            assert "nested deeper than 50; flatten it" in said(read_yaml, open_ * depth + "1" + close * depth)

    def test_lines_of_everything(self) -> None:
        document = read_yaml(b"# first\na:\n  b: 1\n  c:\n  - x\n  - {d: 1,\n     e: 2}\n", "f")
        assert document.line(("a",)) == 2
        assert document.line(("a", "b")) == 3
        assert document.line(("a", "c", 0)) == 5
        assert document.line(("a", "c", 1, "e")) == 7
        assert document.line(("a", "c", 1, "not there")) == 6
        assert document.line(("not there",)) == 2

    def test_the_size(self) -> None:
        assert said(read_yaml, b"#" * (CONFIG_LIMIT + 1)) == "f: larger than 256 KiB; split it or make it smaller"


class TestJson:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"a": 1,\n "b": 2,\n "a": 3}', 'f:3: the key "a" stands here twice; keep one of them'),
            (
                '{"x": {"a": 1,\n "a": 2},\n "b": "a",\n "c": ["a"]}',
                'f:2: the key "a" stands here twice; keep one of them',
            ),
            (
                '{"b": {"b": 1},\n "c": [{"b": 1},\n {"b": 2, "b": 3}]}',
                'f:3: the key "b" stands here twice; keep one of them',
            ),
            ('{"a": 1,\n"\\u0061": 2}', 'f:2: the key "a" stands here twice; keep one of them'),
            ('{"": 1,\n"": 2,\n"z": 3}', 'f:2: the key "" stands here twice; keep one of them'),
            ('["NaN",\nNaN,\n"NaN"]', "f:2: NaN is not a number in JSON; write a finite number or null"),
            ('{"a":\n-Infinity}\n', "f:2: -Infinity is not a number in JSON; write a finite number or null"),
            ("[1,\n1e400,\n1]", "f:2: a number too large; write a finite number"),
            (f"[1,\n-{'9' * 101}]", "f:2: a number of more than 100 digits; write it as text"),
            ('{"a": "x",\n "b": "\\ud800"}', "f:2: half of a surrogate pair; write the whole character"),
            ('{"a": 1,\n "\\udc00": 1}', "f:2: half of a surrogate pair; write the whole character"),
            (
                '{"a": 1,\n}',
                "f:2: not JSON: Expecting property name enclosed in double quotes; correct the syntax at column 1",
            ),
            ('{"a": 1} x', "f:1: not JSON: Extra data; correct the syntax at column 10"),
            ('["a\nb"]', "f:1: not JSON: Invalid control character at; correct the syntax at column 4"),
            ("", "f:1: not JSON: Expecting value; correct the syntax at column 1"),
            (
                "{'a': 1}",
                "f:1: not JSON: Expecting property name enclosed in double quotes; correct the syntax at column 2",
            ),
            ("[1,\n// two\n2]", "f:2: not JSON: Expecting value; correct the syntax at column 1"),
            ("[01]", "f:1: not JSON: Expecting ',' delimiter; correct the syntax at column 3"),
            ("[" * 10 + "\n" + "[" * 42 + "]" * 52, "f:2: nested deeper than 50; flatten it"),
            ("[\n" * 100_000, "f:52: nested deeper than 50; flatten it"),
        ],
    )
    def test_what_is_refused_and_where(self, text: str, message: str) -> None:
        assert said(read_json, text) == message

    def test_as_deep_as_the_limit(self) -> None:
        assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "f").value

    def test_lines_of_everything(self) -> None:
        text = '{\n "a": 1,\n "b": [\n  "x",\n  {"c": 2,\n   "d": [3]}\n ],\n "e":\n  4\n}'
        document = read_json(text.encode(), "f")
        expected = {
            (): 1, ("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5, ("b", 1, "d"): 6,
            ("b", 1, "d", 0): 6, ("e",): 8,
        }  # fmt: skip
        assert document.lines == expected

    def test_text_in_strings_is_no_syntax(self) -> None:
        document = read_json(rb'{"a{[,:\"]}": "x,\n{", "b": 1}', "f")
        assert set(document.lines) == {(), ('a{[,:"]}',), ("b",)}

    def test_a_separator_of_lines_in_a_string_is_text(self) -> None:
        assert [row.value for row in read_jsonl('"a\u2028b"\n"c\u0085d"'.encode(), "f")] == ["a\u2028b", "c\x85d"]

    def test_the_message_stays_short_and_in_one_line(self) -> None:
        key = "\\n::error::\\u001b[31m" + "x" * 5000
        message = said(read_json, f'{{"{key}": 1, "{key}": 2}}')
        assert len(message) < 300
        assert message.isprintable()
        assert "::" not in message

    def test_a_reply_is_mended_where_a_model_was_cut_off(self) -> None:
        assert parse_reply(b'{"a": "x\\ud83d"}') == {"a": "x?"}
        assert parse_reply(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}

    def test_many_keys_are_no_work(self) -> None:
        """A key that stands twice among fifty thousand is found in one pass."""
        keys = ",".join(f'"k{number}": 1' for number in range(50_000))
        message = said(lambda data, file: read_json(data, file, limit=2**20), f'{{{keys},\n"k49999": 2}}')
        assert message == 'f:2: the key "k49999" stands here twice; keep one of them'


class TestJsonl:
    def test_blank_lines_are_passed_over_and_counted(self) -> None:
        rows = read_jsonl(b'{"a": 1}\r\n\n \t\n{"a": 2}', "f")
        assert [(row.value, row.first_line) for row in rows] == [({"a": 1}, 1), ({"a": 2}, 4)]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"a": 1}\n{"a": 1, "a": 2}\n', 'f:2: the key "a" stands here twice; keep one of them'),
            ('{"a": 1}\n\n{"a": nan}\n', "f:3: not JSON: Expecting value; correct the syntax at column 7"),
            ('1\n"' + "x" * ROW_LIMIT + '"', "f:2: a row of more than 1 MiB; shorten it"),
            ("[\n1\n]\n", "f:1: not JSON: Expecting value; correct the syntax at column 2"),
        ],
    )
    def test_a_row_is_named_by_its_line(self, text: str, message: str) -> None:
        assert said(read_jsonl, text) == message


class TestRows:
    ROWS: ClassVar = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]

    @pytest.mark.parametrize(
        ("file", "text", "lines"),
        [
            ("f.jsonl", '{"id": "a", "n": 1}\n{"id": "b", "n": 2}\n', [1, 2]),
            ("f.json", '[\n {"id": "a", "n": 1},\n {"id": "b",\n "n": 2}\n]\n', [2, 3]),
            ("f.yaml", "# two\n- id: a\n  n: 1\n- {id: b, n: 2}\n", [2, 4]),
            ("f.yml", "- {id: a, n: 1}\n-\n  id: b\n  n: 2\n", [1, 3]),
        ],
    )
    def test_each_with_its_line(self, file: str, text: str, lines: list[int]) -> None:
        rows = read_rows(text.encode(), file)
        assert [row.value for row in rows] == self.ROWS
        assert [row.first_line for row in rows] == lines

    def test_lines_within_a_row(self) -> None:
        (row,) = read_rows(b"- id: a\n  deep:\n    x: 1\n", "f.yaml")
        assert row.line(("deep", "x")) == 3

    @pytest.mark.parametrize("file", ["f.json", "f.yaml"])
    def test_anything_but_a_list(self, file: str) -> None:
        assert said(lambda data, _: read_rows(data, file), "{}") == (
            f"{file}:1: not a list of rows; write a list, one item a row"
        )

    def test_many_rows_are_no_work(self) -> None:
        text = "".join(f"- {{a: {number}}}\n" for number in range(20_000))
        assert read_rows(text.encode(), "f.yaml")[-1].first_line == 20_000


class TestCsv:
    def test_cells(self) -> None:
        text = '\ufeffid,input,expected\r\na,"two\nlines",\r\n\r\nb,"x ""y""","{""c"": [1]}"\r\n'
        rows = read_rows(text.encode(), "f.csv")
        assert [row.value for row in rows] == [
            {"id": "a", "input": "two\nlines"},
            {"id": "b", "input": 'x "y"', "expected": {"c": [1]}},
        ]
        assert [row.first_line for row in rows] == [2, 5]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a,a\n1,2\n", "f.csv:1: two columns of one name, or one without; name each once"),
            ("a,,c\n1,2,3\n", "f.csv:1: two columns of one name, or one without; name each once"),
            ("a,b\n1,2\n1\n", "f.csv:3: more or fewer cells than columns; quote the commas"),
            ('a,b\n"1\n1",2,3\n', "f.csv:2: more or fewer cells than columns; quote the commas"),
            ('a,b\n1,2\n1,"2" x\n', "f.csv:3: not CSV: ',' expected after '\"'; correct the quoting"),
            ('a\n1\n"2\n', "f.csv:3: not CSV: unexpected end of data; correct the quoting"),
            ('a\n"{""b"": 1, ""b"": 2}"\n', 'f.csv:2: the key "b" stands here twice; keep one of them'),
            ("a\n1\r2\n", "f.csv:2: a line break that is not seen (U+000D); end lines with LF or CRLF"),
            ("a\n[1\n", "f.csv:2: not JSON: Expecting ',' delimiter; correct the syntax at column 3"),
            (f"a\n{'x' * 200_000}\n", "f.csv:2: not CSV: field larger than field limit (131072); correct the quoting"),
        ],
    )
    def test_what_is_refused_and_where(self, text: str, message: str) -> None:
        assert said(lambda data, _: read_rows(data, "f.csv"), text) == message

    def test_nothing(self) -> None:
        assert read_rows(b"", "f.csv") == []


class Inner(Strict):
    count: Annotated[int, Field(ge=1, le=9)] = 1
    label: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=5)] = "a"


class Outer(Strict):
    max_drop: Annotated[int | float, Field(gt=0, lt=100)] = 1
    kind: Literal["one", "two"] = "one"
    version: Literal[1] = 1
    on: bool = True
    names: Annotated[list[str], Field(min_length=1, max_length=3)] = Field(default_factory=lambda: ["x"])
    either: str | list[str] = "x"
    limit: Annotated[int | float, Field(gt=0)] | Literal["any"] = 1
    inner: Inner = Inner()
    by_name: dict[str, Inner] = Field(default_factory=dict)
    from_: str = Field(default="x", alias="from")


class Needy(Strict):
    needed: Inner
    also: str = Field(alias="from")


class TestModels:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("max_drop: 0", "max_drop: must be more than 0; correct the value"),
            ("max_drop: -1.5", "max_drop: must be more than 0; correct the value"),
            ("max_drop: 100", "max_drop: must be less than 100; correct the value"),
            ("max_drop: '1'", "max_drop: must be a number; write it without quotes"),
            ("max_drop: much", "max_drop: must be a number; correct the value"),
            ("max_drop: true", "max_drop: must be a number; correct the value"),
            ("max_drop:", "max_drop: must be a number; write a value"),
            ("max_drop: [1]", "max_drop: must be a number; correct the value"),
            ("inner: {count: 0}", "inner.count: must be at least 1; correct the value"),
            ("inner: {count: 10}", "inner.count: must be at most 9; correct the value"),
            ("inner: {count: 1.5}", "inner.count: must be a whole number; correct the value"),
            ("inner: {count: 1.0}", "inner.count: must be a whole number; correct the value"),
            ("inner: {label: 7}", "inner.label: must be text; put it in quotes"),
            ("inner: {label: true}", "inner.label: must be text; put it in quotes"),
            ("inner: {label: A}", "inner.label: must match ^[a-z]+$; correct the value"),
            ("inner: {label: abcdefg}", "inner.label: has more characters than 5; correct the value"),
            ("inner: 3", "inner: must be a mapping; write key: value pairs"),
            ("inner: [1]", "inner: must be a mapping; write key: value pairs"),
            ("by_name: {a: {count: x}}", "by_name.a.count: must be a whole number; correct the value"),
            ("by_name: []", "by_name: must be a mapping; write key: value pairs"),
            ("kind: three", "kind: must be 'one' or 'two'; correct the value"),
            ("version: 2", "version: must be 1; correct the value"),
            ("version: '1'", "version: must be 1; correct the value"),
            ("on: 1", "on: must be true or false; correct the value"),
            ("on: 'true'", "on: must be true or false; correct the value"),
            ("names: a", "names: must be a list; write [one, another], or one item a line after a dash"),
            ("names: []", "names: is empty; write a value"),
            ("names: [a, b, c, d]", "names: has more entries than 3; correct the value"),
            ("names: [a, 2]", "names.1: must be text; put it in quotes"),
            ("either: 3", "either: must be text or a list; correct the value"),
            ("either: [a, 3]", "either.1: must be text; put it in quotes"),
            ("limit: some", "limit: must be a number or 'any'; correct the value"),
            ("limit: 0", "limit: must be more than 0; correct the value"),
            ("max_dorp: 1", 'unknown key "max_dorp"; write "max_drop"'),
            ("inner: {cuont: 1}", 'unknown key "cuont" in inner; write "count"'),
            ("inner: {zzz: 1}", 'unknown key "zzz" in inner; remove it; known are count, label'),
            ("by_name: {a: {lable: x}}", 'unknown key "lable" in by_name.a; write "label"'),
            ("from_: x", 'unknown key "from_"; write "from"'),
            ("k\u0456nd: one", 'unknown key "k\u0456nd"; write "kind"'),
            ("- 1", "not a mapping of keys to values; write key: value pairs"),
            ("", "not a mapping of keys to values; write key: value pairs"),
        ],
    )
    def test_what_is_wrong_and_what_to_write(self, text: str, message: str) -> None:
        assert said(lambda data, file: validate(Outer, read_yaml(data, file)), text) == f"f:1: {message}"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("from: x\n", 'f:1: "needed" is missing; add "needed"'),
            ("needed: {}\n", 'f:1: "from" is missing; add "from"'),
        ],
    )
    def test_missing_keys(self, text: str, message: str) -> None:
        assert said(lambda data, file: validate(Needy, read_yaml(data, file)), text) == message

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("on: true\n\ninner:\n  label: a\n  count: 0\n", 5),
            ("on: true\nby_name:\n  a: {}\n  b:\n    cuont: 3\n", 5),
            ("names:\n- a\n- 2\n", 3),
            ("inner:\n  label: |\n    UP\n  count: 1\n", 2),
        ],
    )
    def test_the_line(self, text: str, line: int) -> None:
        assert refusal(lambda data, file: validate(Outer, read_yaml(data, file)), text).line == line

    def test_json_and_yaml_say_the_same(self) -> None:
        text = '{"on": true,\n "inner": {"label": "a",\n  "count": 0}}'
        messages = {
            said(lambda data, file, read=read: validate(Outer, read(data, file)), text)  # type: ignore[misc]
            for read in (read_json, read_yaml)
        }
        assert messages == {"f:3: inner.count: must be at least 1; correct the value"}

    def test_a_good_one(self) -> None:
        text = b"max_drop: 0.5\nfrom: y\neither: [a]\nlimit: any\nby_name: {a: {count: 2}}"
        model = validate(Outer, read_yaml(text, "f"))
        assert (model.max_drop, model.from_, model.either, model.limit) == (0.5, "y", ["a"], "any")
        assert model.by_name["a"].count == 2


class TestFiles:
    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        missing = tmp_path / "missing"
        assert said(lambda _, __: read_file(missing), b"") == (
            f"{missing}: cannot be read ({os.strerror(errno.ENOENT)}); check the path"
        )
        assert "cannot be read" in said(lambda _, __: read_file(tmp_path), b"")

    def test_no_more_than_the_limit_is_read(self) -> None:
        message = said(lambda _, __: read_file(Path("/dev/zero"), limit=2**20), b"")
        assert message == "/dev/zero: larger than 1 MiB; make it smaller"

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("untouched")
        link = tmp_path / "new" / "report.md"
        link.parent.mkdir()
        link.symlink_to(victim)
        write_file(link, b"report")
        assert (victim.read_text(), link.read_text(), link.is_symlink()) == ("untouched", "report", False)
        assert [path.name for path in link.parent.iterdir()] == ["report.md"]

    def test_folders_are_made_on_the_way(self, tmp_path: Path) -> None:
        write_file(tmp_path / "a" / "b", b"x")
        assert (tmp_path / "a" / "b").read_bytes() == b"x"

    def test_lines_are_added(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        append_lines(path, ["a", "b"])
        append_lines(path, ["c"])
        assert path.read_text() == "a\nb\nc\n"


# --- whatever comes in ------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)
yaml_words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]), max_size=12
).filter(
    lambda word: (
        not re.fullmatch(r"[-+.eE0-9]+", word)
    )  # `0E0` is a number to YAML 1.2, and a word to the library's 1.1
)
yaml_plain = st.recursive(
    st.none() | st.booleans() | numbers | yaml_words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(yaml_words, inner, max_size=4),
    max_leaves=20,
)
fragments = st.sampled_from(
    [b"{", b"}", b"[", b"]", b":", b": ", b",", b"- ", b"\n", b"\r", b"\t", b"  ", b'"', b"'", b"&a", b"*a", b"<<: ",
     b"!!int ", b"!", b"|", b">", b"%", b"@", b"?", b"~", b"NaN", b"-Infinity", b"1e999", b"0x1", b"\\", b"\\ud800",
     b"\xff", b"\xef\xbb\xbf", b"\x00", b"\x85", b"\xe2\x80\xa8", b"---", b"...", b"#", b"a", b'"a"', b"null",
     b"[" * 60]
)  # fmt: skip
hostile = st.binary(max_size=60) | st.lists(fragments, max_size=30).map(b"".join)


def refused(act: Callable[[], object]) -> InputError | None:
    try:
        act()
    except InputError as error:
        return error
    return None


class TestWhateverComesIn:
    @given(plain, st.sampled_from([None, 1]))
    def test_json_reads_what_json_writes(self, value: object, indent: int | None) -> None:
        text = json.dumps(value, indent=indent)
        document = read_json(text.encode(), "f")
        assert document.value == json.loads(text)
        assert set(document.lines) == set(paths(document.value))
        assert max(document.lines.values()) <= text.count("\n") + 1

    @given(yaml_plain, st.booleans())
    def test_yaml_reads_what_yaml_writes(self, value: object, flow: bool) -> None:
        """Quoted where its own rules ask for it; `on`, `1:30` and dates are text to both then."""
        text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
        ours = read_yaml(text.encode(), "f").value
        assert ours == yaml.load(text, Loader=yaml.CSafeLoader)

    @given(yaml_plain)
    def test_yaml_reads_json(self, value: object) -> None:
        text = json.dumps(value, ensure_ascii=False)
        assert read_yaml(text.encode(), "f").value == json.loads(text)

    @settings(max_examples=400)
    @given(hostile, st.sampled_from(["f.yaml", "f.json", "f.jsonl", "f.csv"]))
    def test_bytes_are_read_or_refused_in_one_line(self, data: bytes, file: str) -> None:
        for read in (read_rows, read_document, read_jsonl):
            error = refused(lambda read=read: read(data, file))  # type: ignore[misc]
            if error:
                assert error.file == file
                assert error.line is None or 1 <= error.line <= data.count(b"\n") + 1
                assert str(error).isprintable()
                assert error.remedy

    @given(hostile)
    def test_whatever_was_read_is_finite_and_encodable(self, data: bytes) -> None:
        for read in (read_json, read_yaml):
            try:
                value = read(data, "f").value
            except InputError:
                continue
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()

    @given(hostile, st.integers(1, 10))
    def test_a_model_refuses_in_one_line(self, data: bytes, first: int) -> None:
        error = refused(lambda: validate(Outer, Document("f", read_yaml(data, "f").value, first)))
        assert error is None or (str(error).startswith("f") and str(error).isprintable())

    @given(st.dictionaries(st.sampled_from([*Outer.model_fields, "from", "maxdrop"]), plain, max_size=3))
    def test_a_model_refuses_any_value_without_showing_it(self, value: dict[str, Any]) -> None:
        canary = "c4n4ry"
        document = Document("f", {key: _marked(item, canary) for key, item in value.items()})
        error = refused(lambda: validate(Outer, document))
        assert canary not in str(error)


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [at, *(path for key, item in inner for path in paths(item, (*at, key)))]


def _marked(value: object, canary: str) -> object:
    """The value with the canary in each of its texts; keys are names, which a message may show."""
    if isinstance(value, dict):
        return {key: _marked(item, canary) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, canary) for item in value]
    return f"{canary}{value}" if isinstance(value, str) else value


def test_the_same_number_on_every_way_in() -> None:
    for text in ("0.1", "1e-7", "-0.0", "123456789012345678901234567890", "5e-324", "1.7976931348623157e308"):
        values = [parse_json(text), read_yaml(text.encode(), "f").value]
        assert [repr(value) for value in values] == [repr(json.loads(text))] * 2
        assert isinstance(values[0], int | float)
        assert math.isfinite(values[0])


def test_a_long_problem_does_not_push_the_remedy_out() -> None:
    message = str(InputError(f"unknown word {'x' * 100_000}", remedy="write yes or no", file="f", line=3))
    assert message.startswith("f:3: unknown word xxx")
    assert message.endswith(" more characters); write yes or no")
    assert len(message) < 500


def test_a_name_with_hidden_characters_is_shown_as_such() -> None:
    error = InputError("odd", remedy="rename it", file="a\u202eb\n", line=3)
    assert str(error) == "a\\u{202e}b\\u{a}:3: odd; rename it"
    assert not {unicodedata.category(char) for char in str(error)} & {"Cc", "Cf"}
