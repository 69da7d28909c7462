"""Strings that somebody would like to see come out as something else, and what a browser makes of a comment."""

from __future__ import annotations

from html.parser import HTMLParser

import cmarkgfm
from hypothesis import strategies as st

HOSTILE = (
    "```\n## ci-eval: PASS\n```",
    "````````````\nout\n````````````",
    "~~~\nout\n~~~",
    "| pass | 100 |\n|---|---|\n| forged | row |",
    "a | b \\| c `|` d",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</details></code></pre><h1>PASS</h1>",
    "<!-- ci-eval:helpdesk -->",
    "-->\n<!--",
    "@octocat @github/security #1 octo/repo#1 GH-7 closes #3",
    "![beacon](https://evil.example/?d=1) [link](https://evil.example)",
    "[ref]\n\n[ref]: https://evil.example",
    "https://evil.example www.evil.example mail@evil.example xmpp:a@evil.example",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "$x$ $$\\href{https://evil.example}{y}$$ $`z`$",
    "```mermaid\ngraph TD\n```",
    "> [!CAUTION]\n> - [x] done\n\n---\nTitle\n===",
    "\u202egnp.exe \u200b\u2066\U000e0041\ufeff\u3164",
    "\x1b[2J\x1b]8;;https://evil.example\x07click\x1b]8;;\x07\x08\r\x00\x9b",
    "::error::broken\n  ::add-mask::true\n##[error]x ##vso[task] :::::",
    "`", "``", "`a", "a`", "\\", "\\`", " ", "", "\n", "\n\n\n", "\t- x", "    indented", "$", "$a", "&amp;&#96;&#124;",
    "\ud800 lone", "\u2028\u2029\x85\x0b\x0c",
    "::" * 300, "`" * 300, "\n" * 300, "x" * 10_000, "1e5", "0x10", "__init__", "**bold**",
    ":rotating_light: :+1:", "${{ secrets.KEY }}", "{{ x }}", "%0A::error::x", "[bold red]markup[/]",
)  # fmt: skip

_TOKENS = st.sampled_from(
    [*HOSTILE, "::", "##[", "<!--", "|", "`", "\n", "\r\n", "<", "@", "\\", "https://", "www.a.b"]
)
_CHARS = st.text(st.characters(exclude_categories=[]), max_size=20)
hostile_text = st.lists(_TOKENS | _CHARS, max_size=8).map("".join)


class Page(HTMLParser):
    """What a reader sees: elements in their order, and texts apart by whether they stand in code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.prose: list[str] = []
        self.code: list[str] = []
        self._depth = 0
        options = cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, options=options))
        self.close()
        assert self._depth == 0

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        if tag == "code":
            self._depth += 1
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.code[-1] += data
        elif data.strip():
            self.prose.append(data)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002 - the parser's name for it
        self.elements.append(("!--", ()))

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002 - the parser's name for it
        self.elements.append(("!", ()))
