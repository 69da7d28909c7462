"""The report as a page: nobody's markup but our own, nothing that is fetched, and everything that people look for."""

from __future__ import annotations

import hashlib
import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile import HOSTILE, hostile_text
from hypothesis import given, settings
from report_factory import case, cell, comparison, full, harmless, outcome, realistic, record, rerun, some, suite

from ci_eval.compare_runs import compare
from ci_eval.config import GatePolicy
from ci_eval.figures.counted_run import counted
from ci_eval.outcome.model import GateOutcome
from ci_eval.records import CallMade, Run
from ci_eval.report.html.compare_runs import to_html as runs_html
from ci_eval.report.html.gate import to_html
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

MARKUP = (
    "</script><script>alert(1)</script>",
    "</style><style>*{background:url(https://evil.example)}</style>",
    "</title><base href=https://evil.example>",
    "<svg onload=alert(1)><use href=data:x></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "\" onmouseover=alert(1) x='",
    "' autofocus onfocus=alert(1) '",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<!--", "-->", "<![CDATA[", "]]>", "<!doctype html>", "<?php", "&lt;script&gt;", "&#60;img src=x&#62;",
    "javascript:alert(1)",
)  # fmt: skip

VALUES = {"mark", "ins", "del"}
"""What depends on the texts themselves: where they differ."""


