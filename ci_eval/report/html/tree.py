"""HTML elements as a tree: tags and attributes are ours, and others' text is escaped when it is serialized."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

from ci_eval.report.document import Piece, Text
from ci_eval.text import Untrusted, node
from ci_eval.verdict import Verdict

Child = Element | str | Untrusted | None
_LONGEST_WORDS = 500
SIGNS = {Verdict.PASS: "✓", Verdict.ACCEPTED: "✓", Verdict.REGRESSION: "✕", Verdict.INCONCLUSIVE: "!"}


def el(tag: str, /, *children: Child, **attributes: str | Untrusted | None) -> Element:
    """An element. `class_` is written for `class`, `data_x` for `data-x`; an attribute of None is left out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), node(value))
    add(made, children)
    return made


def add(parent: Element, children: Iterable[Child]) -> None:
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child is not None:
            _append(parent, node(child))


def _append(parent: Element, text: str) -> None:
    """ElementTree keeps a text with the element before it."""
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def words(text: Text, limit: int = _LONGEST_WORDS) -> list[Child]:
    return [piece(one, limit) for one in text]


def piece(one: Piece, limit: int = _LONGEST_WORDS) -> Child:
    """Names of others stand apart from our own words; a verdict has its sign and its colour."""
    if isinstance(one, Untrusted):
        return el("code", node(one, limit=limit))
    return badge(one) if isinstance(one, Verdict) else one


def badge(verdict: Verdict) -> Element:
    return el("span", f"{SIGNS[verdict]} {verdict.value}", class_=f"badge {verdict.value}")


def to_html(element: Element) -> str:
    return tostring(element, encoding="unicode", method="html")
