"""Row 106 of the threat model: personal data in golden sets. A real server counts what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ran, ci_eval
from judged import Desk, behaving, by_greeting
from model_server import ModelServer
from openai_server import OpenAIServer
from parcel_desk import (
    CONFIG,
    FAQ_GOLDEN,
    FAQ_PROMPT,
    FILES,
    KEY,
    KEY_ENV,
    SHOTS,
    TRIAGE_GOLDEN,
    TRIAGE_PROMPT,
    Repository,
    answers,
)
from repo import Repo

WHO = "ida.lund@posteo.net"
DATASET = "data/tickets.jsonl"
PERSONAL = f'{{"input": "I am Ida", "output": "Dear {WHO}"}}\n'
CASE = f"sender,I am {WHO},nine to six,edge\n"
TOLD = "an e-mail address (id…et); write an address at example.com"
REWORDED = FILES[TRIAGE_PROMPT] + "Be kind.\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    monkeypatch.setenv(KEY_ENV, KEY)
    with OpenAIServer(answers) as made:
        yield made


def desk(folder: Path, server: OpenAIServer, *, pii: str = "pii: refuse\n", **changed: str) -> Repository:
    policy = FILES[CONFIG].replace("BASE_URL", server.base_url) + pii
    policy = policy.replace("    watch:", "    datasets: [data/*.jsonl]\n    watch:", 1)
    changes = {TRIAGE_GOLDEN: changed.get("triage"), FAQ_GOLDEN: changed.get("faq"), SHOTS: changed.get("shots")}
    return Repository.create(
        folder, {**FILES, CONFIG: policy, **{path: text for path, text in changes.items() if text}}
    )


def run(repository: Repository) -> Ran:
    return ci_eval("run", "--repo", str(repository.folder), "--config", CONFIG, "--quiet")


def refused(ran: Ran, where: str, server: OpenAIServer) -> None:
    assert (ran.code, ran.out, ran.err, server.calls) == (2, "", f"ci-eval: {where}: {TOLD}\n", 0)


PLACES = {
    FAQ_GOLDEN: (FILES[FAQ_GOLDEN] + CASE, 5),
    TRIAGE_GOLDEN: (FILES[TRIAGE_GOLDEN].replace("ticket: The parcel is late", f"ticket: I am {WHO}"), 4),
    SHOTS: (FILES[SHOTS] + PERSONAL, 2),
    DATASET: ('{"input": "a", "output": "b"}\n\n' + PERSONAL, 3),
}


@pytest.mark.parametrize("path", PLACES)
def test_106_a_run_is_refused_with_the_line_before_anything_is_sent(
    path: str, tmp_path: Path, server: OpenAIServer
) -> None:
    text, line = PLACES[path]
    repository = desk(tmp_path / "desk", server)
    repository.write({path: text})
    refused(run(repository), f"{path}:{line}", server)


@pytest.mark.parametrize("path", PLACES)
def test_106_a_pull_request_that_brings_it_is_refused_also_where_nothing_would_be_judged(
    path: str, tmp_path: Path, server: OpenAIServer
) -> None:
    text, line = PLACES[path]
    repository = desk(tmp_path / "desk", server)
    repository.write({path: text})
    refused(repository.gate(), f"{path}:{line}", server)


@pytest.mark.parametrize("prompt", [FILES[TRIAGE_PROMPT], REWORDED])
def test_106_a_pull_request_cannot_lift_the_rule_for_itself(prompt: str, tmp_path: Path, server: OpenAIServer) -> None:
    repository = desk(tmp_path / "desk", server)
    policy = repository.read(CONFIG).replace("pii: refuse\n", "")
    repository.write({CONFIG: policy, FAQ_GOLDEN: FILES[FAQ_GOLDEN] + CASE, TRIAGE_PROMPT: prompt})
    refused(repository.gate(), f"{FAQ_GOLDEN}:5", server)


def test_106_what_is_wrong_with_a_row_besides_does_not_quote_it(tmp_path: Path, server: OpenAIServer) -> None:
    """An unknown key is named by whoever refuses it; also where the pull request takes the rule away."""
    repository = desk(tmp_path / "desk", server)
    rows = FILES[TRIAGE_GOLDEN] + f"- {{id: extra, input: {{ticket: x}}, {WHO}: 1}}\n"
    repository.write({TRIAGE_GOLDEN: rows})
    refused(run(repository), f"{TRIAGE_GOLDEN}:{rows.count(chr(10))}", server)
    refused(repository.gate(), f"{TRIAGE_GOLDEN}:{rows.count(chr(10))}", server)
    repository.write({CONFIG: repository.read(CONFIG).replace("pii: refuse\n", "")})
    refused(repository.gate(), f"{TRIAGE_GOLDEN}:{rows.count(chr(10))}", server)


def test_106_nor_by_no_longer_naming_what_it_shows(tmp_path: Path, server: OpenAIServer) -> None:
    """A suite that a pull request removes is judged by main's policy, and shows the pull request's examples."""
    repository = desk(tmp_path / "desk", server)
    before, _, after = repository.read(CONFIG).partition("  triage:\n")
    policy = before + after[after.index("  faq:\n") :]
    repository.write({CONFIG: policy, SHOTS: FILES[SHOTS] + PERSONAL, TRIAGE_PROMPT: REWORDED})
    refused(repository.gate(), f"{SHOTS}:2", server)


def test_106_an_anchor_that_shows_it_is_not_asked(tmp_path: Path, server: OpenAIServer) -> None:
    """Its examples are as old as it is; of its cases those of today are asked."""
    repository = desk(tmp_path / "desk", server, shots=PERSONAL)
    repository.git("tag", "v1")
    gate = "    gate: {max_drop: 1"
    policy = repository.read(CONFIG).replace(gate, "    anchor: {ref: v1, max_drop: 3}\n" + gate, 1)
    repository.commit({CONFIG: policy, SHOTS: FILES[SHOTS]})
    repository.write({TRIAGE_PROMPT: REWORDED})
    ran = repository.gate()
    assert f"{SHOTS}:1: {TOLD}" in ran.err
    assert (ran.code, server.calls) == (3, 0)


def test_106_the_rule_cannot_be_merged_onto_a_main_that_breaks_it(tmp_path: Path, server: OpenAIServer) -> None:
    repository = desk(tmp_path / "desk", server, pii="", faq=FILES[FAQ_GOLDEN] + CASE)
    repository.write({CONFIG: repository.read(CONFIG) + "pii: refuse\n"})
    refused(repository.gate(), f"{FAQ_GOLDEN}:5", server)


def test_106_what_main_holds_is_not_sent_and_is_not_this_change_s_fault(tmp_path: Path, server: OpenAIServer) -> None:
    """Mended together with a prompt: main's cases would be asked, and those still hold it."""
    repository = desk(tmp_path / "desk", server, faq=FILES[FAQ_GOLDEN] + CASE)
    repository.write({FAQ_GOLDEN: FILES[FAQ_GOLDEN], FAQ_PROMPT: FILES[FAQ_PROMPT] + "Be kind.\n"})
    ran = repository.gate()
    assert (ran.code, server.calls) == (3, 0)
    assert f"main itself cannot be evaluated: {FAQ_GOLDEN}:5: {TOLD} (on main)" in ran.err


