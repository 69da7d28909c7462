"""The gate on a product that is not ours (`parcel_desk`), with a model behind a real HTTP server."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ran
from openai_server import Answer, Asked, Behaviour, OpenAIServer, fails, is_filtered, refuses, says
from parcel_desk import (
    CONFIG,
    FAQ_CASES,
    FAQ_GOLDEN,
    FAQ_PROMPT,
    FILES,
    KEY,
    KEY_ENV,
    SETTLING,
    SHOTS,
    TRIAGE_CASES,
    TRIAGE_GOLDEN,
    TRIAGE_MODEL,
    TRIAGE_PROMPT,
    Repository,
    answers,
    edited,
)

NO_PARCELS = edited(TRIAGE_PROMPT, "* parcels\n", "")
"""A prompt that has lost the queue of two cases."""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(answers) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture
def desk(tmp_path: Path, server: OpenAIServer) -> Repository:
    return Repository.create(tmp_path / "desk", {**FILES, **on(server)})


def on(server: OpenAIServer, policy: str = FILES[CONFIG]) -> dict[str, str]:
    """The config with the server's address."""
    return {CONFIG: policy.replace("BASE_URL", server.base_url)}


def without_suite(name: str, server: OpenAIServer) -> dict[str, str]:
    config = re.sub(rf"(?ms)^  {name}:\n.*?(?=^  \w|^\w)", "", FILES[CONFIG])
    assert name not in config
    return on(server, config)


def dimensions(ran: Ran, suite: int = 0) -> dict[str, str]:
    """Every dimension of a suite with its verdict."""
    return {row["name"]: row["verdict"] for row in ran.json["suites"][suite]["dimensions"]}


# --- what a change does -----------------------------------------------------------------------------------------------


def test_a_damaged_prompt_fails_and_names_the_dimension_and_its_cases(desk: Repository) -> None:
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert ran.code == 1
    assert ran.out.startswith("Regression: routing fell by 50.0 points (limit 1)\n")
    assert re.search(r"courtesy +100\.0 +100\.0 +0\.0 +any broken case .* pass", ran.out)
    assert "lost-parcel" in ran.out
    assert "late-parcel" in ran.out
    assert "front desk where parcels is right" in ran.out
    assert "wrong-invoice" not in ran.out


def test_one_broken_case_is_enough_where_the_limit_is_any(desk: Repository) -> None:
    desk.write(edited(TRIAGE_PROMPT, '"Dear", and the name', "the name"))

    ran = desk.gate("--json")

    assert (ran.code, dimensions(ran)) == (1, {"routing": "pass", "courtesy": "regression"})


def test_a_better_prompt_passes(desk: Repository) -> None:
    desk.commit(NO_PARCELS)
    desk.git("checkout", "--quiet", "-b", "repair")
    desk.write({TRIAGE_PROMPT: FILES[TRIAGE_PROMPT]})

    ran = desk.gate("--json")

    assert ran.code == 0
    flips = {(flip["case"], flip["change"]) for flip in ran.json["suites"][0]["flips"]}
    assert flips == {("lost-parcel", "repaired"), ("late-parcel", "repaired")}


def test_only_the_suite_whose_subject_changed_is_asked(desk: Repository, server: OpenAIServer) -> None:
    desk.write(edited(FAQ_PROMPT, "four euros", "five euros"))

    ran = desk.gate("--json")

    assert ran.code == 1
    assert [suite["suite"] for suite in ran.json["suites"]] == ["faq"]
    assert server.calls == 2 * FAQ_CASES + SETTLING


def test_two_damaged_suites_are_both_told(desk: Repository) -> None:
    desk.write({**NO_PARCELS, **edited(FAQ_PROMPT, "four euros", "five euros")})

    ran = desk.gate()

    assert ran.code == 1
    assert ran.out.startswith("Regression: triage: routing fell by 50.0 points (limit 1); faq: facts fell by 33.3 ")


