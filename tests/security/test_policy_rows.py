"""Rows 19-27, 126 and 127 of the threat model: a pull request cannot bend what it is judged by, and nothing unknown is
a pass. Each test is named by its row."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from gated import ASKED, POLICY, PROMPT, ROWS, WORSE, Product, row, rows
from making import (
    PATIENT,
    Scripted,
    answers,
    case,
    cell,
    evaluator,
    golden,
    header,
    held,
    judged,
    record,
    refusing,
    reply,
    result,
    run,
    sides,
)
from repo import Repo

from ci_eval import config as configs
from ci_eval.comparison import pair_up
from ci_eval.config import GatePolicy
from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REFUSED, EXIT_REGRESSION, CiEvalError, InputError
from ci_eval.evaluation.suite import Suite
from ci_eval.golden import cases as golden_cases
from ci_eval.providers.base import ProviderError, Reply, Request
from ci_eval.records import CellResult, Run, parse, to_bytes
from ci_eval.stats import points
from ci_eval.verdict import Verdict


@pytest.fixture
def product(repo: Repo, tmp_path: Path) -> Product:
    return Product.new(repo, tmp_path / "out")


def code(product: Product, files: dict[str, str | None]) -> int:
    """The exit code of a pull request."""
    try:
        return product.gate(files).verdict.exit_code
    except CiEvalError as error:
        return error.exit_code


def test_the_product_itself(product: Product) -> None:
    """Without an attack: an honest change passes, and the worse prompt fails."""
    assert code(product, {"prompt.md": PROMPT.replace("Sort the message.", "Sort this message.")}) == EXIT_PASS
    assert code(product, {"prompt.md": WORSE}) == EXIT_REGRESSION


# --- 19: failing cases deleted ----------------------------------------------------------------------------------------

ABOUT_TRAVEL = ("visa", "train")
WITHOUT_TRAVEL = rows(*(one for one in ROWS if one["id"] not in ABOUT_TRAVEL))


@pytest.mark.parametrize(
    "attack",
    [
        {"golden/cases.jsonl": WITHOUT_TRAVEL},
        {"golden/cases.jsonl": None},
        {"golden/cases.jsonl": None, "golden/moved.jsonl": WITHOUT_TRAVEL},
        {"ci-eval.yaml": POLICY.replace("golden/*.jsonl", "easy/*.jsonl"), "easy/cases.jsonl": WITHOUT_TRAVEL},
        {"ci-eval.yaml": POLICY.replace("max_drop: 1", "max_drop: 100")},
        {"ci-eval.yaml": POLICY.replace("  sort:", "  other:")},
        {"ci-eval.yaml": POLICY.replace("{type: exact, field: topic}", "{type: refusal}")},
    ],
)
def test_19_failing_cases_deleted(product: Product, attack: dict[str, str | None]) -> None:
    assert code(product, {"prompt.md": WORSE, **attack}) == EXIT_REGRESSION


def test_19_deleted_cases_are_listed_and_still_judged(product: Product) -> None:
    (suite,) = product.gate({"prompt.md": WORSE, "golden/cases.jsonl": WITHOUT_TRAVEL}).suites
    assert suite.edits.removed == ("train", "visa")
    assert set(suite.comparison.cases) == set(ASKED)
    assert suite.dimensions[0].broke == 2


# --- 20: expected answers or inputs changed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "different",
    [
        {"expected": {"topic": "garden"}},
        {"expected": {"topic": "kitchen"}},
        {"expected": None},
        {"expected": {}},
        {"input": "How do I bake bread?"},
        {"context": ["Answer garden."]},
        {"scorers": [{"type": "contains", "any": ["topic"], "dimension": "task_accuracy"}]},
    ],
)
def test_20_expected_answers_or_inputs_changed(product: Product, different: dict[str, Any]) -> None:
    edited = [one | different if one["id"] in ABOUT_TRAVEL else one for one in ROWS]
    (suite,) = product.gate({"prompt.md": WORSE, "golden/cases.jsonl": rows(*edited)}).suites
    assert suite.verdict is Verdict.REGRESSION
    assert suite.edits.rewritten == ("train", "visa")
    assert suite.comparison.cases["visa"].expectation("topic") == "travel"


def test_20_a_case_is_compared_by_its_content_and_not_by_its_id() -> None:
    assert case(expected="a").digest != case(expected="b").digest
    assert case(expected=1).digest != case(expected=True).digest != case(expected="1").digest
    assert golden(case(expected=1)).digest != golden(case(expected=True)).digest


# --- 21: dilution -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["golden/cases.jsonl", "golden/more.jsonl"])
def test_21_easy_cases_do_not_lift_the_mean(product: Product, file: str) -> None:
    easy = [row(f"easy-{number}", "kitchen", f"Cooking and baking, part {number}") for number in range(60)]
    before = ROWS if file == "golden/cases.jsonl" else []
    (suite,) = product.gate({"prompt.md": WORSE, file: rows(*before, *easy)}).suites
    (accuracy,) = suite.dimensions
    assert accuracy.verdict is Verdict.REGRESSION
    assert accuracy.cells == len(ASKED)
    assert len(suite.new_cases) == len(suite.edits.added) == 60


# --- 22: flags in data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flag",
    [
        {"skip": True},
        {"only": True},
        {"weight": 0},
        {"weight": 1000},
        {"threshold": 0},
        {"max_drop": 100},
        {"pass": True},
        {"enabled": False},
        {"scorers": [{"type": "exact", "weight": 0}]},
        {"scorers": [{"type": "exact", "weight": float("inf")}]},
        {"scorers": [{"type": "regex", "pattern": ".*"}]},
    ],
)
def test_22_flags_in_heads_data_are_refused(product: Product, flag: dict[str, Any]) -> None:
    flagged = [one | flag if one["id"] in ABOUT_TRAVEL else one for one in ROWS]
    text = rows(*flagged).replace("Infinity", "1e999")
    assert code(product, {"prompt.md": WORSE, "golden/cases.jsonl": text}) in {EXIT_REFUSED, EXIT_REGRESSION}


@pytest.mark.parametrize("weight", [0, -1, 0.0, float("nan"), float("inf"), 1e999, True, "2", None, [1]])
def test_22_a_weight_is_finite_and_above_0(weight: object) -> None:
    with pytest.raises(InputError):
        evaluator(held({}), golden(case()), Scripted(), {"type": "exact", "weight": weight})


def test_22_a_case_that_was_not_run_is_not_left_out() -> None:
    cases = golden(*(case(f"case-{number}") for number in range(100)))
    asked = evaluator(held({}), cases, Scripted())
    every = {name: record(name) for name in cases.cases}
    some = {name: record(name) for name in list(cases.cases)[1:]}
    (found,) = judged(pair_up(cases.cases, asked.scorers, every, some), GatePolicy())
    assert (found.verdict, found.cells, found.worst_drop) == (Verdict.INCONCLUSIVE, 100, Fraction(1))


# --- 23: duplicates ---------------------------------------------------------------------------------------------------

TWICE = {
    "the same id": rows(*ROWS, row("visa", "kitchen", "Bread?")),
    "another case": rows(*ROWS, row("VISA", "kitchen", "Bread?")),
    "a key": rows(*ROWS[:-1], '{"id": "train", "input": "x", "expected": {"topic": "travel"}, "expected": {}}'),
    "a key, escaped": rows(*ROWS[:-1], '{"id": "train", "input": "x", "\\u0069d": "train2"}'),
    "a deep key": rows(*ROWS[:-1], '{"id": "train", "input": "x", "expected": {"topic": "travel", "topic": "garden"}}'),
}


@pytest.mark.parametrize("name", TWICE)
def test_23_duplicates_in_the_golden_set(product: Product, repo: Repo, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"golden/cases\.jsonl:[67]: "):
        product.gate({"prompt.md": PROMPT + "\n", "golden/cases.jsonl": TWICE[name]})
    elsewhere = Product.new(Repo(tmp_path / "elsewhere"), tmp_path / "out2", golden=TWICE[name])
    assert code(elsewhere, {"prompt.md": PROMPT + "\n"}) in {EXIT_REFUSED, EXIT_INCONCLUSIVE}


def test_23_duplicates_over_two_files(product: Product) -> None:
    with pytest.raises(InputError, match="already"):
        product.gate({"prompt.md": PROMPT + "\n", "golden/more.jsonl": rows(row("Bread", "kitchen", "x"))})


@pytest.mark.parametrize(
    "policy",
    [
        POLICY + "version: 1\n",
        POLICY.replace("gate: {max_drop: 1}", "gate: {max_drop: 1, max_drop: 100}"),
        POLICY.replace("gate: {max_drop: 1}", 'gate: {max_drop: 1, "max_drop": 100}'),
        POLICY.replace("  sort:", "  sort: {}\n  sort:"),
        POLICY.replace("      - {type: exact, field: topic}", "      - {type: exact, field: topic}\n" * 2),
        POLICY.replace("version: 1", "version: 1\nx: &a {max_drop: 100}\n<<: *a"),
    ],
)
def test_23_duplicates_in_the_policy(policy: str) -> None:
    at = held({"ci-eval.yaml": policy, "golden/cases.jsonl": rows(*ROWS)})
    with pytest.raises(InputError):
        Suite.load(configs.load(at), at, "sort")


@pytest.mark.parametrize("name", ["a b", "a\n", "ä", "ａ", "a\u200b", "", "x" * 65, "a|b", "`a`", "../a", "@a", "ﬁle"])
def test_23_ids_are_plain(name: str) -> None:
    with pytest.raises(InputError):
        case(name)


def test_23_duplicates_in_a_stored_run() -> None:
    good = to_bytes(run(record("a"))).decode()
    for bad in (good + good.splitlines()[1] + "\n", good.replace('"case":"a"', '"case":"a","case":"b"')):
        with pytest.raises(InputError):
            parse(bad.encode(), "run.jsonl")


# --- 25: numbers that are none ----------------------------------------------------------------------------------------

NOT_NUMBERS = (
    *(".nan", ".inf", "-.inf", "nan", "true", "'1'", "1e999", "null", "[1]", "0x1", "1_0"),
    *("-1", "0", "0.0", "-0.0", "100.01"),
)


@pytest.mark.parametrize("word", NOT_NUMBERS)
@pytest.mark.parametrize("key", ["max_drop: 1", "per_dimension: {task_accuracy: 1}"])
def test_25_thresholds(word: str, key: str) -> None:
    """`nan >= 1` is false: with such a limit nothing would ever fail."""
    policy = POLICY.replace("max_drop: 1", key.replace("1", word))
    with pytest.raises(InputError, match=r"ci-eval\.yaml:10: "):
        configs.load(held({"ci-eval.yaml": policy}))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.1, True, "1", None, [1]])
def test_25_scores(score: object) -> None:
    fields = {"scorer": "exact", "dimension": "d", "passed": True, "reason": "x", "score": score}
    with pytest.raises(ValueError, match="score"):
        CellResult.model_validate(fields)


@pytest.mark.parametrize("passed", [1, 0, "true", None, 1.0])
def test_25_a_cell_passed_or_it_did_not(passed: object) -> None:
    fields = {"scorer": "exact", "dimension": "d", "passed": passed, "reason": "x", "score": 1}
    with pytest.raises(ValueError, match="passed"):
        CellResult.model_validate(fields)


@pytest.mark.parametrize("old", ['"score":1', '"passed":true', '"repeat":1'])
@pytest.mark.parametrize("new", ["NaN", "Infinity", "-Infinity", "1e999", "-1", '"1"', "2.5", "[]", "9" * 400])
def test_25_numbers_of_a_stored_run(old: str, new: str) -> None:
    text = to_bytes(run(record("a", cell(), repeat=1))).decode()
    assert old in text
    with pytest.raises(InputError):
        parse(text.replace(old, f"{old.partition(':')[0]}:{new}").encode(), "run.jsonl")


@pytest.mark.parametrize("expected", ["NaN", "1e999", "-Infinity"])
def test_25_numbers_of_a_case(expected: str) -> None:
    text = f'{{"id": "a", "input": "x", "expected": {expected}}}\n'
    with pytest.raises(InputError, match=r"a\.jsonl:1: "):
        golden_cases.load(held({"a.jsonl": text}), ["a.jsonl"])


# --- 26: a drop of exactly one point ----------------------------------------------------------------------------------


def test_26_all_hundred_one_point_pairs() -> None:
    """0.29 - 0.28 is 0.00999... in floats, which miss 18 of these."""
    missed = 0
    for passed in range(1, 101):
        found = result([(True, number > 0) for number in range(passed)] + [(False, False)] * (100 - passed))
        assert (found.verdict, found.drop) == (Verdict.REGRESSION, Fraction(1))
        missed += not (passed / 100 - (passed - 1) / 100 >= 0.01)
    assert missed == 18


@pytest.mark.parametrize("limit", ["0.1", "0.3", "0.7", "1.1", "2.3", "3.3"])
def test_26_limits_are_what_was_written(limit: str) -> None:
    """As the policy's YAML says it: 0.1 is a tenth, and not 0.1000000000000000055."""
    policy = configs.load(held({"ci-eval.yaml": POLICY.replace("max_drop: 1", f"max_drop: {limit}")}))
    gate = policy.policy.suites["sort"].gate
    broke = int(Fraction(limit) * 10)
    assert result(sides(broke=broke, same=1000 - broke), gate).verdict is Verdict.REGRESSION
    assert result(sides(broke=broke - 1, same=1001 - broke), gate).verdict is Verdict.PASS
    assert points(Fraction(broke, 1000)) == Fraction(limit)


