"""The gate against a server whose answers flip: noise does not fail a change, and a real drop does not pass."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

import pytest
from command import ci_eval
from openai_server import Answer, Asked, Behaviour, OpenAIServer, fails, says
from sums import CASES, PROMPT, sums

Right = Callable[[str, int], float]
"""The chance that an answer is right, by system prompt and the case's number."""


def flipping(right: Right, seed: str) -> Behaviour:
    """Draws each answer by prompt, case and how often it was asked: the same run again gives the same answers."""
    asked_before: Counter[tuple[str, str]] = Counter()
    lock = Lock()

    def answer(asked: Asked) -> Answer:
        with lock:
            asked_before[asked.system, asked.user] += 1
            time = asked_before[asked.system, asked.user]
        drawn = hashlib.sha256(f"{seed}:{asked.system}:{asked.user}:{time}".encode()).digest()
        chance = int.from_bytes(drawn[:7], "big") / 256**7
        return says("right" if chance < right(asked.system, int(asked.user.split()[1])) else "wrong")

    return answer


def judge(tmp_path: Path, behaviour: Behaviour) -> tuple[int, dict[str, object], int]:
    """A reworded prompt, judged: exit code, the one dimension as JSON, and the calls made."""
    with OpenAIServer(behaviour) as server:
        repository = sums(tmp_path / "sums", server)
        repository.write({PROMPT: "candidate\n"})
        ran = repository.gate("--config", "ci-eval.yaml", "--json")
        return ran.code, ran.json["suites"][0]["dimensions"][0], server.calls


@pytest.fixture(params=["a", "b"])
def seed(request: pytest.FixtureRequest) -> Iterator[str]:
    """Seeds that nobody tuned to: the promise is 1 false fail in 100."""
    return request.param  # type: ignore[no-any-return]


def test_coin_flips_on_both_sides_do_not_fail_a_change(tmp_path: Path, seed: str) -> None:
    code, found, _ = judge(tmp_path, flipping(lambda _, case: 0.5 if case < CASES // 20 else 1.0, seed))

    assert (code, found["verdict"]) == (0, "pass")


def test_cases_that_break_outright_fail_whatever_flips_beside_them(tmp_path: Path, seed: str) -> None:
    def right(system: str, case: int) -> float:
        if case < CASES // 20:
            return 0.5
        return 0.0 if system.startswith("candidate") and case >= CASES - 5 else 1.0

    code, found, _ = judge(tmp_path, flipping(right, seed))

    assert (code, found["verdict"]) == (1, "regression")


def test_cases_that_turn_into_coin_flips_fail(tmp_path: Path, seed: str) -> None:
    code, found, _ = judge(
        tmp_path, flipping(lambda system, case: 0.5 if system.startswith("candidate") and case < 12 else 1.0, seed)
    )

    assert (code, found["verdict"]) == (1, "regression")


def test_answers_that_never_differ_are_asked_for_once_a_side(tmp_path: Path) -> None:
    code, _, calls = judge(tmp_path, lambda _: says("right"))

    assert (code, calls) == (0, 2 * CASES)


def test_an_outage_during_the_confirmation_is_never_a_pass(tmp_path: Path) -> None:
    """All of the candidate's first answers are wrong; then the server goes away."""
    first = flipping(lambda system, _: 0.0 if system.startswith("candidate") else 1.0, "outage")
    answered: Counter[str] = Counter()

    def behaviour(asked: Asked) -> Answer:
        answered[asked.system + asked.user] += 1
        return first(asked) if answered[asked.system + asked.user] == 1 else fails(500, "gone")

    code, found, _ = judge(tmp_path, behaviour)

    assert (code, found["verdict"]) == (3, "inconclusive")


# --- an account that is closed refuses both sides alike ---------------------------------------------------------------


def refused(asked: Asked) -> Answer:
    return fails(400, "This request cannot be served", kind="invalid_request_error")


@pytest.mark.parametrize("after", [0, 30, CASES, 3 * CASES])
def test_requests_that_main_is_refused_as_well_are_no_pass(tmp_path: Path, after: int) -> None:
    """Half of the cases break; after some calls every request is refused with a status of the request's kind."""
    lock = Lock()
    calls = 0

    def behaviour(asked: Asked) -> Answer:
        nonlocal calls
        with lock:
            calls += 1
            closed = calls > after
        if closed:
            return refused(asked)
        broken = asked.system.startswith("candidate") and int(asked.user.split()[1]) % 2
        return says("wrong" if broken else "right")

    code, found, _ = judge(tmp_path, behaviour)

    assert code != 0, found
    assert found["verdict"] != "pass"


def test_a_stored_main_does_not_make_refusals_of_both_sides_a_pass(tmp_path: Path) -> None:
    with OpenAIServer(lambda _: says("right")) as server:
        repository = sums(tmp_path / "sums", server)
        assert ci_eval("baseline", "update", "--repo", str(repository.folder), "--quiet").code == 0
        server.behaviour = refused
        repository.write({PROMPT: "candidate\n"})
        ran = repository.gate("--config", "ci-eval.yaml", "--json")

    assert (ran.code, ran.json["verdict"]) == (3, "inconclusive")


def test_only_the_candidate_s_own_refusals_are_failed_cases(tmp_path: Path) -> None:
    """A prompt that is too long is the candidate's doing: main is answered, in the first look and ever again."""
    code, found, _ = judge(
        tmp_path, lambda asked: refused(asked) if asked.system.startswith("candidate") else says("right")
    )

    assert (code, found["verdict"]) == (1, "regression")


def test_a_main_that_is_refused_is_not_stored(tmp_path: Path) -> None:
    with OpenAIServer(refused) as server:
        repository = sums(tmp_path / "sums", server)
        ran = ci_eval("baseline", "update", "--repo", str(repository.folder), "--quiet")

    assert ran.code == 3
    assert "refused or lost" in ran.err
