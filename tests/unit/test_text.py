"""The three encoders: whatever goes in, only a code block, a code span or one harmless line comes out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hostile import HOSTILE, Page, hostile_text
from hypothesis import given, settings

from ci_eval.text import Untrusted, cell, fence, log

every_hostile = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


class TestUntrusted:
    @pytest.mark.parametrize("make", [str, "{}".format, lambda value: f"{value:>9}", "{:>9}".format])
    def test_cannot_become_text_by_accident(self, make: Callable[[Untrusted], str]) -> None:
        with pytest.raises(TypeError, match="untrusted text"):
            make(Untrusted("secret"))

    def test_repr_keeps_the_value_back(self) -> None:
        assert repr(Untrusted("secret")) == "<Untrusted str>"

    def test_anything_but_a_string_is_shown_as_json(self) -> None:
        assert fence(Untrusted({"b": [1], "a": "é"})) == '```text\n{"a":"é","b":[1]}\n```'

    def test_equal_by_what_it_says(self) -> None:
        assert Untrusted("a") == Untrusted("a")
        assert len({Untrusted({"a": 1}), Untrusted({"a": 1})}) == 1
        assert Untrusted("a") != "a"


class TestFence:
    @staticmethod
    def check(text: str) -> None:
        page = Page(f"above\n\n{fence(text)}\n\nbelow\n")
        assert page.elements == [("p", ()), ("pre", (("lang", "text"),)), ("code", ()), ("p", ())]
        assert page.prose == ["above", "below"]

    @every_hostile
    def test_nothing_leaves_it(self, text: str) -> None:
        self.check(text)

    @settings(deadline=None, max_examples=300)
    @given(hostile_text)
    def test_nothing_leaves_it_whatever_it_is(self, text: str) -> None:
        self.check(text)

    def test_is_longer_than_the_longest_run_within(self) -> None:
        assert fence("a ```` b").startswith("`````text\n")

    def test_endless_runs_are_cut(self) -> None:
        assert fence("`" * 5000) == "`````````text\n````````\n`````````"

    def test_shows_what_is_hidden(self) -> None:
        assert "a\\u{202e}b\\u{200b}\\u{0}\\u{d800}" in fence("a\u202eb\u200b\x00\ud800")

    def test_keeps_tabs_and_lines(self) -> None:
        assert fence("a\tb\r\nc") == "```text\na\tb\nc\n```"

    def test_cannot_hold_a_marker(self) -> None:
        assert "<!--" not in fence("<!-- ci-eval -->")

    def test_says_how_much_was_cut(self) -> None:
        assert fence("abcdef", limit=4) == "```text\nabcd… (2 more characters)\n```"
        assert fence("a\nb\nc", lines=2) == "```text\na\nb\n… (1 more lines)\n```"


class TestCell:
    @staticmethod
    def check(text: str) -> None:
        page = Page(f"see {cell(text)} there")
        assert page.elements == [("p", ()), ("code", ())]
        assert "".join(page.prose) == "see  there"
        row = Page(f"| a | b |\n|---|---|\n| {cell(text)} | x |\n| y | {cell(text)} |\n")
        head, first, second = ["table", "thead", "tr", "th", "th", "tbody"], ["td", "code", "td"], ["td", "td", "code"]
        assert row.tags == [*head, "tr", *first, "tr", *second]
        assert row.prose == ["a", "b", "x", "y"]

    @every_hostile
    def test_nothing_leaves_it(self, text: str) -> None:
        self.check(text)

    @settings(deadline=None, max_examples=300)
    @given(hostile_text)
    def test_nothing_leaves_it_whatever_it_is(self, text: str) -> None:
        self.check(text)

    @settings(deadline=None)
    @given(hostile_text, hostile_text)
    def test_two_side_by_side_stay_in_code(self, one: str, other: str) -> None:
        page = Page(f"- {cell(one)}, {cell(other)}: end")
        assert page.tags == ["ul", "li", "code", "code"]
        assert "".join(page.prose) == ", : end"

    @pytest.mark.parametrize(
        "address", ["a@evil.example", "xmpp:a@evil.example", "mailto:a@b.example", "www.evil.example"]
    )
    def test_addresses_do_not_become_links(self, address: str) -> None:
        """cmark-gfm links an address within `<code>` tags, even one that is written in entities."""
        assert "a" not in Page(cell(address)).tags

    def test_plain_names_stay_plain(self) -> None:
        assert cell("task_accuracy") == "`task_accuracy`"

    def test_what_would_end_it_is_escaped(self) -> None:
        assert cell("a`b|c\nd") == "`a\\u{60}b\\u{7c}c\\u{a}d`"

    def test_a_dollar_does_not_touch_the_backtick(self) -> None:
        assert cell("$x$") == "` $x$ `"

    def test_says_how_much_was_cut(self) -> None:
        assert cell("abcdef", limit=4) == "`abcd… (2 more characters)`"


class TestLog:
    @staticmethod
    def check(text: str) -> None:
        line = log(text)
        assert "::" not in line
        assert "##[" not in line
        assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

    @every_hostile
    def test_is_one_harmless_line(self, text: str) -> None:
        self.check(text)

    @given(hostile_text)
    def test_is_one_harmless_line_whatever_it_is(self, text: str) -> None:
        self.check(text)

    def test_breaks_commands_visibly(self) -> None:
        assert log("::error::x ##[group]") == ":\\u{3a}error:\\u{3a}x #\\u{23}[group]"

    def test_leaves_ordinary_text_alone(self) -> None:
        assert log("temperature 0 → 0.7, naïve 照片") == "temperature 0 → 0.7, naïve 照片"