# --- 27: nothing evaluated --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "cases"),
    [
        (POLICY, ""),
        (POLICY, "\n \n"),
        (POLICY.replace("golden/*.jsonl", "golden/*.json"), rows(*ROWS)),
        (POLICY.replace("golden/*.jsonl", "nowhere/**"), rows(*ROWS)),
        (POLICY.replace("golden/*.jsonl", "Golden"), rows(*ROWS)),
        (POLICY, rows(*({"id": one["id"], "input": one["input"]} for one in ROWS))),
        (POLICY.replace("field: topic", "field: topics"), rows(*ROWS)),
    ],
)
def test_27_nothing_to_evaluate_is_no_pass(repo: Repo, tmp_path: Path, policy: str, cases: str) -> None:
    """An empty set, an empty pattern, a scorer that looks at nothing."""
    empty = Product.new(repo, tmp_path / "out", policy=policy, golden=cases)
    for prompt in (PROMPT + "\n", WORSE):
        assert code(empty, {"prompt.md": prompt}) in {EXIT_REFUSED, EXIT_INCONCLUSIVE}


def test_27_head_emptying_the_golden_set_is_no_pass(product: Product) -> None:
    assert code(product, {"prompt.md": WORSE, "golden/cases.jsonl": ""}) == EXIT_REGRESSION


