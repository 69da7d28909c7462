"""The naive target: cheap answers, scored as a model's are, so that a margin can be told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from gated import POLICY, PROMPT, ROWS, Product, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from making import case
from repo import Repo
from report_factory import comparison, outcome, said, section, some, suite
from sklearn.linear_model import LogisticRegression

from ci_eval.config import NaivePolicy
from ci_eval.errors import InputError
from ci_eval.naive import guesses, logistic
from ci_eval.naive.guesses import Example
from ci_eval.naive.margin import Margin, margins
from ci_eval.outcome.model import NaiveOutcome


def by_length(texts: Sequence[str]) -> list[list[float]]:
    """Alike by their first letter alone."""
    return [[1.0 if text[0] == letter else 0.0 for letter in "abcdefgh"] for text in texts]


# --- answers ----------------------------------------------------------------------------------------------------------


def test_the_nearest_other_example_answers() -> None:
    cases = [case("one", input="a thing"), case("two", input="b thing")]
    examples = [Example("a", "yes", ("row", 0)), Example("b", {"x": 1}, ("row", 1))]
    assert guesses.nearest(cases, examples, by_length) == {"one": "yes", "two": '{"x": 1}'}


def test_a_case_is_never_answered_by_itself_or_its_cluster() -> None:
    cases = [case("one", input="a", cluster="k"), case("two", input="a", cluster="k"), case("three", input="b")]
    examples = [Example("a", "own", ("cluster", "k")), Example("b", "other", ("case", "three"))]
    assert guesses.nearest(cases, examples, by_length) == {"one": "other", "two": "other", "three": "own"}


def test_the_first_rule_that_matches_answers_in_any_case_of_letters() -> None:
    policy = NaivePolicy.model_validate(
        {
            "type": "regex",
            "rules": [{"pattern": "refund", "answer": "R"}, {"pattern": "re", "answer": "E"}],
            "answer": "-",
        }
    )
    cases = [case("one", input="A REFUND"), case("two", input="more"), case("three", input="no")]
    assert guesses.by_rules(policy, cases) == {"one": "R", "two": "E", "three": "-"}


def test_a_rule_that_re2_does_not_take_is_refused() -> None:
    policy = NaivePolicy.model_validate({"type": "regex", "rules": [{"pattern": "(?=x)", "answer": "R"}]})
    with pytest.raises(InputError, match="RE2"):
        guesses.by_rules(policy, [case()])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("Hello", "Hello"),
        ({"question": "Why?", "n": 3}, "Why?\n3"),
        (
            [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}, {"role": "user", "content": "C"}],
            "A\nC",
        ),
    ],
)
def test_what_is_said_in_an_input(given: object, text: str) -> None:
    assert guesses.text_of(case(input=given)) == text


def test_a_regression_learns_each_field_apart() -> None:
    cases = [case(f"c{n}", input="ab"[n % 2], expected={}) for n in range(8)]
    examples = [Example("ab"[n % 2], {"topic": "AB"[n % 2], "sure": n % 2 == 0}, ("row", n)) for n in range(8)]
    found = guesses.by_regression(cases, examples, by_length)
    assert {name: json.loads(text) for name, text in found.items()} == {
        f"c{n}": {"topic": "AB"[n % 2], "sure": n % 2 == 0} for n in range(8)
    }


def test_a_regression_keeps_a_case_out_of_what_it_learns_for_it() -> None:
    """One case alone knows a label, so nobody can guess it."""
    cases = [case(f"c{n}", input="a") for n in range(30)]
    examples = [Example("a", "rare" if n == 7 else "common", ("case", f"c{n}")) for n in range(30)]
    assert set(guesses.by_regression(cases, examples, by_length).values()) == {"common"}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(3, 5), st.integers(20, 80))
def test_the_regression_is_scikit_learns(seed: int, classes: int, rows: int) -> None:
    """Its labels, where two are not all but a tie; of two classes it would have one vector, not two."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, 8))
    labels = [str(n % classes) for n in range(rows)]
    vectors = np.array([centres[int(label)] + 0.7 * random.normal(size=8) for label in labels])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    theirs = LogisticRegression(C=10.0, tol=1e-9, max_iter=5000).fit(vectors, labels)
    shares = np.sort(theirs.predict_proba(vectors), axis=1)
    clear = shares[:, -1] - shares[:, -2] > 0.02
    ours = np.array(logistic.fit(vectors, labels).predict(vectors))
    assert list(ours[clear]) == list(theirs.predict(vectors)[clear])