def test_the_request_holds_the_filled_prompt_the_example_and_the_templated_ticket(
    desk: Repository, server: OpenAIServer
) -> None:
    desk.write(NO_PARCELS)
    desk.gate()

    body = next(asked.body for asked in server.asked if "Ida" in asked.user and "parcels" in asked.system)

    assert body == {
        "model": "house-1",
        "temperature": 0,
        "max_tokens": 50,
        "messages": [
            {"role": "system", "content": FILES[TRIAGE_PROMPT].replace("{{shop}}", "Nordlicht")},
            {"role": "user", "content": "Where is my invoice?"},
            {"role": "assistant", "content": '{"queue": "invoices", "reply": "Dear Jo"}'},
            {"role": "user", "content": "Ticket of Ida: My parcel never came"},
        ],
    }


# --- exactly one point ------------------------------------------------------------------------------------------------


def forgetful(asked: Asked) -> Answer:
    """Knows the answer to every question but those that the prompt forbids."""
    number = asked.user.removeprefix("Question ")
    return says("no idea" if number in asked.system.split() else f"answer {number}")


def quiz(server: OpenAIServer, cases: int, limit: str = "1") -> dict[str, str]:
    """A repository with many cases in one suite."""
    server.behaviour = forgetful
    rows = "".join(f"q-{number},Question {number},answer {number}\n" for number in range(cases))
    config = f"""\
version: 1
providers:
  house: {{api: openai, base_url: "{server.base_url}"}}
suites:
  quiz:
    target: {{prompt: p.txt, model: m.yaml}}
    golden: [quality/*.csv]
    scorers: [{{type: exact, dimension: recall}}]
    gate: {{max_drop: {limit}}}
"""
    model = "provider: house\nmodel: m\n"
    return {CONFIG: config, "p.txt": "Never answer:\n", "m.yaml": model, "quality/q.csv": f"id,input,expected\n{rows}"}


@pytest.mark.parametrize(
    ("cases", "broken", "limit", "code"),
    [
        (100, 1, "1", 1),  # exactly 1 point
        (101, 1, "1", 0),  # 0.990099… points
        (300, 3, "1", 1),
        (300, 2, "1", 0),
        (100, 29, "29", 1),  # 0.29 is one of the shares that floats get wrong
        (50, 1, "2.000001", 0),
    ],
)
def test_the_limit_is_met_exactly(
    cases: int, broken: int, limit: str, code: int, tmp_path: Path, server: OpenAIServer
) -> None:
    repository = Repository.create(tmp_path / "quiz", quiz(server, cases, limit))
    repository.write({"p.txt": f"Never answer: {' '.join(map(str, range(broken)))}\n"})

    ran = repository.gate("--json")

    assert ran.code == code
    assert len(ran.json["suites"][0]["broken"]) == broken


def test_a_drop_just_below_the_limit_is_not_rounded_up_to_it(tmp_path: Path, server: OpenAIServer) -> None:
    repository = Repository.create(tmp_path / "quiz", quiz(server, 101))
    repository.write({"p.txt": "Never answer: 7\n"})

    ran = repository.gate()

    assert ran.code == 0
    assert re.search(r"recall +100\.00 +99\.01 +−0\.99 +1 +1 +0 +pass", ran.out)


def test_weights_count_in_the_drop(tmp_path: Path, server: OpenAIServer) -> None:
    """One of 50 cases is 2 points; under a scorer of weight 1 beside one of weight 3 it is half a point."""
    files = quiz(server, 50)
    light = "{type: regex, pattern: 'answer', dimension: recall}, {type: exact, dimension: recall, weight: 3}"
    files[CONFIG] = files[CONFIG].replace("{type: exact, dimension: recall}", light)
    repository = Repository.create(tmp_path / "quiz", files)

    def renamed(asked: Asked) -> Answer:
        right = forgetful(asked)
        number = asked.user.removeprefix("Question ")
        return says(f"answer  {number}") if f"blur-{number}" in asked.system else right

    server.behaviour = renamed
    repository.write({"p.txt": "Never answer: blur-7\n"})
    heavy = repository.gate("--json")
    repository.git("checkout", "--quiet", ".")
    repository.commit({CONFIG: files[CONFIG].replace(", weight: 3", ", weight: 0.5")})
    repository.write({"p.txt": "Never answer: blur-7\n"})
    light_one = repository.gate("--json")

    assert (heavy.code, heavy.json["suites"][0]["dimensions"][0]["drop"]) == (1, "1.5000")
    assert (light_one.code, light_one.json["suites"][0]["dimensions"][0]["drop"]) == (0, "0.6667")


