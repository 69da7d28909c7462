"""Rows 24, 29, 40 and 42 of the threat model: what the gate goes by, and which cases it picks, is main's. Each test is
named by its row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from gated import ASKED, POLICY, PROMPT, ROWS, WORSE, Product, Silent, no_baselines, rows
from hypothesis import given
from hypothesis import strategies as st
from repo import Repo

from ci_eval.baseline.store import WRITERS, Store, Trust
from ci_eval.config import Config, GatePolicy
from ci_eval.errors import EXIT_PASS, EXIT_REFUSED, EXIT_REGRESSION, CiEvalError
from ci_eval.evaluation.base_run import Baselines
from ci_eval.gate import Gate, Tighter
from ci_eval.git import Git, Remote
from ci_eval.records import Run, to_bytes
from ci_eval.verdict import Verdict

_AGES = timedelta(days=14), datetime.now(UTC) + timedelta(minutes=5)


@pytest.fixture
def product(repo: Repo, tmp_path: Path) -> Product:
    return Product.new(repo, tmp_path / "out")


# --- 24: gate policy changed in the pull request ----------------------------------------------------------------------

SCORERS = "      - {type: exact, field: topic}\n"


@pytest.mark.parametrize(
    "policy",
    [
        POLICY.replace("max_drop: 1", "max_drop: 100"),
        POLICY.replace("gate: {max_drop: 1}", "gate: {max_drop: 1, per_dimension: {task_accuracy: 99}}"),
        POLICY.replace("gate: {max_drop: 1}", "gate: {max_drop: 1, max_errors: 1000}"),
        POLICY.replace(SCORERS, "      - {type: refusal, dimension: task_accuracy}\n"),
        POLICY.replace(SCORERS, SCORERS + "      - {type: refusal, dimension: task_accuracy, weight: 1000}\n"),
        POLICY.replace("prompt: prompt.md", "prompt: other.md"),
        POLICY.replace("golden: golden/*.jsonl", "golden: other/*.jsonl"),
        POLICY.replace("budget: {seconds: 3600}", "budget: {seconds: 3600, usd: 1000}"),
        POLICY + "baseline: {branch: evil, repeats: 1}\n",
    ],
)
def test_24_a_policy_of_the_pull_request_counts_for_nothing(product: Product, policy: str) -> None:
    """The prompt that it now names is what is judged, worse or not; nothing else of it has any effect."""
    assert policy != POLICY
    files = {"prompt.md": WORSE, "other.md": WORSE, "other/cases.jsonl": rows(*ROWS[:2]), "ci-eval.yaml": policy}
    outcome = product.gate(files)
    (suite,) = outcome.suites
    assert outcome.verdict is Verdict.REGRESSION
    assert [(one.name, one.limit) for one in suite.dimensions] == [("task_accuracy", Fraction(1))]
    assert set(suite.comparison.cases) == set(ASKED)


@pytest.mark.parametrize("key", ["on_error: pass", "skip: true", "required: false", "allow_failure: true"])
def test_24_there_is_no_key_that_lets_a_failure_pass(product: Product, key: str) -> None:
    with pytest.raises(CiEvalError) as caught:
        product.gate({"prompt.md": WORSE, "ci-eval.yaml": f"{POLICY}{key}\n"})
    assert caught.value.exit_code == EXIT_REFUSED


def test_24_a_file_that_head_no_longer_watches_is_still_watched(repo: Repo, tmp_path: Path) -> None:
    watching = POLICY.replace("    golden:", "    watch: [src/**]\n    golden:")
    product = Product.new(repo, tmp_path / "out", policy=watching)
    outcome = product.gate({"src/parse.py": "x = 1\n", "ci-eval.yaml": POLICY})
    assert outcome.reason == "judged"


def test_24_a_file_that_head_begins_to_watch_is_watched(product: Product) -> None:
    watching = POLICY.replace("    golden:", "    watch: [src/**]\n    golden:")
    assert product.gate({"src/parse.py": "x = 1\n", "ci-eval.yaml": watching}).reason == "judged"


LIMITS = st.fractions(min_value=Fraction(1, 1000), max_value=100)


@given(LIMITS, LIMITS, st.none() | LIMITS)
def test_24_inputs_of_a_workflow_only_tighten(asked: Fraction, main: Fraction, one: Fraction | None) -> None:
    policy = GatePolicy(
        max_drop=float(main), per_dimension={} if one is None else {"tone": float(one), "format": "any"}
    )
    found = Tighter(asked, float(asked), float(asked))
    gate = found.gate(policy)
    assert gate.max_drop <= policy.max_drop
    assert all(limit == "any" or limit <= float(one or 0) for limit in gate.per_dimension.values())
    assert found.seconds(float(main)) <= float(main)
    assert (found.usd(float(main)) or 0) <= float(main)
    assert found.usd(None) == float(asked)


def test_24_a_suite_and_its_prompt_do_not_go_in_one_pull_request(repo: Repo, tmp_path: Path) -> None:
    """Or nothing would show what a renamed prompt does."""
    other = "  other:\n    target: {prompt: other.md, model: model.yaml}\n    golden: golden/*.jsonl\n    scorers:\n"
    product = Product.new(repo, tmp_path / "out", policy=POLICY.replace("suites:\n", f"suites:\n{other}{SCORERS}"))
    repo.write("other.md", PROMPT)
    repo.commit("two suites")
    with pytest.raises(CiEvalError, match="remove the suite first, and its files in the next pull request"):
        product.gate({"ci-eval.yaml": POLICY, "other.md": None})
    assert product.gate({"ci-eval.yaml": POLICY}).verdict.exit_code == EXIT_PASS


# --- 29: baseline in the pull request ---------------------------------------------------------------------------------


def forged(run: Run) -> str:
    """Main's own run, in which nothing passed."""
    cells = [
        record.model_copy(
            update={"cells": [cell.model_copy(update={"passed": False, "score": 0}) for cell in record.cells]}
        )
        for record in run.records
    ]
    return to_bytes(Run(run.header, tuple(cells))).decode()


