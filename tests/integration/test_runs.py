"""Runs of many cases: kept when they are killed, cut into shards and joined, and not asked for twice."""

from __future__ import annotations

import hmac
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command import Ran, ci_eval
from openai_server import Answer, Asked, OpenAIServer, fails, says
from parcel_desk import KEY, KEY_ENV, Repository

CASES = 60
THREADS = 8
POLICY = """\
version: 1
providers:
  desk: {api: openai, base_url: "BASE_URL", key_env: DESK_KEY, max_concurrency: 8, timeout_seconds: 60}
suites:
  echo:
    target: {prompt: prompt.md, model: model.yaml}
    golden: cases.jsonl
    scorers: [{type: exact, dimension: task_accuracy}]
budget: {seconds: 60}
baseline: {repeats: 2}
"""
STRATA = ("common", "common", "common", "edge", "adversarial")


def case_line(number: int) -> str:
    # Every tenth is wrong, so that scores say something.
    expected = f"word-{number}" if number % 10 else "something else"
    return json.dumps(
        {"id": f"case-{number}", "input": f"word-{number}", "expected": expected, "stratum": STRATA[number % 5]}
    )


FILES = {
    "prompt.md": "Say what you were told.\n",
    "model.yaml": "provider: desk\nmodel: house-1\ntemperature: 0\n",
    "cases.jsonl": "".join(f"{case_line(number)}\n" for number in range(CASES)),
}
WHOLE = {"echo": {"task_accuracy": "90.0000"}}


def echoes(asked: Asked) -> Answer:
    return says(asked.user)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(echoes) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return Repository.create(tmp_path / "shop", {**FILES, "ci-eval.yaml": POLICY.replace("BASE_URL", server.base_url)})