# --- which requests are sent ------------------------------------------------------------------------------------------


def test_equal_requests_are_not_asked_again(desk: Repository, server: OpenAIServer) -> None:
    desk.write({"assistants/triage/tools/lookup.md": "Looks a parcel up, by its number.\n"})

    ran = desk.gate("--json")

    assert (ran.code, server.calls) == (0, TRIAGE_CASES)
    assert ran.json["suites"][0]["warnings"][0].startswith("not exercised: assistants/triage/tools/lookup.md changed")


def test_only_the_cases_whose_request_differs_are_asked_again(desk: Repository, server: OpenAIServer) -> None:
    """`{{customer}}` becomes `{{contact}}`: another name in one case of four."""
    desk.commit(edited(TRIAGE_PROMPT, "and the name", "and the name {{customer}}"))
    desk.git("checkout", "--quiet", "-b", "contacts")
    desk.write(edited(TRIAGE_PROMPT, "and the name", "and the name {{contact}}"))

    ran = desk.gate("--json")

    assert ran.code == 0
    assert server.calls == TRIAGE_CASES + 1
    assert any("the name Max" in asked.system for asked in server.asked)


def test_an_unrelated_change_is_green_without_calls(desk: Repository, server: OpenAIServer) -> None:
    desk.write({"src/checkout.ts": "export const vat = 0.07\n"})

    ran = desk.gate()

    assert (ran.code, server.calls) == (0, 0)
    assert ran.out.startswith("Pass: nothing that ci-eval watches changed\n")
    assert os.environ[KEY_ENV] == KEY, "a key that is not needed is not touched"


def test_a_change_of_policy_alone_is_green_without_calls_and_told(desk: Repository, server: OpenAIServer) -> None:
    desk.write(
        on(server, FILES[CONFIG].replace("max_drop: 1,", "max_drop: 30,"))
        | edited(TRIAGE_GOLDEN, "id: send-back", "id: sent-back")
    )

    ran = desk.gate()

    assert (ran.code, server.calls) == (0, 0)
    assert ran.out.startswith("Pass: only the policy changed; no model was called\n")
    assert "gate or other settings of suite triage change: main's are used here" in " ".join(ran.out.split())
    assert "1 case added, 1 removed, 0 rewritten" in " ".join(ran.out.split())


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_travels_in_one_header_and_is_left_nowhere_else(desk: Repository, server: OpenAIServer) -> None:
    desk.write(NO_PARCELS)

    ran = desk.gate("--json")

    assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    elsewhere = [
        {**asked.headers, "Authorization": ""} | {"path": asked.path, "body": dict(asked.body)}
        for asked in server.asked
    ]
    assert KEY not in json.dumps(elsewhere)
    assert KEY_ENV not in os.environ
    assert KEY not in ran.out + ran.err
    assert KEY.encode() not in b"".join(path.read_bytes() for path in desk.folder.rglob("*") if path.is_file())


def test_no_key_is_inconclusive_and_says_which_variable(
    desk: Repository, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_ENV)
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert (ran.code, server.calls) == (3, 0)
    assert f"{KEY_ENV} is not set" in ran.err


# --- the provider has trouble -----------------------------------------------------------------------------------------


def only_changed(behaviour: Behaviour) -> Behaviour:
    """Main is answered; whoever asks with the damaged prompt meets `behaviour`."""
    return lambda asked: answers(asked) if "* parcels" in asked.system else behaviour(asked)


def test_a_server_that_lets_nobody_in_is_asked_until_the_time_is_out(desk: Repository, server: OpenAIServer) -> None:
    server.behaviour = only_changed(lambda _: fails(429, f"try later; you sent {KEY}"))
    desk.commit({CONFIG: desk.read(CONFIG).replace("seconds: 60", "seconds: 3")})
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert ran.code == 3
    assert ran.out.startswith("Inconclusive: no case got a score: ")
    assert "the server's limits leave no time for it" in ran.out or "HTTP 429" in ran.out
    assert KEY not in ran.out


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_inconclusive_and_never_a_regression(
    status: int, desk: Repository, server: OpenAIServer
) -> None:
    server.behaviour = only_changed(lambda _: fails(status, f"try later; you sent {KEY}"))
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert ran.code == 3
    assert ran.out.startswith(f"Inconclusive: no case got a score: HTTP {status}\n")
    assert KEY not in ran.out
    assert server.calls == TRIAGE_CASES + 2 * 5 * TRIAGE_CASES, "five attempts for each case, and once more five"