@pytest.mark.parametrize("path", [FAQ_GOLDEN, DATASET])
def test_106_the_pull_request_that_takes_it_out_passes(path: str, tmp_path: Path, server: OpenAIServer) -> None:
    repository = desk(tmp_path / "desk", server)
    repository.commit({path: PLACES[path][0]})
    repository.write({path: FILES.get(path, '{"input": "a", "output": "b"}\n')})
    assert repository.gate().code == 0


@pytest.mark.parametrize("path", [FAQ_GOLDEN, SHOTS])
def test_106_showing_a_case_asks_nobody_about_it(path: str, tmp_path: Path, server: OpenAIServer) -> None:
    repository = desk(tmp_path / "desk", server)
    repository.commit({path: PLACES[path][0]})
    where = ("--repo", str(repository.folder), "--config", CONFIG)
    ran = ci_eval("show", {FAQ_GOLDEN: "postage", SHOTS: "late-parcel"}[path], "--run", *where)
    assert (ran.code, server.calls) == (2, 0)
    assert TOLD in ran.err
    assert ci_eval("show", "postage", *where).code == 0  # nothing is sent


def test_106_a_judge_is_not_calibrated_on_it(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with ModelServer(behaving(by_greeting)) as server:
        product = Desk(repo, server, tmp_path / "out")
        product.write(budget="}\npii: refuse\n#", **{"golden/more.jsonl": f'{{"id": "a", "input": "I am {WHO}"}}\n'})
        (tmp_path / "labels.jsonl").write_text('{"input": "Why?", "output": "Good day!", "label": "pass"}\n')
        ran = ci_eval("judge", "calibrate", str(tmp_path / "labels.jsonl"), "--repo", str(repo.folder), "--quiet")
    assert (ran.code, server.asked) == (2, [])
    assert f"golden/more.jsonl:1: {TOLD}" in ran.err


def test_106_two_runs_are_not_compared_on_it(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with ModelServer(behaving(by_greeting)) as server:
        product = Desk(repo, server, tmp_path / "out")
        product.write()
        product.run()
        server.asked.clear()
        file = str(product.session().run_file("desk", "run"))
        product.write(budget="}\npii: refuse\n#", **{"golden/more.jsonl": f'{{"id": "a", "input": "I am {WHO}"}}\n'})
        ran = ci_eval("judge", "compare", file, file, "--repo", str(repo.folder), "--quiet")
    assert (ran.code, server.asked) == (2, [])
    assert f"golden/more.jsonl:1: {TOLD}" in ran.err


def test_106_doctor_says_that_main_would_be_refused(tmp_path: Path, server: OpenAIServer) -> None:
    repository = desk(tmp_path / "desk", server, faq=FILES[FAQ_GOLDEN] + CASE)
    ran = ci_eval("doctor", "--offline", "--repo", str(repository.folder), "--config", CONFIG)
    assert ran.code == 2
    assert f"{FAQ_GOLDEN}, line 5: an e-mail address (id…et)" in ran.out


def test_106_without_the_rule_all_of_it_is_evaluated(tmp_path: Path, server: OpenAIServer) -> None:
    repository = desk(tmp_path / "desk", server, pii="", faq=FILES[FAQ_GOLDEN] + CASE)
    assert (run(repository).code, server.calls) == (0, 8)


def test_106_data_of_nobody_is_no_reason_to_refuse(tmp_path: Path, server: OpenAIServer) -> None:
    case = CASE.replace(WHO, "anna@example.com and my order is 4539578763621486")
    assert run(desk(tmp_path / "desk", server, faq=FILES[FAQ_GOLDEN] + case)).code == 0
