"""The project's own golden set: what it promises, and what the model without a key makes of it."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import PATIENT, held

from ci_eval import config as configs
from ci_eval.config import Config
from ci_eval.datasets.contamination import leaks_in_rows, leaks_in_text
from ci_eval.datasets.rows import read
from ci_eval.deadline import Deadline
from ci_eval.evaluation.full_run import FullRun
from ci_eval.evaluation.session import LAPTOP, Session
from ci_eval.evaluation.suite import Suite
from ci_eval.figures.tally import Tally
from ci_eval.golden.cases import Case
from ci_eval.providers.local_prompt import parse_lists
from ci_eval.records import Record, Run
from ci_eval.scorers.base import Answer
from ci_eval.scorers.refusal import declines
from ci_eval.snapshot import Snapshot

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "golden" / "helpdesk"
TRAIN = "golden/helpdesk/train.jsonl"
LISTS = ("category", "priority", "handover", "article")


class Silent:
    def start(self, label: str, total: int) -> None: ...

    def advance(self, record: Record) -> None: ...

    def finish(self) -> None: ...


@pytest.fixture(scope="module")
def at() -> Snapshot:
    files = [ROOT / "ci-eval.yaml", *FOLDER.rglob("*.*")]
    return held({file.relative_to(ROOT).as_posix(): file.read_text() for file in files})


@pytest.fixture(scope="module")
def config(at: Snapshot) -> Config:
    return configs.load(at)


@pytest.fixture(scope="module")
def suite(config: Config, at: Snapshot) -> Suite:
    return Suite.load(config, at, "helpdesk")


@pytest.fixture(scope="module")
def cases(suite: Suite) -> list[Case]:
    return list(suite.golden.cases.values())


@pytest.fixture(scope="module")
def run(suite: Suite, at: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole set, by the real model."""
    session = Session({}, Silent(), tmp_path_factory.mktemp("run"), LAPTOP, Deadline.after(PATIENT))
    return FullRun(suite, suite.side(at), session).evaluate(suite.golden.cases.values())


# --- the cases --------------------------------------------------------------------------------------------------------


def test_300_cases_in_three_strata(cases: list[Case]) -> None:
    strata = Counter(case.stratum for case in cases)
    assert len(cases) == 300
    assert strata["common"] / 300 == pytest.approx(0.60, abs=0.02)
    assert strata["edge"] / 300 == pytest.approx(0.25, abs=0.02)
    assert strata["adversarial"] / 300 == pytest.approx(0.15, abs=0.02)


def test_a_point_is_a_whole_number_of_cases(cases: list[Case]) -> None:
    assert len(cases) % 100 == 0


def test_every_id_is_named_after_its_file(at: Snapshot) -> None:
    for path in at.glob("golden/helpdesk/cases/*.jsonl"):
        stem = Path(path).stem
        for number, line in enumerate(at.read(path).decode().splitlines(), start=1):
            assert f'"id": "{stem}-{number:03}"' in line


def test_every_label_stands_in_the_prompts_lists(cases: list[Case], at: Snapshot) -> None:
    lists = parse_lists(at.read("golden/helpdesk/prompt.md").decode())
    assert set(lists) >= set(LISTS)
    for case in cases:
        for name in LISTS:
            label = case.expectation(name)
            assert (str(label).lower() if isinstance(label, bool) else label) in lists[name], case.id
        assert isinstance(case.expectation("handover"), bool), case.id
        assert case.category == case.expectation("category"), case.id


def test_every_label_is_asked_for(cases: list[Case], at: Snapshot) -> None:
    lists = parse_lists(at.read("golden/helpdesk/prompt.md").decode())
    for name in LISTS:
        asked = {str(case.expectation(name)).lower() for case in cases}
        assert asked == set(lists[name]), name


def test_refuse_goes_with_what_is_not_about_the_product(cases: list[Case]) -> None:
    for case in cases:
        refuse = case.expectation("refuse")
        assert isinstance(refuse, bool), case.id
        assert refuse == (case.expectation("article") == "none") == (case.expectation("category") == "other"), case.id


def test_no_expected_reply_declines_what_should_be_answered(cases: list[Case]) -> None:
    for case in cases:
        if case.expectation("refuse") is False:
            assert not declines(str(case.expectation("reply"))), case.id


def test_every_expected_answer_has_the_right_shape(suite: Suite, cases: list[Case]) -> None:
    """But for `refuse`, which is the scorers' word and no part of an answer."""
    schema = suite.bound["json_schema"]
    for case in cases:
        assert case.expected is not None
        answer = {key: value for key, value in case.expected.reveal().items() if key != "refuse"}
        scored = schema.score(Answer(json.dumps(answer)), case)
        assert scored.passed, case.id


def _texts(case: Case) -> Iterator[str]:
    asked = case.input.reveal()
    yield from (message["content"] for message in asked) if isinstance(asked, list) else [asked]
    yield str(case.expectation("reply"))


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def test_no_two_cases_share_eight_words_in_a_row(cases: list[Case]) -> None:
    """Each case is written by itself: a template would count one thing many times."""
    where: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for case in cases:
        for text in _texts(case):
            for words in _runs(text, 8):
                where[words].add(case.id)
    assert {" ".join(words): ids for words, ids in where.items() if len(ids) > 1} == {}


def test_no_case_stands_in_the_training_rows_or_the_prompt(cases: list[Case], at: Snapshot) -> None:
    assert leaks_in_rows(cases, read(at, TRAIN)) == []
    assert leaks_in_text(cases, at.read("golden/helpdesk/prompt.md").decode(), "prompt.md") == []


def test_no_case_shares_eight_words_in_a_row_with_a_training_row(cases: list[Case], at: Snapshot) -> None:
    learnt = {words for row in read(at, TRAIN) for words in _runs(row.input, 8)}
    assert [case.id for case in cases for text in _texts(case) if _runs(text, 8) & learnt] == []


# --- the model --------------------------------------------------------------------------------------------------------


def test_every_case_is_answered(run: Run, cases: list[Case]) -> None:
    assert run.holds(case.id for case in cases)
    assert run.header.deterministic
    assert {record.finish for record in run.records} == {"stop"}


def test_format_is_perfect_and_the_rest_leaves_room_both_ways(suite: Suite, run: Run) -> None:
    found = {name: float(score) for name, score in Tally.of(run.records).scores(suite.scorers).items()}
    assert found.pop("format") == 100
    assert set(found) == {"task_accuracy", "output_quality", "behaviour"}
    assert all(75 <= score <= 95 for score in found.values()), found


def test_asking_again_gives_the_same_answers(suite: Suite, run: Run, at: Snapshot, tmp_path: Path) -> None:
    session = Session({}, Silent(), tmp_path, LAPTOP, Deadline.after(PATIENT))
    some = list(suite.golden.cases.values())[::30]
    again = FullRun(suite, suite.side(at), session).evaluate(some).repeat(0)
    before = run.repeat(0)
    assert [again[case.id].cells for case in some] == [before[case.id].cells for case in some]


def test_the_expected_reply_itself_passes_every_scorer(suite: Suite, cases: list[Case]) -> None:
    """A case that no answer could pass would hide a regression."""
    for case in cases:
        assert case.expected is not None
        answer = Answer(json.dumps({key: value for key, value in case.expected.reveal().items() if key != "refuse"}))
        for scorer in suite.scorers.for_case(case):
            if scorer.name != "refusal:reply":
                assert suite.bound[scorer.name].score(answer, case).passed, (case.id, scorer.name)