def test_a_server_that_recovers_is_asked_until_it_answers(desk: Repository, server: OpenAIServer) -> None:
    troubled: set[str] = set()

    def once(asked: Asked) -> Answer:
        if asked.user in troubled:
            return answers(asked)
        troubled.add(asked.user)
        return fails(429, "Rate limit reached", kind="requests")

    server.behaviour = once
    desk.write(edited(TRIAGE_PROMPT, "You route", "You route all"))

    assert desk.gate().code == 0


def test_an_outage_is_inconclusive(tmp_path: Path) -> None:
    with OpenAIServer(answers) as gone:
        config = {path: text.replace("timeout_seconds: 5", "timeout_seconds: 0.2") for path, text in on(gone).items()}
    desk = Repository.create(tmp_path / "desk", {**FILES, **config})
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert ran.code == 3
    assert "connection failed; check base_url, and whether the server is up" in " ".join(ran.out.split())


def test_one_lost_case_decides_nothing_where_the_rest_is_clear(tmp_path: Path, server: OpenAIServer) -> None:
    """Of 200 cases one is lost: half a point at worst, so a pass is a pass; with two broken, red is red."""
    repository = Repository.create(tmp_path / "quiz", quiz(server, 200))
    server.behaviour = lambda asked: (
        fails(500, "no") if "13!" in asked.system and asked.user.endswith(" 13") else forgetful(asked)
    )

    repository.write({"p.txt": "Never answer: 13!\n"})
    clear = repository.gate("--json")
    repository.write({"p.txt": "Never answer: 13! 1\n"})
    unclear = repository.gate("--json")
    repository.write({"p.txt": "Never answer: 13! 1 2\n"})
    red = repository.gate("--json")

    assert [ran.code for ran in (clear, unclear, red)] == [0, 3, 1]
    assert clear.json["suites"][0]["errors"] == [{"case": "q-13", "candidate": "HTTP 500"}]


def test_a_parameter_that_the_provider_rejects_fails_the_cases(desk: Repository, server: OpenAIServer) -> None:
    def strict(asked: Asked) -> Answer:
        if "seed" in asked.body:
            return fails(400, f"Unknown parameter: 'seed' {KEY}", kind="invalid_request_error", param="seed")
        return answers(asked)

    server.behaviour = strict
    desk.write(edited(TRIAGE_MODEL, '"temperature": 0', '"temperature": 0, "seed": 7'))

    ran = desk.gate()

    assert ran.code == 1
    assert "the provider refused the request: HTTP 400" in " ".join(ran.out.split())
    assert "seed not set → 7" in ran.out
    assert KEY not in ran.out
    assert server.calls == TRIAGE_CASES * (2 + SETTLING), "one refusal may be a server's mood: it is confirmed as well"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda _: says('{"queue": "parcels", "reply": "Dear', finish="length"), "cut off at max_tokens"),
        (lambda _: refuses("I can't help with that."), "no queue in the answer"),
        (lambda _: is_filtered(), "no queue in the answer"),
    ],
    ids=["cut off", "refused", "filtered"],
)
def test_an_answer_that_is_none_fails_its_case(
    behaviour: Behaviour, reason: str, desk: Repository, server: OpenAIServer
) -> None:
    server.behaviour = only_changed(behaviour)
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert ran.code == 1
    assert reason in " ".join(ran.out.split())


def test_an_answer_that_is_no_chat_completion_is_lost_not_failed(desk: Repository, server: OpenAIServer) -> None:
    server.behaviour = only_changed(lambda _: Answer(200, {"object": "error"}))
    desk.write(NO_PARCELS)

    ran = desk.gate()

    assert ran.code == 3
    assert "an answer that is not a chat completion" in " ".join(ran.out.split())


# --- no way around ----------------------------------------------------------------------------------------------------


