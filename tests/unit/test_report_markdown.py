"""The comment and the summary: whole, in bounds, and with nobody's markup but our own."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hostile import HOSTILE, Page, hostile_text
from hypothesis import given, settings
from report_factory import comparison, full, harmless, outcome, realistic, rerun, some, suite

from ci_eval.golden.cases import Edits
from ci_eval.outcome.model import GateOutcome
from ci_eval.report.markdown import comment, summary
from ci_eval.report.model import build
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

OUR_OWN = {"h3", "p", "strong", "code", "pre", "ul", "li", "details", "summary"} | {
    *("table", "thead", "tbody", "tr", "th", "td")
}


def many_broken(number: int, output: str = "wrong " * 700) -> GateOutcome:
    compared = comparison(some(number, broke=number))
    answers = {name: one.model_copy(update={"output": Untrusted(output)}) for name, one in compared.candidate.items()}
    return outcome(suite(replace(compared, candidate=answers)))


def skeleton(one: GateOutcome) -> tuple[list[tuple[str, tuple[tuple[str, str | None], ...]]], list[str]]:
    """All that is not within code: elements with their attributes, and prose."""
    page = Page(comment(build(one)))
    return page.elements, page.prose


def check_nothing_escapes(text: str) -> None:
    assert skeleton(full(text)) == skeleton(harmless(text))


@pytest.mark.parametrize("text", [text for text in HOSTILE if text], ids=str)
def test_hostile_text_changes_nothing_but_what_stands_in_code(text: str) -> None:
    check_nothing_escapes(text)


@settings(deadline=None, max_examples=100)
@given(hostile_text.filter(bool))
def test_no_text_changes_anything_but_what_stands_in_code(text: str) -> None:
    check_nothing_escapes(text)


def confirmed(text: str = "ordinary") -> GateOutcome:
    """Flips that stayed, went and were not asked again, under a scorer and a dimension of that name."""
    compared = comparison(some(300, broke=4, repaired=2))
    compared = replace(compared, pairs=tuple(replace(pair, scorer=text, dimension=text) for pair in compared.pairs))
    runs = {"case-0000": ("+", "-"), "case-0001": ("+-", "-+"), "case-0002": ("+", "+"), "case-0004": ("-", "+")}
    return outcome(rerun(compared, runs, quarantined=(("case-0009", text),)))


@pytest.mark.parametrize("text", [text for text in HOSTILE if text], ids=str)
def test_hostile_names_of_what_was_rerun_stand_in_code(text: str) -> None:
    assert skeleton(confirmed(text)) == skeleton(confirmed())


@pytest.mark.parametrize("name", ["www.evil.example", "__bold__", "_a_", "-", "1.", "deadbeefdeadbeefdeadbeef"])
def test_case_ids_are_not_links_or_emphasis(name: str) -> None:
    assert skeleton(full(id_text=name)) == skeleton(full())


def test_a_comment_has_our_own_elements_only() -> None:
    page = Page(comment(build(full("<b>![x](https://evil.example)"))))
    assert {tag for tag, _ in page.elements} <= OUR_OWN
    assert page.tags.count("h3") == 1


@pytest.mark.parametrize(
    ("verdict", "first"),
    [(Verdict.PASS, "✅ Pass: "), (Verdict.REGRESSION, "❌ Regression: "), (Verdict.INCONCLUSIVE, "⚠️ Inconclusive: ")],
)
def test_the_first_line_is_the_verdict(verdict: Verdict, first: str) -> None:
    one = outcome(verdict=verdict, reason="stopped")
    assert Page(comment(build(one))).prose[0].startswith(first)
    assert comment(build(one)).startswith("### ")


def test_the_first_table_is_open_and_the_rest_is_folded() -> None:
    before, _, after = comment(build(realistic())).partition("<details>")
    assert "❌ regression" in before
    assert after.count("|\n|:--") == before.count("|\n|:--") * 6


def test_numbers_reach_the_page_as_they_were_written() -> None:
    """Tabulate would make 96.0 to 96 and 1e5 to 100000."""
    one = outcome(suite(comparison(some(300, broke=12), dimension="1e5")))
    assert "| `1e5`       |  100.0 |      96.0 |     −4.0 |" in comment(build(one))


def test_reruns_reach_the_page() -> None:
    text = comment(build(confirmed()))
    assert "(reruns: main 7 of 7, this PR 0 of 7)" in text
    assert "<summary>Cases that flipped once and did not stay broken (2)</summary>" in text
    assert "Coin flips on main, not gated; fix the case or the prompt:\n\n- `case-0009` (`ordinary`)" in text


class TestRoom:
    @staticmethod
    def check_closed(markdown: str) -> None:
        assert markdown.count("<details>") == markdown.count("</details>")
        assert len(re.findall(r"^`{3,}", markdown, re.MULTILINE)) % 2 == 0
        assert "Base" in Page(markdown).prose[-2] or "made" in Page(markdown).prose[-1]

    def test_thousands_of_broken_cases_fit_and_are_counted(self) -> None:
        text = comment(build(many_broken(5000)))
        shown = text.count("\nthis PR:\n")
        assert 30_000 < len(text) <= 60_000
        assert f"{5000 - shown:,} more broken cases are in the job summary." in text
        self.check_closed(text)

    def test_the_summary_takes_more_and_counts_bytes(self) -> None:
        text = summary(build(many_broken(5000, "错" * 3000)))
        assert 800_000 < len(text.encode()) <= 900 * 1024
        assert "more broken cases are in the run files." in text
        self.check_closed(text)

    def test_what_is_small_stays_beside_what_is_large(self) -> None:
        text = comment(build(many_broken(5000)))
        assert "All traffic" in text
        assert "Latency, tokens and cost" in text

    @pytest.mark.parametrize("limit", [1000, 1500, 2500, 4000, 6000, 10_000, 30_000])
    def test_any_limit_is_kept_and_says_what_is_missing(self, limit: int) -> None:
        one = replace(realistic(), policy_notes=tuple(Untrusted(f"note {number}" * 9) for number in range(400)))
        text = comment(build(one), limit=limit)
        assert len(text) <= limit
        assert text.count("<details>") == text.count("</details>")
        assert "Left out here" in text or "more policy note" in text

    def test_the_table_goes_last(self) -> None:
        text = comment(build(many_broken(200)), limit=1250)
        assert "❌ regression" in text
        assert "Left out here, and in the job summary: " in text

    def test_long_tables_lose_rows_not_their_end(self) -> None:
        names = tuple(f"added-{number:05}" for number in range(5000))
        text = comment(build(outcome(suite(edits=Edits(names, names, names)))))
        assert len(text) <= 60_000
        assert re.search(r"\d more added cases are in the job summary", text)

    @settings(deadline=None, max_examples=30)
    @given(hostile_text)
    def test_hostile_text_cannot_make_it_long(self, text: str) -> None:
        markdown = comment(build(many_broken(60, text * 50)), limit=8000)
        assert len(markdown) <= 8000
        assert Page(markdown).tags[-1] == "code"

    def test_one_more_is_singular(self) -> None:
        texts = [comment(build(many_broken(2)), limit=limit) for limit in range(3000, 6000, 100)]
        assert any("1 more broken case is in the job summary." in text for text in texts)

    def test_every_kind_of_edit_is_told_however_many_there_are(self) -> None:
        names = tuple(f"case-{number:05}" for number in range(5000))
        text = comment(build(outcome(suite(edits=Edits(names, names, names)))))
        assert "- removed: `case-00000`" in text
        assert text.count("more cases are in the job summary.") == 2