class Shell:
    def __init__(self, shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop = shop
        self.monkeypatch = monkeypatch

    def __call__(self, command: str, *arguments: object) -> Ran:
        self.monkeypatch.setenv(KEY_ENV, KEY)
        return ci_eval(*command.split(), *map(str, arguments), "--repo", str(self.shop.folder))


@pytest.fixture
def shell(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(shop, monkeypatch)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def content(file: Path) -> tuple[Any, list[Any]]:
    """A run file without its times, in the order of cases."""
    header, *records = lines_of(file)
    for each in records:
        each.pop("latency_ms", None)
        each.pop("cached_at", None)
    return {**header, "time": ""}, sorted(records, key=lambda each: (each["case"], each.get("repeat", 0)))


def users(server: OpenAIServer, start: int = 0) -> Counter[str]:
    return Counter(asked.user for asked in server.asked[start:])


# --- killed and resumed -----------------------------------------------------------------------------------------------


class Stalling:
    """A model that answers so many requests, and then no more until it is told to."""

    def __init__(self, answered: int) -> None:
        self.answered = answered
        self.go_on = threading.Event()
        self.all_stuck = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        if asked.number == self.answered + THREADS:
            self.all_stuck.set()
        if asked.number > self.answered:
            self.go_on.wait(60)
        return echoes(asked)


def test_a_killed_run_goes_on_where_it_was(
    shop: Repository, shell: Shell, server: OpenAIServer, tmp_path: Path
) -> None:
    """SIGKILL in the middle, with requests under way: only those, and what was never asked, are asked for."""
    file, whole = tmp_path / "run.jsonl", tmp_path / "whole.jsonl"
    model = Stalling(40)
    server.behaviour = model
    command = [sys.executable, "-m", "ci_eval.cli.main", "run", "-q", "--no-cache", "--repo", str(shop.folder)]
    process = subprocess.Popen([*command, "-o", str(file)], env={**os.environ, KEY_ENV: KEY})
    assert model.all_stuck.wait(60)
    tick = threading.Event()
    while len(file.read_bytes().splitlines()) < 1 + 40:  # the last answers are on their way to the file
        tick.wait(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    model.go_on.set()
    with file.open("ab") as torn:
        torn.write(b'{"case":"case-59","request":"0')
    before, kept = server.calls, {record["case"] for record in lines_of_whole(file)[1:]}

    ran = shell("run -q --no-cache --json --resume -o", file)

    assert (ran.code, ran.json) == (0, WHOLE)
    assert (before, len(kept)) == (40 + THREADS, 40)
    again = users(server, before)
    assert set(again.values()) == {1}
    assert set(again) == {f"word-{number}" for number in range(CASES)} - {f"word-{name[5:]}" for name in kept}
    assert sorted(users(server).values()) == [1] * (CASES - THREADS) + [2] * THREADS
    shell("run -q --no-cache -o", whole)
    assert content(file) == content(whole)


def lines_of_whole(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[:-1]]


def test_resume_asks_for_what_was_lost_and_nothing_else(shell: Shell, server: OpenAIServer, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    server.behaviour = lambda asked: fails(500, "no") if asked.user == "word-7" else echoes(asked)
    first = shell("run -q --no-cache -o", file)
    server.behaviour = echoes
    before = server.calls

    second = shell("run --no-cache --json --resume -o", file)

    assert first.code == 3
    assert "echo: run, 59 kept: 1/1 answered" in second.err
    assert "1 answer was refused or lost to infrastructure (HTTP 500); run again with" in first.err
    assert (second.code, second.json, users(server, before)) == (0, WHOLE, Counter(["word-7"]))


def test_resume_of_a_whole_run_asks_nothing(shell: Shell, server: OpenAIServer, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    shell("run -q --no-cache -o", file)
    written = file.read_bytes()

    ran = shell("run -q --no-cache --json --resume -o", file)

    assert (ran.json, server.calls, file.read_bytes()) == (WHOLE, CASES, written)


def test_without_resume_a_run_starts_anew(shell: Shell, server: OpenAIServer) -> None:
    shell("run -q --no-cache")
    shell("run -q --no-cache")
    assert server.calls == 2 * CASES


@pytest.mark.parametrize("left", ["", '{"format":"ci-eval ru'])
def test_resume_of_a_run_that_hardly_began_starts_anew(
    left: str, shell: Shell, server: OpenAIServer, tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text(left, encoding="utf-8")
    assert shell("run -q --no-cache --json --resume -o", file).json == WHOLE


def test_resume_without_a_file_starts_anew(shell: Shell, server: OpenAIServer) -> None:
    """So that one command serves a job and its second attempt."""
    assert shell("run -q --no-cache --json --resume").json == WHOLE
    assert server.calls == CASES


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"prompt.md": "Say it louder.\n"}, "", "another prompt, model config or data"),
        ({"model.yaml": "provider: desk\nmodel: house-2\n"}, "", "another prompt, model config or data"),
        ({"cases.jsonl": f"{case_line(1)}\n"}, "", "another golden set"),
        ({}, "--repeats 2", "other repeats"),
        ({}, "--shard 1/2", "another shard"),
    ],
)
def test_a_run_of_other_inputs_is_not_resumed(
    change: dict[str, str],
    options: str,
    said: str,
    shell: Shell,
    server: OpenAIServer,
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.jsonl"
    shell("run -q --no-cache -o", file)
    written = file.read_bytes()
    shell.shop.write(change)

    ran = shell(f"run -q --no-cache --resume {options} -o", file)

    assert (ran.code, ran.out, server.calls) == (2, "", CASES)
    assert ran.err.startswith(f"ci-eval: {file}: cannot be resumed: it has {said}")
    assert ran.err.count("\n") == 1
    assert file.read_bytes() == written


def test_a_file_that_is_no_run_is_not_resumed(shell: Shell, server: OpenAIServer, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Buy milk.\n", encoding="utf-8")

    ran = shell("run -q --resume -o", file)

    assert (ran.code, server.calls, file.read_text(encoding="utf-8")) == (2, 0, "Buy milk.\n")
    assert ran.err == f"ci-eval: {file}:1: not JSON: Expecting value; correct the syntax at column 1\n"


# --- shards -----------------------------------------------------------------------------------------------------------


def shards(shell: Shell, folder: Path, of: int, options: str = "") -> list[Path]:
    files = []
    for number in range(1, of + 1):
        files.append(folder / f"shard-{number}.jsonl")
        ran = shell(f"run -q --no-cache {options} --shard {number}/{of} -o", files[-1])
        assert ran.code == 0, ran.err
    return files


@pytest.mark.parametrize(("of", "options"), [(1, ""), (4, ""), (7, "--repeats 2"), (61, "")])
def test_shards_join_into_the_run_that_one_machine_makes(
    of: int, options: str, shell: Shell, server: OpenAIServer, tmp_path: Path
) -> None:
    files = shards(shell, tmp_path, of, options)
    asked = users(server)
    whole, joined = tmp_path / "whole.jsonl", tmp_path / "joined.jsonl"
    shell(f"run -q --no-cache {options} -o", whole)

    ran = shell("merge --json -o", joined, *reversed(files))

    assert (ran.code, ran.json, ran.err) == (0, WHOLE, "")
    assert set(asked.values()) == {2 if options else 1}
    assert len(asked) == CASES
    assert content(joined) == content(whole)
    assert [line["case"] for line in lines_of(joined)[1:]] == sorted(
        (line["case"] for line in lines_of(joined)[1:]), key=lambda name: int(name[5:])
    )


def test_a_shard_can_be_resumed(shell: Shell, server: OpenAIServer, tmp_path: Path) -> None:
    (file, *_) = shards(shell, tmp_path, 2)
    before = server.calls
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:11]))

    assert shell("run -q --no-cache --shard 1/2 --resume -o", file).code == 0

    assert server.calls - before == CASES // 2 - 10


def refused(ran: Ran, code: int, said: str) -> None:
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("ci-eval: ")
    assert ran.err.endswith(f"{said}\n")
    assert ran.err.count("\n") == 1


def test_a_missing_shard_is_named(shell: Shell, tmp_path: Path) -> None:
    one, _, _, four, five = shards(shell, tmp_path, 5)
    said = "shards 2/5, 3/5 are missing; evaluate what is missing, and merge again"
    refused(shell("merge", one, four, five), 3, said)


def test_a_shard_named_twice_is_refused(shell: Shell, tmp_path: Path) -> None:
    one, two = shards(shell, tmp_path, 2)
    refused(shell("merge", one, two, one), 2, f"is shard 1/2, and so is {one}; name each shard once")


def test_a_shard_that_was_stopped_is_named_with_what_it_lacks(shell: Shell, tmp_path: Path) -> None:
    one, two = shards(shell, tmp_path, 2)
    *rest, last = two.read_bytes().splitlines(keepends=True)
    two.write_bytes(b"".join(rest))
    missing = json.loads(last)["case"]
    said = f'is not whole: the case "{missing}" was not asked; finish it with the same command and --resume'
    refused(shell("merge", one, two), 3, f"{two} {said}")


def test_answers_that_a_shard_lost_are_no_result(shell: Shell, server: OpenAIServer, tmp_path: Path) -> None:
    one, two = shards(shell, tmp_path, 2)
    server.behaviour = lambda _: fails(500, "no")
    assert shell("run -q --no-cache --shard 2/2 -o", two).code == 3

    ran = shell("merge", one, two)

    assert ran.code == 3
    assert "30 answers were refused or lost to infrastructure (HTTP 500); finish its shard" in ran.err


def test_a_whole_run_is_no_shard(shell: Shell, tmp_path: Path) -> None:
    shell("run -q --no-cache -o", tmp_path / "run.jsonl")
    said = "run.jsonl: is a whole run, no shard; merge what ci-eval run --shard wrote"
    refused(shell("merge", tmp_path / "run.jsonl"), 2, said)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("suite", "other", "another suite"),
        ("commit", "1" * 40, "another commit"),
        ("repeats", 2, "other repeats"),
        ("shard", "2/3", "another number of shards"),
        ("golden", "0" * 64, "another golden set"),
        ("scorers", "0" * 64, "other scorers"),
        ("target", "0" * 64, "another prompt, model config or data, or another ci-eval"),
    ],
)
def test_shards_of_different_evaluations_are_refused(
    field: str, value: object, said: str, shell: Shell, tmp_path: Path
) -> None:
    one, two = shards(shell, tmp_path, 2)
    header, *records = two.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = json.loads(header)
    (changed["fingerprint"] if field in changed["fingerprint"] else changed)[field] = value
    two.write_text("".join([json.dumps(changed) + "\n", *records]), encoding="utf-8")
    remedy = "merge the shards of one evaluation"
    refused(shell("merge", one, two), 2, f"{two}: belongs to another evaluation than {one}: {said}; {remedy}")