def test_a_changed_example_is_judged(desk: Repository, server: OpenAIServer) -> None:
    desk.write(edited(SHOTS, "Dear Jo", "Hey Jo"))

    ran = desk.gate("--json")

    assert server.calls == 2 * TRIAGE_CASES
    note = ran.json["suites"][0]["notes"][0]
    assert (note["role"], note["path"]) == ("examples", SHOTS)
    assert "1 with the same input and another output" in note["words"][0]


def test_a_prompt_behind_a_link_is_judged(desk: Repository) -> None:
    desk.commit({"shared/triage.txt": FILES[TRIAGE_PROMPT], TRIAGE_PROMPT: None})
    (desk.folder / TRIAGE_PROMPT).symlink_to("../../shared/triage.txt")
    desk.commit({})
    desk.git("checkout", "--quiet", "-b", "change")
    desk.write({"shared/triage.txt": NO_PARCELS[TRIAGE_PROMPT]})

    ran = desk.gate()

    assert ran.code == 1
    assert "shared/triage.txt" in ran.out


def test_a_prompt_that_becomes_a_link_is_judged(desk: Repository) -> None:
    desk.write({"shared/triage.txt": NO_PARCELS[TRIAGE_PROMPT], TRIAGE_PROMPT: None})
    (desk.folder / TRIAGE_PROMPT).symlink_to("../../shared/triage.txt")

    assert desk.gate().code == 1


def test_a_file_that_moves_out_of_a_watched_folder_is_seen(desk: Repository, server: OpenAIServer) -> None:
    (desk.folder / "attic").mkdir()
    desk.git("mv", "assistants/triage/tools/lookup.md", "attic/lookup.md")

    ran = desk.gate("--json")

    assert server.calls == TRIAGE_CASES
    assert ran.json["changes"][0]["subject"] == [
        {"role": "watched file", "path": "assistants/triage/tools/lookup.md", "kind": "removed"}
    ]


def test_a_prompt_that_moves_with_its_name_in_the_config_is_judged_where_it_is_now(
    desk: Repository, server: OpenAIServer
) -> None:
    damaged = NO_PARCELS[TRIAGE_PROMPT]
    desk.write({TRIAGE_PROMPT: None, "attic/p.txt": damaged})
    desk.write(on(server, FILES[CONFIG].replace(TRIAGE_PROMPT, "attic/p.txt")))

    ran = desk.gate()

    assert ran.code == 1
    assert f"{TRIAGE_PROMPT} → attic/p.txt" in " ".join(ran.out.split())


def test_golden_cases_that_a_change_deletes_or_rewrites_are_judged_as_main_has_them(desk: Repository) -> None:
    rows = FILES[TRIAGE_GOLDEN].split("- id: ")
    rewritten = [
        row.replace("queue: parcels", "queue: front desk") for row in rows if not row.startswith("lost-parcel")
    ]
    desk.write({**NO_PARCELS, TRIAGE_GOLDEN: "- id: ".join(rewritten)})

    ran = desk.gate("--json")

    assert ran.code == 1
    assert {row["case"] for row in ran.json["suites"][0]["broken"]} == {"lost-parcel", "late-parcel"}
    assert ran.json["suites"][0]["edits"] == {"added": [], "removed": ["lost-parcel"], "rewritten": ["late-parcel"]}


def test_a_case_that_a_change_adds_is_run_and_shown_and_not_gated(desk: Repository) -> None:
    desk.write(edited(FAQ_PROMPT, "Open:", "Opening hours, open:"))
    desk.write({FAQ_GOLDEN: FILES[FAQ_GOLDEN] + "gift-cards,Do you sell gift cards?,yes,common\n"})

    ran = desk.gate("--json")

    assert ran.json["suites"][0]["edits"]["added"] == ["gift-cards"]
    assert ran.json["suites"][0]["new_cases"] == [{"case": "gift-cards", "scores": 1, "failed": ["contains"]}]
    assert {row["case"] for row in ran.json["suites"][0]["broken"]} == {"opening-hours"}


def test_a_suite_that_a_change_removes_still_judges_it(desk: Repository, server: OpenAIServer) -> None:
    desk.write({**NO_PARCELS, **without_suite("triage", server)})

    ran = desk.gate()

    assert ran.code == 1
    assert "suite triage is removed: this change is still judged by it" in " ".join(ran.out.split())