# --- policy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "naive",
    [
        {"type": "regex"},
        {"type": "template"},
        {"type": "template", "answer": "x", "rules": [{"pattern": "x", "answer": "y"}]},
        {"type": "nearest", "answer": "x"},
        {"type": "template", "answer": "x", "from": "data/x.jsonl"},
        {"type": "magic"},
        {"type": "nearest", "least_margin": -1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(naive: object, repo: Repo, tmp_path: Path) -> None:
    policy = POLICY.replace("    gate:", f"    naive: {json.dumps(naive)}\n    gate:")
    with pytest.raises(InputError):
        Product.new(repo, tmp_path, policy=policy).suite()


# --- the gate ---------------------------------------------------------------------------------------------------------


def margin_of(product: Product) -> NaiveOutcome:
    (found,) = product.gate({"prompt.md": PROMPT.replace("Sort the", "Sort this")}).suites
    assert found.naive is not None
    return found.naive


@pytest.mark.parametrize(
    ("naive", "score"),
    [
        ('{type: template, answer: "{\\"topic\\": \\"travel\\"}"}', Fraction(100, 3)),
        ('{type: regex, rules: [{pattern: "rose|tree", answer: "{\\"topic\\": \\"garden\\"}"}]}', Fraction(100, 3)),
        ("{type: template, answer: no idea}", Fraction(0)),
    ],
)
def test_the_gate_tells_the_margin(naive: str, score: Fraction, repo: Repo, tmp_path: Path) -> None:
    product = Product.new(repo, tmp_path / "out", policy=POLICY.replace("    gate:", f"    naive: {naive}\n    gate:"))
    (margin,) = margin_of(product).margins
    assert (margin.naive, margin.model, margin.gain) == (score, Fraction(100), 100 - score)


def test_the_nearest_of_the_golden_set_or_of_rows(repo: Repo, tmp_path: Path) -> None:
    product = Product.new(
        repo, tmp_path / "out", policy=POLICY.replace("    gate:", "    naive: {type: nearest}\n    gate:")
    )
    assert margin_of(product).margins[0].naive <= 100
    taught = rows(*({"input": one["input"], "output": json.dumps(one["expected"])} for one in ROWS))
    repo.write("rows.jsonl", taught)
    repo.write("ci-eval.yaml", POLICY.replace("    gate:", "    naive: {type: nearest, from: rows.jsonl}\n    gate:"))
    repo.commit("rows that hold the answers")
    assert margin_of(product).margins[0].naive == 100


def test_what_says_nothing_of_an_answer_by_itself_is_no_margin(repo: Repo, tmp_path: Path) -> None:
    """An answer that is no answer is never silently wrong."""
    naive = "    naive: {type: template, answer: no idea}\n    gate:"
    scorers = "      - {type: exact, field: topic}\n      - {type: not_silent}\n"
    policy = POLICY.replace("    gate:", naive).replace("      - {type: exact, field: topic}\n", scorers)
    assert [one.dimension for one in margin_of(Product.new(repo, tmp_path / "out", policy=policy)).margins] == [
        "task_accuracy"
    ]


# --- the report -------------------------------------------------------------------------------------------------------


def test_a_margin_is_of_the_cells_that_both_have() -> None:
    compared = comparison(some(300, repaired=30))
    (margin,) = margins(compared, ["task_accuracy", "never scored"], Fraction(5))
    assert margin.gain == margin.model - margin.naive == Fraction(10)
    assert margin.interval is not None
    assert margin.interval[0] > 5
    assert not margin.thin


@pytest.mark.parametrize(("repaired", "words"), [(30, ""), (3, "Too thin to pay for: not surely 5 points better in ")])
def test_the_report_says_when_a_model_is_too_little_better(repaired: int, words: str) -> None:
    found = margins(comparison(some(300, repaired=repaired)), ["task_accuracy"], Fraction(5))
    one = outcome(suite(naive=NaiveOutcome("nearest", found)))
    text = said(one, "Beside a naive answer")
    assert "the answer to the most similar input" in text
    assert words in text
    assert ("Too thin" in text) == bool(words)


def test_a_model_that_is_worth_it_somewhere_is_not_too_little() -> None:
    worth = Margin("task_accuracy", Fraction(50), Fraction(80), Fraction(30), (20.0, 40.0), Fraction(5))
    level = Margin("format", Fraction(100), Fraction(100), Fraction(0), (-1.0, 1.0), Fraction(5))
    text = said(outcome(suite(naive=NaiveOutcome("regex", (worth, level)))), "Beside a naive answer")
    assert "Not surely 5 points better in format." in text
    assert section(outcome(suite()), "Dimensions")


def test_without_a_naive_policy_nothing_is_told(repo: Repo, tmp_path: Path) -> None:
    (found,) = Product.new(repo, tmp_path / "out").gate({"prompt.md": PROMPT + "\nBe brief.\n"}).suites
    assert found.naive is None