def test_29_a_baseline_that_a_pull_request_brings_is_not_read(product: Product, tmp_path: Path) -> None:
    """Neither as a file where the store would keep it, nor by a policy of head that names another branch."""
    run = product.evaluated()
    repo = product.repo
    repo.branch("evil", "main")
    repo.write(f"runs/sort/{run.header.fingerprint.folder}/{run.header.commit}-1.1.jsonl", forged(run))
    repo.commit("a forged store")
    repo.checkout("main")
    asked: list[str] = []

    def baselines(config: Config) -> Baselines:
        asked.append(config.policy.baseline.branch)
        remote = Git.create(tmp_path / f"remote{len(asked)}", bare=True)
        store = Store(Remote(str(remote.git_dir), protocols="file"), config.policy.baseline.branch)
        return Baselines(store, Trust(WRITERS, "octo/shop", *_AGES))

    files = {
        "prompt.md": WORSE,
        f"runs/sort/{run.header.fingerprint.folder}/{run.header.commit}-1.1.jsonl": forged(run),
        "ci-eval.yaml": f"{POLICY}baseline: {{branch: evil}}\n",
    }
    outcome = product.gate(files, baselines)
    assert asked == ["ci-eval-baselines"]
    assert (outcome.verdict, outcome.suites[0].base_stored) == (Verdict.REGRESSION, False)


# --- 40: a lucky subset -----------------------------------------------------------------------------------------------


def seeds(product: Product, files: Mapping[str, str]) -> list[int]:
    """What a pull request's subset would be drawn by."""
    base = product.main
    product.repo.checkout(base.commit or "main")
    for path, content in files.items():
        product.repo.write(path, content)
    head = product.repo.at("a pull request")
    product.repo.checkout("main")
    outlook = Gate(base, head, "ci-eval.yaml", lambda _: {}, Silent(), product.out, baselines=no_baselines).plan()
    return [work.seed for work in outlook.work]