class Browser(HTMLParser):
    """What a browser makes of a page: its elements, and the texts within them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.odd: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in {"meta", "input"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    unknown_decl = handle_pi = handle_comment

    def text(self, tag: str = "") -> str:
        return "".join(text for place, text in self.texts if tag in {"", place})

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def skeleton(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in Browser(page).elements if tag not in VALUES]


def named(text: str) -> GateOutcome:
    """Reruns under a scorer and a dimension of that name, and a coin flip."""
    compared = comparison(some(300, broke=4, repaired=2))
    compared = replace(compared, pairs=tuple(replace(pair, scorer=text, dimension=text) for pair in compared.pairs))
    runs = {"case-0000": ("+", "-"), "case-0001": ("+-", "-+"), "case-0002": ("+", "+"), "case-0004": ("-", "+")}
    return outcome(rerun(compared, runs, quarantined=(("case-0009", text),)))


class TestNothingEscapes:
    @pytest.mark.parametrize("text", [*MARKUP, *(text for text in HOSTILE if text)], ids=str)
    def test_hostile_text_adds_no_element_and_no_attribute(self, text: str) -> None:
        assert skeleton(to_html(full(text))) == skeleton(to_html(harmless(text)))
        assert skeleton(to_html(named(text))) == skeleton(to_html(named("ordinary")))

    @settings(deadline=None, max_examples=60)
    @given(hostile_text.filter(bool))
    def test_no_text_does(self, text: str) -> None:
        page = Browser(to_html(full(text)))
        assert skeleton(to_html(full(text))) == skeleton(to_html(harmless(text)))
        assert not page.odd
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", page.text())

    def test_the_page_reaches_out_for_nothing(self) -> None:
        """Every address is a place within the page."""
        page = Browser(to_html(full("https://evil.example <img src=https://evil.example>")))
        for tag, attributes in page.elements:
            assert not attributes.keys() & {
                "src",
                "srcset",
                "action",
                "formaction",
                "style",
                "xlink:href",
                "data",
                "poster",
            }
            assert not [name for name in attributes if name.startswith("on")]
            assert (attributes.get("href") or "#").startswith("#")
            assert tag not in {"link", "base", "img", "iframe", "object", "embed", "use", "image", "foreignobject"}

    def test_the_policy_allows_our_own_script_and_style_alone(self) -> None:
        page = Browser(to_html(realistic()))
        [policy] = [one["content"] or "" for one in page.all("meta") if one.get("http-equiv")]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        for name in ("script", "style"):
            own = [text for tag, text in page.texts if tag == name]
            digest = b64encode(hashlib.sha256("".join(own).encode()).digest()).decode()
            assert rules[f"{name}-src"] == f"'sha256-{digest}'"
        assert rules["base-uri"] == rules["form-action"] == "'none'"

    def test_the_script_makes_no_markup_out_of_text(self) -> None:
        script = Browser(to_html(realistic())).text("script")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|import\(|fetch", script
        )


class TestWhatIsTold:
    @pytest.mark.parametrize("verdict", list(Verdict))
    def test_the_first_text_is_the_verdict(self, verdict: Verdict) -> None:
        page = Browser(to_html(outcome(verdict=verdict, reason="stopped")))
        first = next(text for tag, text in page.texts if tag not in {"", "title", "style"})
        assert first.split()[1] == verdict.value.capitalize()

    def test_a_changed_case_is_told_whole(self) -> None:
        """Input, expectation, both answers, and each scorer's reasons."""
        compared = comparison({"a": "broke", "b": "same", "c": "same"}, expected="the right one")
        calls = [CallMade(name=Untrusted("look_up"), arguments=Untrusted('{"order": 7}'))]
        base = record("a", cell(reason="as it should be"), output="word one three")
        candidate = record("a", cell(False, reason="another"), output="word two three", tool_calls=calls)
        pairs = replace(compared.pairs[0], base=base.cells[0], candidate=candidate.cells[0])
        compared = replace(
            compared,
            pairs=(pairs, *compared.pairs[1:]),
            base={**compared.base, "a": base},
            candidate={**compared.candidate, "a": candidate},
        )
        page = Browser(to_html(outcome(suite(compared))))
        text = page.text()
        wanted = ["Where is order a?", "the right one", "as it should be", "another", 'look_up({"order": 7})', "broke"]
        assert [part for part in wanted if part not in text] == []
        assert [text for tag, text in page.texts if tag == "mark"] == ["one", "two"]

    def test_every_kind_of_change_can_be_picked(self) -> None:
        one = named("ordinary")
        page = Browser(to_html(one))
        found = [json.loads(card["data-facets"] or "") for card in page.all("details") if "data-facets" in card]
        assert {status for facets in found for status in facets["status"]} == {
            "broken",
            "repaired",
            "flaky",
            "unconfirmed",
        }
        offered = {choice["value"] for choice in page.all("input") if choice.get("name") == "status"}
        assert offered == {"", "broken", "repaired", "flaky", "unconfirmed"}
        assert {facets["stratum"][0] for facets in found} == {"common"}

    def test_an_answer_in_other_words_is_a_change_too(self) -> None:
        compared = comparison(some(5))
        other = {**compared.candidate, "case-0003": record("case-0003", cell(), output="the same, in other words")}
        page = Browser(to_html(outcome(suite(replace(compared, candidate=other)))))
        assert [card["data-facets"] for card in page.all("details") if "data-facets" in card] == [
            '{"category":["billing"],"dimension":["task_accuracy"],"status":["reworded"],"stratum":["common"]}'
        ]

    def test_every_link_of_the_map_leads_to_a_case_of_the_page(self) -> None:
        page = Browser(to_html(realistic()))
        places = {attributes.get("id") for attributes in page.all("details")}
        links = [(link["href"] or "")[1:] for link in page.all("a")]
        assert len(links) == 14
        assert set(links) <= places

    def test_hidden_texts_are_not_in_the_file(self) -> None:
        one = realistic()
        secret = {
            name: found.model_copy(update={"output": Untrusted(f"secret answer {name}")})
            for name, found in one.suites[0].comparison.candidate.items()
        }
        compared = replace(one.suites[0].comparison, candidate=secret)
        hidden = replace(one, suites=(replace(one.suites[0], comparison=compared),), hide_outputs=True)
        page = to_html(hidden)
        assert "case-0001" in page
        assert [
            text for text in ("secret", "Where is order", "category is other", "pictures lost") if text in page
        ] == []

    def test_suites_are_kept_apart(self) -> None:
        one = suite(comparison(some(9, broke=1)))
        page = Browser(to_html(outcome(one, replace(one, suite="billing-desk"))))
        found = [json.loads(card["data-facets"] or "") for card in page.all("details") if "data-facets" in card]
        assert [facets["suite"] for facets in found] == [["helpdesk"], ["billing-desk"]]
        assert "Pictures of billing-desk" in page.text()

    @pytest.mark.parametrize("reason", ["nothing relevant changed", "only policy changed", "bootstrap", "stopped"])
    def test_a_gate_that_judged_nothing_has_a_page(self, reason: str) -> None:
        page = Browser(to_html(outcome(verdict=Verdict.PASS, reason=reason, problem=Untrusted("no key"))))
        assert "no key" in page.text()
        assert not list(page.all("form"))

    def test_the_same_outcome_is_the_same_file(self) -> None:
        assert to_html(realistic()) == to_html(realistic())
        assert to_html(realistic()).replace("41.6", "9.9") == to_html(replace(realistic(), seconds=9.9))