def test_a_case_of_another_shard_is_refused(shell: Shell, tmp_path: Path) -> None:
    one, two = shards(shell, tmp_path, 2)
    stray = one.read_text(encoding="utf-8").splitlines(keepends=True)[1]
    with two.open("a", encoding="utf-8") as file:
        file.write(stray)
    said = f'the case "{json.loads(stray)["case"]}" is none of shard 2/2; evaluate this shard again'
    refused(shell("merge", one, two), 2, f"{two}: {said}")


def test_shards_are_merged_by_the_files_that_they_were_made_from(
    shop: Repository, shell: Shell, tmp_path: Path
) -> None:
    """A commit is looked up; a working tree that has changed since cannot be."""
    at_commit = shards(shell, tmp_path, 2, "--ref HEAD")
    (tmp_path / "tree").mkdir()
    of_tree = shards(shell, tmp_path / "tree", 2)
    shop.write({"cases.jsonl": f"{case_line(1)}\n"})

    assert shell("merge --json", *at_commit).json == WHOLE
    remedy = "merge where the shards were evaluated, with the same config and ci-eval"
    refused(shell("merge", *of_tree), 2, f"{of_tree[0]}: the working tree has another golden set; {remedy}")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "1/", "/2", "1/2/3", "-1/2", "01/2", "1/5000", "١/٢", "a/b"])