def test_a_lowered_bar_does_not_count_for_the_change_that_lowers_it(desk: Repository, server: OpenAIServer) -> None:
    desk.write({**NO_PARCELS, **on(server, FILES[CONFIG].replace("max_drop: 1,", "max_drop: 100,"))})

    assert desk.gate().code == 1


# --- refused ----------------------------------------------------------------------------------------------------------


def test_a_provider_that_a_change_adds_has_to_be_merged_first(desk: Repository, server: OpenAIServer) -> None:
    mine = f'providers:\n  mine: {{api: openai, base_url: "{server.base_url}"}}\n'
    desk.write(on(server, FILES[CONFIG].replace("providers:\n", mine)))
    desk.write(edited(TRIAGE_MODEL, '"provider": "desk"', '"provider": "mine"'))

    ran = desk.gate()

    assert (ran.code, server.calls) == (2, 0)
    assert f'{TRIAGE_MODEL}:1: no provider "mine" in the ci-eval.yaml of the main branch' in ran.err
    assert "merge the provider first" in ran.err


def test_a_policy_that_would_break_main_is_refused_with_its_line(desk: Repository, server: OpenAIServer) -> None:
    desk.write(on(server, FILES[CONFIG].replace("type: exact, field", "type: exakt, field")))

    ran = desk.gate()

    line = FILES[CONFIG].split("\n").index("      - {type: exact, field: queue, dimension: routing, weight: 3}") + 1
    assert (ran.code, server.calls) == (2, 0)
    assert ran.err == f'ci-eval: {CONFIG}:{line}: unknown scorer "exakt"; write "exact"\n'


def test_a_golden_row_that_would_break_main_is_refused_with_its_line(desk: Repository) -> None:
    desk.write({FAQ_GOLDEN: FILES[FAQ_GOLDEN] + "postage,Again?,four euros,common\n"})

    ran = desk.gate()

    assert ran.code == 2
    assert ran.err == (
        f'ci-eval: {FAQ_GOLDEN}:5: the id "postage" stands at {FAQ_GOLDEN}:3 already; give each case its own id\n'
    )


def test_a_variable_that_no_case_has_is_refused_before_anything_is_asked_of_the_change(desk: Repository) -> None:
    desk.write(edited(TRIAGE_PROMPT, "{{shop}}", "{{store}}"))

    ran = desk.gate()

    assert ran.code == 2
    assert (
        f'{TRIAGE_PROMPT}:1: unknown variable "store" (case lost-parcel has shop, customer, contact, ticket)' in ran.err
    )


def test_no_config_on_main_is_inconclusive_and_says_what_to_do(tmp_path: Path, server: OpenAIServer) -> None:
    desk = Repository.create(tmp_path / "desk", {"src/checkout.ts": FILES["src/checkout.ts"]})
    desk.write({**FILES, **on(server)})

    ran = desk.gate()

    assert (ran.code, server.calls) == (3, 0)
    assert ran.out.startswith("Inconclusive: nothing on main to compare with; merge, then require the check\n")
    assert os.environ[KEY_ENV] == KEY


def test_an_empty_golden_set_is_inconclusive(tmp_path: Path, server: OpenAIServer) -> None:
    desk = Repository.create(tmp_path / "desk", {**FILES, **on(server), FAQ_GOLDEN: "id,input,expected\n"})
    desk.write(edited(FAQ_PROMPT, "four euros", "five euros"))

    ran = desk.gate()

    assert (ran.code, server.calls) == (3, 0)
    assert 'suite "faq" has no golden cases: its files are empty; add some' in ran.err


def test_99_a_server_that_repeats_the_key_does_not_bring_it_into_any_file(
    desk: Repository, server: OpenAIServer
) -> None:
    server.behaviour = lambda asked: says(f'{{"queue": "parcels", "reply": "Dear {asked.headers["Authorization"]}"}}')
    desk.write(NO_PARCELS)

    ran = desk.gate()

    written = [path.read_bytes() for path in desk.folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert not any(KEY.encode() in content for content in written)
    assert any(b"[a key was here]" in content for content in written)
    assert KEY not in ran.out + ran.err