def test_40_nothing_of_the_pull_request_draws_the_subset(product: Product) -> None:
    """The seed is of main's commit and golden set: another push, prompt or golden set draws nothing anew."""
    one = seeds(product, {"prompt.md": WORSE})
    assert seeds(product, {"prompt.md": PROMPT + "\nBe brief.\n"}) == one
    assert seeds(product, {"prompt.md": WORSE, "golden/cases.jsonl": rows(*ROWS[:3])}) == one
    product.repo.write("notes.md", "main moves on")
    product.repo.commit("another commit of main")
    assert seeds(product, {"prompt.md": WORSE}) != one


def test_40_which_of_mains_repeats_counts_is_drawn_by_base_and_number(product: Product, tmp_path: Path) -> None:
    remote = Git.create(tmp_path / "remote", bare=True)
    store = Store(Remote(str(remote.git_dir), protocols="file"), "ci-eval-baselines")
    run = product.evaluated()
    repeats = [
        record.model_copy(update={"repeat": number, "latency_ms": number})
        for number in range(5)
        for record in run.records
    ]
    store.add(Run(run.header.model_copy(update={"repeats": 5}), tuple(repeats)), "7.1")
    suite = product.suite()
    baselines = Baselines(store, Trust(WRITERS, "octo/shop", *_AGES))

    def picked(pull: int) -> set[float | None]:
        found, _ = baselines.recall(suite, suite.side(product.main), pull)
        assert found is not None
        return {record.latency_ms for record in found.records.values()}

    assert picked(7) == picked(7)
    assert {number for pull in range(40) for number in picked(pull)} == {0, 1, 2, 3, 4}


# --- 42: the prompt holds the answers ---------------------------------------------------------------------------------


def test_42_golden_inputs_in_the_prompt_are_told_and_fail_nothing(product: Product) -> None:
    inputs = "\n".join(f'- "{text}" is {topic}' for topic, text in ASKED.values())
    outcome = product.gate({"prompt.md": f"{PROMPT}\nExamples\n{inputs}\n"})
    (suite,) = outcome.suites
    assert {leak.case for leak in suite.leaks} == set(ASKED)
    assert outcome.verdict.exit_code == EXIT_PASS
    honest = product.gate({"prompt.md": f"{PROMPT}\nBe brief, and answer in one line of JSON.\n"})
    assert honest.suites[0].leaks == ()


def test_42_answers_in_the_prompt_do_not_hide_what_it_breaks(product: Product) -> None:
    """Contamination is told beside a verdict; it is no verdict."""
    inputs = "\n".join(f"- {ASKED[name][1]}" for name in ("bread", "soup"))
    assert product.gate({"prompt.md": f"{WORSE}\n{inputs}\n"}).verdict.exit_code == EXIT_REGRESSION


# --- 124: slow boil ---------------------------------------------------------------------------------------------------


def test_124_small_drops_one_after_another_meet_the_anchor(repo: Repo, tmp_path: Path) -> None:
    """Each loses less than main's limit; the second is too far below what was tagged."""
    policy = POLICY.replace("gate: {max_drop: 1}", "gate: {max_drop: 20}\n    anchor: {ref: v1, max_drop: 20}")
    product = Product.new(repo, tmp_path / "out", policy=policy)
    repo.git.run("tag", "v1")
    without_roses = PROMPT.replace("- garden: plants, flowers, trees, soil, watering, roses\n", "- garden: bicycles\n")
    first = product.gate({"prompt.md": without_roses})
    lost = max(one.drop for one in first.suites[0].dimensions)
    assert first.suites[0].anchor is not None
    assert (lost >= 20) == (first.verdict is Verdict.REGRESSION)
    repo.write("prompt.md", WORSE)
    repo.commit("a drop that was let in")
    again = product.gate({"prompt.md": WORSE.replace("Sort the message.", "Sort this message.")})
    (suite,) = again.suites
    assert suite.anchor is not None
    assert suite.dimensions[0].verdict is Verdict.PASS
    assert max(one.drop for one in suite.anchor.dimensions) >= 20