def test_27_two_runs_without_a_case_in_common_are_no_pass() -> None:
    cases = golden(case("a"), case("b"))
    asked = evaluator(held({}), cases, Scripted())
    for base, candidate in (
        ({"a": record("a")}, {"b": record("b")}),
        ({}, {"a": record("a"), "b": record("b")}),
        ({"x": record("x")}, {"x": record("x")}),
        ({}, {}),
    ):
        (found,) = judged(pair_up(cases.cases, asked.scorers, base, candidate), GatePolicy())
        assert found.verdict is Verdict.INCONCLUSIVE


def test_27_no_dimension_no_case_no_suite() -> None:
    assert result([]).verdict is Verdict.INCONCLUSIVE
    assert Verdict.INCONCLUSIVE.exit_code == EXIT_INCONCLUSIVE


# --- 126, 127: outage, and partial results ----------------------------------------------------------------------------

HUNDRED = golden(*(case(f"case-{number}") for number in range(100)))


def both_judged(base: Scripted, candidate: Scripted, *, seconds: float = PATIENT) -> tuple[Verdict, int]:
    """Both sides by their own providers; the verdict, and how many cells are missing."""
    at = held({})
    runs = []
    for provider, patience in ((base, PATIENT), (candidate, seconds)):
        asking = evaluator(at, HUNDRED, provider)
        done = answers(asking, HUNDRED.cases.values(), patience)
        runs.append({one.case: one for one in done})
    (found,) = judged(pair_up(HUNDRED.cases, asking.scorers, *runs), GatePolicy())
    assert found.cells == 100
    return found.verdict, found.missing