class TestPictures:
    @staticmethod
    def numbers(page: str) -> list[float]:
        names = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"}
        drawn = (one for tag, one in Browser(page).elements if tag in {"line", "circle", "rect", "text", "svg"})
        return [float((one[name] or "").rstrip("%")) for one in drawn for name in names & one.keys()]

    @pytest.mark.parametrize("broke", [0, 1, 12, 290])
    def test_places_are_finite_and_inside(self, broke: int) -> None:
        found = self.numbers(to_html(outcome(suite(comparison(some(300, broke=broke))))))
        assert all(math.isfinite(number) and 0 <= number <= 600 for number in found)
        assert len(found) > 100

    @settings(deadline=None, max_examples=60)
    @given(hostile_text)
    def test_whatever_they_are_called(self, text: str) -> None:
        assert all(math.isfinite(number) for number in self.numbers(to_html(named(text or "x"))))

    def test_a_limit_is_seen_beside_a_far_larger_change(self) -> None:
        """The axis bends, and says so."""
        page = to_html(outcome(suite(comparison(some(300, broke=250)))))
        assert "compressed" in page
        [limit] = [one for one in Browser(page).all("line") if one.get("class") == "limit"]
        zeros = [one for one in Browser(page).all("line") if one.get("class") == "zero"]
        assert float((zeros[0]["x1"] or "").rstrip("%")) - float((limit["x1"] or "").rstrip("%")) > 5

    def test_nothing_known_is_nothing_drawn(self) -> None:
        page = Browser(to_html(outcome(suite(comparison(some(4, lost=4))))))
        assert "Scores" not in [text for tag, text in page.texts if tag == "h3"]

    def test_any_broken_case_has_no_line(self) -> None:
        one = suite(comparison(some(300, broke=1), "format"), gate=GatePolicy(per_dimension={"format": "any"}))
        assert not [line for line in Browser(to_html(outcome(one))).all("line") if line.get("class") == "limit"]


class TestRoom:
    def test_five_hundred_long_answers_stay_some_megabytes(self) -> None:
        compared = comparison(some(500, broke=500))
        sides = [
            {name: one.model_copy(update={"output": Untrusted(f"{word}<&> " * 9000)}) for name, one in side.items()}
            for word, side in (("right", compared.base), ("wrong", compared.candidate))
        ]
        page = to_html(outcome(suite(replace(compared, base=sides[0], candidate=sides[1]))))
        shown = page.count("data-facets=")
        assert 1_000_000 < len(page.encode()) < 6_000_000
        assert f"{500 - shown:,} more cases are in the run files." in page
        assert shown > 400
        assert "more characters)" in page

    def test_what_does_not_fit_is_counted(self) -> None:
        compared = comparison(some(6000, broke=6000), input="x" * 2000)
        page = Browser(to_html(outcome(suite(compared))))
        shown = sum("data-facets" in one for one in page.all("details"))
        assert 100 < shown < 6000
        assert f"{6000 - shown:,} more cases are in the run files." in page.text()
        assert "Cases (6,000)" in page.text()


class TestRunsSideBySide:
    @staticmethod
    def page(text: str = "ordinary") -> str:
        base = {f"case-{n}": record(f"case-{n}", cell()) for n in range(4)}
        worse = record("case-1", cell(False, reason=text), output=text)
        header = rerun(comparison(some(3)), {}).base_header
        first, second = (
            counted(file, Run(header, tuple(records.values())))
            for file, records in (("base.jsonl", base), (text, {**base, "case-1": worse}))
        )
        found = compare(first, second)
        return runs_html([found, found], Fraction(1))

    @pytest.mark.parametrize("text", [*MARKUP, *(text for text in HOSTILE if text.strip())], ids=str)
    def test_hostile_text_adds_nothing(self, text: str) -> None:
        assert skeleton(self.page(text)) == skeleton(self.page())

    def test_cases_of_all_candidates_can_be_picked(self) -> None:
        found = [
            json.loads(one["data-facets"] or "") for one in Browser(self.page()).all("details") if "data-facets" in one
        ]
        assert [(facets["status"], facets["candidate"]) for facets in found] == [
            (["worse"], ["candidate 1"]),
            (["worse"], ["candidate 2"]),
        ]


def test_a_golden_case_that_was_added_shows_its_answer() -> None:
    new = {"new-1": record("new-1", cell(False), output="an answer to the new one")}
    page = Browser(to_html(outcome(suite(comparison(some(5)), new_cases=new))))
    assert "an answer to the new one" in page.text()
    assert case("new-1").id in page.text("code")


def test_style_and_script_are_in_the_package() -> None:
    import ci_eval.report.html as package

    folder = Path(package.__path__[0])
    assert {path.name for path in folder.iterdir() if path.suffix in {".css", ".js"}} == {"page.css", "page.js"}
