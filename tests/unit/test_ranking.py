"""Which cases tell most: what broke before, what stands at the threshold, what the change speaks of."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.plan.ranking import Rates, close, like, rank, sensitivity


def run(**passed: float) -> Rates:
    return {(case, "exact"): rate for case, rate in passed.items()}


def test_a_case_that_changed_lately_tells_more_than_one_that_changed_long_ago() -> None:
    history = [run(late=1, early=1, calm=1), run(late=0, early=1, calm=1), run(late=0, early=0, calm=1)]
    found = sensitivity(history)

    assert found["late"] > found["early"] > found["calm"] > 0
    assert found["late"] == pytest.approx(1.3 / 4)
    assert found["early"] == pytest.approx((0.9 + 0.3) / 4)


def test_a_case_that_broke_tells_more_than_one_that_was_repaired() -> None:
    found = sensitivity([run(broke=0, repaired=1), run(broke=1, repaired=0)])

    assert found["broke"] == pytest.approx(1.8 / 3)
    assert found["repaired"] == pytest.approx(1.3 / 3)


def test_flips_within_a_run_are_no_change() -> None:
    """A coin flip passes most repeats of one run and few of the next less often than it differs between repeats."""
    assert sensitivity([run(coin=0.6), run(coin=0.8)])["coin"] == pytest.approx(0.3 / 3)


def test_without_history_closeness_to_the_threshold_is_all_there_is() -> None:
    near = close({("edge", "similarity"): 0.79, ("safe", "similarity"): 1.0}, {"similarity": 0.8})

    assert near["edge"] == pytest.approx(math.exp(-0.1))
    found = rank(["edge", "safe"], [], near, {})
    assert found["edge"] > found["safe"]


def test_history_outweighs_closeness_once_there_are_runs() -> None:
    history = [run(shaky=number % 2, steady=1) for number in range(20)]
    found = rank(["shaky", "steady"], history, {"steady": 1.0, "shaky": 0.0}, {})

    assert found["shaky"] > found["steady"]


def test_what_the_change_speaks_of_counts_up_to_twice() -> None:
    texts = {"refund": "I want a refund for my invoice", "login": "I cannot log in to my account"}
    found = like(texts, "- billing: refund and invoice questions")

    assert found["refund"] > found["login"] >= 0
    assert rank(["a"], [], {"a": 1.0}, {"a": 1.0})["a"] == 2 * rank(["a"], [], {"a": 1.0}, {})["a"]


def test_a_change_without_words_is_like_nothing() -> None:
    assert set(like({"a": "some words", "b": "others"}, "").values()) == {0.0}


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=40), max_size=6), st.text(max_size=60))
def test_likeness_is_a_share(texts: dict[str, str], change: str) -> None:
    found = like(texts, change)

    assert found.keys() == texts.keys()
    assert all(0 <= value <= 1 for value in found.values())


def recall(past_runs: int, seed: int) -> float:
    """Which share of what breaks next is among the 60 best ranked of 300, where a fifth of the cases is fragile."""
    rng = random.Random(seed)
    names = [f"c{number}" for number in range(300)]
    fragile = set(rng.sample(names, 60))

    def state() -> Rates:
        return run(**{name: float(rng.random() > (0.2 if name in fragile else 0.01)) for name in names})

    history = [state() for _ in range(past_runs)]
    broke = {name for (name, _), passed in state().items() if not passed}
    ranked = rank(names, history, {}, {})
    best = sorted(names, key=lambda name: (-ranked[name], rng.random()))[:60]
    return len(broke & {*best}) / len(broke)


def test_main_s_past_finds_what_breaks_next() -> None:
    """Of 60 drawn from 300 one would expect a fifth."""
    none, five, twenty = (fmean(recall(runs, seed) for seed in range(20)) for runs in (0, 5, 20))

    assert none == pytest.approx(0.2, abs=0.05)
    assert none + 0.25 < five < twenty
    assert twenty > 0.7