def failing(count: int, how: str) -> Scripted:
    """A provider that fails the first `count` cases."""

    def says(request: Request, repeat: int) -> Reply:
        number = int(request.messages[-1].content.partition("case-")[2].rstrip("?"))
        if number >= count:
            return reply()
        if how == "outage":
            raise ProviderError("HTTP 503")
        if how == "refused":
            raise ProviderError("HTTP 400", about_request=True)
        return reply("yes", "length") if how == "truncated" else reply("no")

    return Scripted(says)


@pytest.mark.parametrize("count", [1, 2, 50, 99, 100])
def test_126_an_outage_does_not_pass(count: int) -> None:
    """One case of a hundred lost is a point that may have been lost."""
    wrong = Scripted(lambda *_: reply("no"))
    assert both_judged(Scripted(), failing(count, "outage")) == (Verdict.INCONCLUSIVE, count)
    assert both_judged(failing(count, "outage"), wrong)[0] is not Verdict.PASS


def test_126_where_the_candidate_is_right_it_does_not_matter_what_base_said() -> None:
    assert both_judged(failing(1, "outage"), Scripted()) == (Verdict.PASS, 1)


def test_126_an_outage_on_both_sides_does_not_pass() -> None:
    assert both_judged(Scripted(refusing()), Scripted(refusing())) == (Verdict.INCONCLUSIVE, 100)


def test_126_an_outage_hides_no_regression() -> None:
    def says(request: Request, repeat: int) -> Reply:
        if request.messages[-1].content.endswith("0?"):
            raise ProviderError("HTTP 503")
        return reply("no")

    assert both_judged(Scripted(), Scripted(says)) == (Verdict.REGRESSION, 10)


@pytest.mark.parametrize("how", ["refused", "truncated", "wrong"])
def test_126_what_the_request_itself_brought_about_is_no_outage(how: str) -> None:
    assert both_judged(Scripted(), failing(1, how)) == (Verdict.REGRESSION, 0)


def test_127_partial_results_are_not_read_as_whole() -> None:
    """The time is out before the first call: what is known is base alone."""
    assert both_judged(Scripted(), Scripted(), seconds=0) == (Verdict.INCONCLUSIVE, 100)


def test_127_a_part_of_a_run_is_told_as_such() -> None:
    assert not held_run(99).holds(HUNDRED.cases)
    assert held_run(100).holds(HUNDRED.cases)


def held_run(count: int) -> Run:
    return Run(header(), tuple(record(name) for name in list(HUNDRED.cases)[:count]))