def test_a_shard_that_is_none_is_refused(shard: str, shell: Shell, server: OpenAIServer) -> None:
    said = "a shard is written as 2/4: which one, from 1 on, of how many (at most 1000)"
    refused(shell("run -q --shard", shard), 2, said)
    assert server.calls == 0


def test_a_run_file_holds_one_suite(shop: Repository, shell: Shell, tmp_path: Path) -> None:
    policy = shop.read("ci-eval.yaml")
    suite = policy.partition("suites:\n")[2].partition("budget:")[0]
    shop.write({"ci-eval.yaml": policy.replace("budget:", suite.replace("echo", "other") + "budget:")})
    said = "a run file holds one suite; name it with --suite (echo, other). (see ci-eval run --help)"
    refused(shell("run -q -o", tmp_path / "run.jsonl"), 2, said)
    assert shell("run -q --suite other -o", tmp_path / "run.jsonl").code == 0


# --- the response cache -----------------------------------------------------------------------------------------------


def test_a_second_run_asks_nothing_and_says_so(shop: Repository, shell: Shell, server: OpenAIServer) -> None:
    first, second = shell("run"), shell("run --json")

    assert (second.json, server.calls) == (WHOLE, CASES)
    assert "from the cache" not in first.err
    assert f"{CASES}/{CASES} answered, 54 all right, 0 errors" in second.err
    assert f"{CASES} from the cache" in second.err
    records = lines_of(shop.folder / ".ci-eval/echo/run.jsonl")[1:]
    assert all("latency_ms" not in record and record["cached_at"].endswith("Z") for record in records)


def test_a_changed_scorer_scores_the_same_answers_without_asking(
    shop: Repository, shell: Shell, server: OpenAIServer
) -> None:
    shell("run -q")
    scorer = "{type: exact, dimension: task_accuracy}"
    shop.write(
        {"ci-eval.yaml": shop.read("ci-eval.yaml").replace(scorer, "{type: contains, any: [word], dimension: tone}")}
    )

    ran = shell("run -q --json")

    assert (ran.json, server.calls) == ({"echo": {"tone": "100.0000"}}, CASES)


def test_a_changed_case_is_the_only_one_that_is_asked(shop: Repository, shell: Shell, server: OpenAIServer) -> None:
    shell("run -q")
    shop.write({"cases.jsonl": FILES["cases.jsonl"].replace('"input": "word-7"', '"input": "other word"')})
    before = server.calls

    shell("run -q")

    assert users(server, before) == Counter(["other word"])


def test_no_cache_neither_reads_nor_writes(shell: Shell, server: OpenAIServer) -> None:
    shell("run -q --no-cache")
    shell("run -q")
    shell("run -q --no-cache")
    assert server.calls == 3 * CASES


def test_refresh_asks_anew_and_remembers(shell: Shell, server: OpenAIServer) -> None:
    shell("run -q")
    server.behaviour = lambda _: says("something new")
    assert shell("run -q --refresh --json").json == {"echo": {"task_accuracy": "0.0000"}}
    assert shell("run -q --json").json == {"echo": {"task_accuracy": "0.0000"}}
    assert server.calls == 2 * CASES


