"""What a report says of how answers fail, and how sure that is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import Scripted, answers, case, evaluator, golden, held, reply
from report_factory import cell, comparison, outcome, record, rows, said, section, some, suite

from ci_eval.comparison import Comparison
from ci_eval.figures.failures import Failures
from ci_eval.outcome.model import GateOutcome
from ci_eval.providers.base import ProviderError, Reply, Request
from ci_eval.records import Record
from ci_eval.report.json_report import to_json
from ci_eval.report.model import build
from ci_eval.scorers.failure import LOUD, Mode
from ci_eval.text import Untrusted

TITLE = "How it fails: loud or silent"
SILENT, LOUD_ANSWER = "It is in Leipzig.", "I don't know."


def shifted(silent: int, loud: int = 0, total: int = 300) -> GateOutcome:
    """Cases that are wrong on both sides: so many loudly on base and silently here, and so many the other way round."""
    compared = comparison(some(total))
    base, candidate = dict(compared.base), dict(compared.candidate)
    for number, name in enumerate(list(base)[: silent + loud]):
        before, after = (LOUD_ANSWER, SILENT) if number < silent else (SILENT, LOUD_ANSWER)
        base[name], candidate[name] = (record(name, cell(False), output=Untrusted(text)) for text in (before, after))
    return outcome(suite(_with(compared, base, candidate)))


def _with(compared: Comparison, base: dict[str, Record], candidate: dict[str, Record]) -> Comparison:
    cells = {name: (base[name].cells[0], candidate[name].cells[0]) for name in base}
    pairs = (replace(pair, base=cells[pair.case][0], candidate=cells[pair.case][1]) for pair in compared.pairs)
    return replace(compared, pairs=tuple(pairs), base=base, candidate=candidate)


def warnings(one: GateOutcome) -> str:
    return said(one, "Warnings") if any(part.title == "Warnings" for part in build(one).sections) else ""


def test_wrong_answers_are_counted_by_how_they_look() -> None:
    one = shifted(9, 2)
    assert rows(one, TITLE) == [["silent: valid, confident, wrong", "2", "9"], ["loud: doubt", "9", "2"]]
    words = said(one, TITLE)
    assert "Of 300 cases that are known on both sides, one run a side." in words
    assert "Silent failures: +2.3 points of all answers (+0.2 to +5.0, 95 % sure); 9 became silent: " in words
    assert words.endswith("case-0004 and 4 more; 2 ceased to be.")
    assert section(one, TITLE).folded


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    assert TITLE not in [part.title for part in build(outcome(suite(comparison(some(30))))).sections]


def test_a_shift_that_chance_does_not_explain_is_a_warning() -> None:
    """Though no score fell: all of these were wrong before."""
    assert "Fails more silently: 7 cases more than on base are wrong without showing it." in warnings(shifted(7))
    assert "Fails more silently" not in warnings(shifted(5, 2))
    assert "Fails more silently" not in warnings(shifted(3))
    assert "Fails more silently" not in warnings(shifted(0, 20))


def test_what_is_not_known_is_left_out() -> None:
    """Main's texts may be hidden: then nobody can say how its wrong answers looked. Lost cases have no answer."""
    compared = comparison({**some(20, broke=2), "gone": "lost"})
    hidden = {name: one.model_copy(update={"output": None}) for name, one in compared.base.items()}
    found = suite(replace(compared, base=hidden)).failures
    assert (len(found.base), found.counts[1]["silent"]) == (20, 2)
    turned = replace(compared, base=compared.candidate, candidate=hidden)
    assert len(suite(turned).failures.base) == 20


def test_programs_read_it_too() -> None:
    (found,) = json.loads(json.dumps(to_json(shifted(7))))["suites"]
    assert found["failures"]["candidate"] == {"right": 293, "silent": 7}
    assert found["failures"]["more_silent"] is True
    assert found["failures"]["became_silent"] == [f"case-{number:04}" for number in range(7)]


modes: st.SearchStrategy[Mode] = st.sampled_from(["right", "silent", *LOUD])


@given(st.lists(st.tuples(modes, modes), max_size=60))
def test_the_change_is_that_of_the_counts_and_lies_in_its_interval(sides: list[tuple[Mode, Mode]]) -> None:
    base, candidate = ({str(number): side[which] for number, side in enumerate(sides)} for which in (0, 1))
    found = Failures(base, candidate)
    before, after = (counts["silent"] for counts in found.counts)
    assert found.change == pytest.approx(100 * (after - before) / max(1, len(sides)))
    if found.interval:
        low, high = found.interval
        assert low - 1e-9 <= found.change <= high + 1e-9
    assert not (found.more_silent and after <= before)


# --- as a dimension ---------------------------------------------------------------------------------------------------


def cells_of(says: Any, *scorers: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    one = case(expected="Berlin", scorers=[{"type": "contains", "all": ["!"]}])
    chosen = [{"type": "not_silent"}, *(scorers or ({"type": "exact"},))]
    (found,) = answers(evaluator(held({}), golden(one), Scripted(says), *chosen), [one])
    return {cell.scorer: (cell.passed, cell.reason.text()) for cell in found.cells}


@pytest.mark.parametrize(
    ("text", "passed", "reason"),
    [
        ("Leipzig!", False, "wrong, and does not look it"),
        ("Leipzig, but I'm not sure!", True, "wrong, and looks it: doubt"),
        ("", True, "wrong, and looks it: invalid format"),
    ],
)
def test_not_silent_judges_by_what_all_other_scorers_said(text: str, passed: bool, reason: str) -> None:
    """Wherever it stands among them."""
    assert cells_of(lambda _, __: reply(text))["not_silent"] == (passed, reason)


def test_an_answer_that_only_one_case_own_scorer_fails_is_silent() -> None:
    found = cells_of(lambda _, __: reply("Berlin"))
    assert found["exact"][0]
    assert not found["one:0:contains"][0]
    assert not found["not_silent"][0]


def test_what_is_no_whole_answer_is_not_silent() -> None:
    def cut(_: Request, __: int) -> Reply:
        return reply("Leip", "length")

    def refuses(_: Request, __: int) -> Reply:
        raise ProviderError("HTTP 400", about_request=True)

    for says in (cut, refuses):
        found = cells_of(says)
        assert (found["not_silent"][0], found["exact"][0]) == (True, False)