def test_in_a_job_on_github_there_is_no_cache(
    shell: Shell, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("run -q")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    shell("run -q")
    assert server.calls == 2 * CASES


def test_a_baseline_out_of_the_cache_is_as_old_as_its_answers(
    shop: Repository, shell: Shell, server: OpenAIServer
) -> None:
    """Or storing it again and again would keep an old baseline young."""
    shop.commit({"ci-eval.yaml": shop.read("ci-eval.yaml").replace(", key_env: DESK_KEY", "")})
    shell("run -q --repeats 2")
    day_before = made_a_day_ago(Path(ci_eval("cache", "stats", "--json").json["path"]))

    updated = shell("baseline update -q")

    assert (updated.code, server.calls) == (0, 2 * CASES)
    stored = shop.git("show", f"ci-eval-baselines:{json.loads(shell('baseline list --json').out)[0]}").splitlines()
    header, *records = map(json.loads, stored)
    assert (header["time"], {record["cached_at"] for record in records}) == (day_before, {day_before})


def made_a_day_ago(place: Path) -> str:
    """The answers of a provider without a key, sealed anew as of yesterday; says when that was."""
    then = int(time.time()) - 86_400
    with closing(sqlite3.connect(place)) as db:
        for key, content in db.execute("SELECT key, reply FROM replies").fetchall():
            seal = hmac.digest(b"", b"%s%d:%s" % (key, then, content), "sha256")
            db.execute("UPDATE replies SET answered = ?, seal = ? WHERE key = ?", (then, seal, key))
        db.commit()
    return datetime.fromtimestamp(then, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_confirms_a_gate_is_fresh_however_often_it_is_repeated(
    shop: Repository, shell: Shell, server: OpenAIServer
) -> None:
    """Row 41 of the threat model, on a laptop: the first look may be remembered, the confirmation may not."""
    shop.write({"prompt.md": "Say something else.\n"})
    server.behaviour = lambda asked: says(asked.user if "you were told" in asked.system else "nothing")
    first = shell("gate -q --json")
    calls = server.calls

    second = shell("gate -q --json")

    confirming = calls - 2 * CASES
    assert (first.code, second.code, first.json["verdict"]) == (1, 1, "regression")
    assert (first.json["suites"][0]["calls"], second.json["suites"][0]["calls"]) == (calls, confirming)
    assert confirming > 0
    assert server.calls - calls == confirming
    stats = ci_eval("cache", "stats", "--json").json
    assert (stats["entries"], stats["hits"]) == (2 * CASES, 2 * CASES)
    assert f"{2 * CASES} answers came out of the response cache, not timed." in shell("gate -q --markdown").out


def test_what_the_cache_answers_is_not_paid_for_again(shop: Repository, shell: Shell) -> None:
    """Neither in the bar, nor out of a gate's budget; what an answer costs stays in its record."""
    priced = "timeout_seconds: 60, prices: {house-1: {input: 1000, output: 0}}}"  # 19 tokens in: $0.019 an answer
    policy = shop.read("ci-eval.yaml").replace("timeout_seconds: 60}", priced)
    shop.commit({"ci-eval.yaml": policy})
    shop.write({"prompt.md": "Say it once more.\n"})

    bars = [shell("run").err for _ in range(2)]
    gates = [shell("gate -q --json").json for _ in range(2)]

    assert "$1.1400" in bars[0]
    assert "$" not in bars[1]
    assert [round(gate["usd"] / 0.019) for gate in gates] == [CASES, 0], "the candidate was run before"
    records = lines_of(shop.folder / ".ci-eval/echo/run.jsonl")[1:]
    assert {record["cost_usd"] for record in records} == {0.019}


def test_a_broken_cache_does_not_stop_a_run(shell: Shell, server: OpenAIServer) -> None:
    shell("run -q")
    place = Path(ci_eval("cache", "stats", "--json").json["path"])
    place.write_bytes(b"garbage, and more than enough of it to be no database" * 50)

    ran = shell("run -q --json")

    assert (ran.code, ran.json) == (0, WHOLE)
    assert ran.err == f"ci-eval: the response cache {place} is damaged or of another version; it is started anew\n"


def test_cache_stats_and_prune(shell: Shell) -> None:
    assert ci_eval("cache", "stats").out.endswith(": 0 answers, 0.0 MB, 0 hits\n")
    shell("run -q")
    shell("run -q")

    stats = ci_eval("cache", "stats").out.splitlines()
    pruned = ci_eval("cache", "prune", "--older-than", "1")
    emptied = ci_eval("cache", "prune", "--max-mb", "0", "--json")

    assert f": {CASES} answers, 0.0 MB, {CASES} hits" in stats[0]
    assert stats[-1].split()[:3] == ["house-1", str(CASES), str(CASES)]
    assert pruned.out.startswith(f"forgot 0 answers; {CASES} answers left")
    assert (emptied.json["forgotten"], emptied.json["entries"]) == (CASES, 0)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("cache prune", "nothing to forget was named; add --older-than DAYS or --max-mb N (0 forgets everything)"),
        ("run --no-cache --refresh", "--no-cache and --refresh exclude each other; choose one"),
        ("run -o a.jsonl --out b", "-o names the run file and --out its folder; choose one. (see ci-eval run --help)"),
    ],
)
def test_what_is_asked_for_wrongly_is_told_in_one_line(command: str, said: str, shop: Repository, shell: Shell) -> None:
    refused(ci_eval(*command.split()) if command.startswith("cache") else shell(command), 2, said)
