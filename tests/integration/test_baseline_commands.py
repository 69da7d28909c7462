"""`ci-eval baseline show`, `verify`, `prune` and `replay` on a clone whose model is right now and then."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Lock

import pytest
from command import Ran, ci_eval, ci_eval_process
from gated import Product
from git_over_http import GitServer
from making import run
from openai_server import Answer, Asked, Behaviour, OpenAIServer, says
from parcel_desk import Repository
from repo import Repo

from ci_eval.baseline.store import Store, StoreError, written_at
from ci_eval.git import Git, Remote
from ci_eval.records import Run, parse

CASES, FLAKY = 60, 3
BRANCH = "ci-eval-baselines"
POLICY = """\
version: 1
providers:
  coin: {api: openai, base_url: "BASE_URL", max_concurrency: 8}
suites:
  sums:
    target: {prompt: prompt.txt, model: model.yaml}
    golden: cases.jsonl
    scorers: [{type: exact}, {type: contains, dimension: wording, weight: 2}]
budget: {seconds: 600}
"""


def falling(first: int) -> Behaviour:
    """The first few cases are right every second time that they are asked."""
    asked_before: Counter[str] = Counter()
    lock = Lock()

    def answer(asked: Asked) -> Answer:
        with lock:
            asked_before[asked.user] += 1
            time = asked_before[asked.user]
        number = int(asked.user.split()[1])
        return says("wrong" if number < first and (number + time) % 2 else "right")

    return answer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(falling(FLAKY)) as running:
        yield running


@pytest.fixture
def sums(tmp_path: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    rows = [{"id": f"case-{number}", "input": f"case {number}", "expected": "right"} for number in range(CASES)]
    files = {
        "ci-eval.yaml": POLICY.replace("BASE_URL", server.base_url),
        "prompt.txt": "main\n",
        "model.yaml": "provider: coin\nmodel: coin\n",
        "cases.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    return Repository.create(tmp_path / "sums", files)


def baseline(sums: Repository, command: str) -> Ran:
    return ci_eval("baseline", *command.split(), "--repo", str(sums.folder))


def store_some(sums: Repository, times: int = 1) -> list[str]:
    """Stored runs of the same inputs, of as many commits and an hour apart; their paths, oldest first."""
    commits = [sums.commit({"notes.md": f"{number}\n"}) for number in range(times)]
    assert baseline(sums, "update -q").code == 0
    (newest,) = baseline(sums, "list --json").json
    whole = parse(content(sums, newest), newest)
    store = Store(Remote(str(sums.folder / ".git"), "file"), BRANCH)
    older = []
    for age, commit in zip(range(times - 1, 0, -1), commits, strict=False):
        time = (written_at(whole.header) - timedelta(hours=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
        header = whole.header.model_copy(update={"commit": commit, "time": time})
        older.append(store.add(Run(header, whole.records), "local.older"))
    return [*older, newest]


def put(sums: Repository, path: str, content: bytes) -> None:
    """Somebody writes a file into the branch by hand."""
    git = Git.discover(sums.folder)
    index = {"GIT_INDEX_FILE": str(git.git_dir / "by-hand")}
    git.run("read-tree", f"refs/heads/{BRANCH}", extra=index)
    git.run("update-index", "--add", "--cacheinfo", f"100644,{git.write_blob(content)},{path}", extra=index)
    tree = git.run("write-tree", extra=index).decode().strip()
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    tip = git.commit(f"refs/heads/{BRANCH}")
    commit = git.run("commit-tree", "-p", tip, "-m", "by hand", tree, extra=who).decode().strip()
    git.run("update-ref", f"refs/heads/{BRANCH}", commit)


def content(sums: Repository, path: str) -> bytes:
    return Git.discover(sums.folder).run("cat-file", "blob", f"{BRANCH}:{path}")


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_tells_where_a_run_comes_from_and_that_it_serves(sums: Repository) -> None:
    store_some(sums)

    shown = baseline(sums, "show")

    assert shown.code == 0
    first, *lines = shown.out.splitlines()
    assert first.startswith(f"suite sums, commit {sums.git('rev-parse', 'HEAD')[:12]}, 20")
    assert "  holds         5 answers to each of 60 cases" in lines
    assert "  for HEAD      serves" in lines
    assert any(line.startswith("  written by    local by ci-eval") for line in lines)
    assert any(line.startswith("wording") and "3 of 60" in line for line in lines)


def test_show_in_json_holds_the_same(sums: Repository) -> None:
    (path,) = store_some(sums)

    (shown,) = baseline(sums, "show newest --json").json

    assert (shown["path"], shown["serves"], shown["objection"]) == (path, True, None)
    assert shown["header"]["commit"] == sums.git("rev-parse", "HEAD")
    assert [one["name"] for one in shown["dimensions"]] == ["task_accuracy", "wording"]
    assert 95 < shown["dimensions"][0]["score"] < 100
    assert shown["dimensions"][0]["flaky_cells"] == FLAKY


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("prompt.txt", "another\n", "HEAD has another prompt, model config or rows"),
        ("cases.jsonl", '{"id": "a", "input": "case 7", "expected": "right"}\n', "HEAD has another golden set"),
    ],
)
def test_show_says_why_a_run_does_not_serve(sums: Repository, file: str, text: str, why: str) -> None:
    store_some(sums)
    sums.commit({file: text})

    assert f"  for HEAD      does not serve: {why}\n" in baseline(sums, "show").out


def test_show_finds_a_run_by_any_name_of_its_commit(sums: Repository) -> None:
    store_some(sums, 2)
    old = sums.git("rev-parse", "HEAD~1")

    for name in (old, old[:8], "HEAD~1"):
        assert baseline(sums, f"show {name} --json").json[0]["header"]["commit"] == old
    assert baseline(sums, "show newest --json").json[0]["header"]["commit"] == sums.git("rev-parse", "HEAD")


def test_show_of_a_run_of_another_branch_does_not_serve(sums: Repository) -> None:
    sums.git("checkout", "-q", "-b", "side")
    store_some(sums)
    sums.git("checkout", "-q", "main")

    assert "does not serve: this checkout does not show that base descends from it" in baseline(sums, "show").out


@pytest.mark.parametrize("which", ["0123456789", "no-such-branch", "--", "../x", "::error::x"])
def test_show_of_what_is_not_there_is_refused_in_one_line(sums: Repository, which: str) -> None:
    store_some(sums)

    refused = ci_eval("baseline", "show", "--repo", str(sums.folder), "--", which)

    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "::error" not in refused.err


def test_show_passes_over_a_damaged_file_and_says_so(sums: Repository) -> None:
    (path,) = store_some(sums)
    put(sums, path.replace("-local", "-\x1b[2Jbad"), b"{")

    shown = baseline(sums, "show")

    assert "  for HEAD      serves" in shown.out
    assert shown.err.startswith("damaged: runs/sums/")
    assert "\x1b" not in shown.err


# --- verify -----------------------------------------------------------------------------------------------------------


def test_a_store_in_order_is_verified(sums: Repository) -> None:
    store_some(sums, 2)

    assert baseline(sums, "verify") == Ran(0, f"2 files in {BRANCH} of this clone, none with problems\n", "")
    assert baseline(sums, "verify --json").json == []


def test_an_empty_store_is_in_order(sums: Repository) -> None:
    assert baseline(sums, "verify").code == 0


def test_each_damaged_file_has_a_line_and_the_exit_code_is_2(sums: Repository) -> None:
    (path,) = store_some(sums)
    whole = content(sums, path)
    put(sums, path.replace("-local", "-copy"), whole)
    put(sums, path.replace("-local", "-cut"), whole[:-30])
    put(sums, path.replace("-local", "-lost"), whole[: whole.rindex(b'{"case', 0, -1)])
    put(sums, "::error::x\n", b"")

    verified = baseline(sums, "verify")

    assert verified.code == 2
    *lines, last = verified.out.splitlines()
    assert last == f"5 files in {BRANCH} of this clone, 4 with problems"
    assert [what for what in ("::error", "\x1b") if what in verified.out] == []
    for what in ("is a copy of", "(line 301: not JSON", "lacks answers to some cases", "an empty run file"):
        assert len([line for line in lines if what in line]) == 1
    assert all(line.endswith("; take it out with: ci-eval baseline prune --damaged") for line in lines)
    assert {found["path"] for found in baseline(sums, "verify --json").json} == {
        "::error::x\\u{a}".replace("::", ":\\u{3a}"),
        *(path.replace("-local", f"-{name}") for name in ("cut", "lost")),
        path,  # -copy comes first
    }


def test_a_run_that_lacks_a_case_of_its_golden_set_is_found_by_its_commit(sums: Repository) -> None:
    """Whole in itself, and yet it is not: main's golden set has one case more."""
    (path,) = store_some(sums)
    lines = content(sums, path).splitlines(keepends=True)
    without = b"".join(line for line in lines if b'"case":"case-59"' not in line)
    put(sums, path, without)

    assert "lacks answers to some cases" in baseline(sums, "verify").out


# --- prune ------------------------------------------------------------------------------------------------------------


def test_prune_takes_the_old_runs_and_leaves_the_newest(sums: Repository) -> None:
    first, second, third = store_some(sums, 3)

    dry = baseline(sums, "prune --keep 1 --dry-run")
    assert dry.out.splitlines() == [
        *sorted([first, second]),
        f"2 files to take out of {BRANCH} of this clone",
    ]
    assert len(baseline(sums, "list --json").json) == 3

    done = baseline(sums, "prune --keep 1")
    assert done.out.splitlines() == [*sorted([first, second]), f"2 files taken out of {BRANCH} of this clone"]
    assert baseline(sums, "list --json").json == [third]
    assert baseline(sums, "prune --keep 1").out == f"0 files taken out of {BRANCH} of this clone\n"
    assert "serves" in baseline(sums, "show").out


def test_prune_by_age_leaves_what_is_young(sums: Repository) -> None:
    store_some(sums, 2)

    assert baseline(sums, "prune --older-than 1").out.startswith("0 files")


def test_prune_takes_out_damaged_files_and_nothing_else(sums: Repository) -> None:
    paths = store_some(sums, 2)
    put(sums, "notes/\x1b[2J.md", b"x")

    pruned = baseline(sums, "prune --damaged")

    assert pruned.out == f"notes/\\u{{1b}}[2J.md\n1 file taken out of {BRANCH} of this clone\n"
    assert sorted(baseline(sums, "list --json").json) == sorted(paths)
    assert baseline(sums, "verify").code == 0


@pytest.mark.parametrize("options", ["", "--damaged --keep 1", "--damaged --older-than 3", "--keep 0", "--keep -1"])
def test_prune_wants_to_be_told_what_may_go(sums: Repository, options: str) -> None:
    store_some(sums, 2)

    assert baseline(sums, f"prune {options}").code == 2
    assert len(baseline(sums, "list --json").json) == 2


def test_a_remote_store_is_pruned_over_http_and_a_refusal_is_told(tmp_path: Path) -> None:
    Git.create(tmp_path / "octo" / "shop", bare=True).run("config", "http.receivepack", "true")
    with GitServer(tmp_path, "t0ken") as server:
        url = f"{server.url}/octo/shop"
        store = Store(Remote.with_token(url, "t0ken", "http"), BRANCH)
        old, new = (store.add(run(commit=digit * 40), "1.1") for digit in "12")
        server.refused.add("git-receive-pack")
        with pytest.raises(StoreError, match="cannot be written"):
            store.remove([old])
        server.refused.clear()
        assert store.remove([old]) == (old,)
        assert store.paths() == [new]


# --- replay -----------------------------------------------------------------------------------------------------------


def test_replay_says_how_often_main_would_be_red_and_what_flickers(sums: Repository) -> None:
    store_some(sums)

    (found,) = baseline(sums, "replay -q --repetitions 100 --json").json

    assert (found["deterministic"], found["repetitions"], found["answers_per_case"]) == (False, 100, 5)
    assert 0 <= found["gate"]["red_interval"][0] <= found["gate"]["red"] <= found["gate"]["red_interval"][1] < 0.5
    assert {one["case"] for one in found["flaky"]} == {f"case-{number}" for number in range(FLAKY)}
    assert {case for case, _ in found["quarantined"]} <= {f"case-{number}" for number in range(FLAKY)}
    assert found["calls"] >= 1
    accuracy, wording = found["dimensions"]
    assert {**accuracy, "name": ""} == {**wording, "name": ""}
    assert 0 < accuracy["differing"] < 0.05
    assert 0 < accuracy["deviation"] < 5


def test_replay_gives_the_same_answer_twice_and_asks_no_model(sums: Repository, server: OpenAIServer) -> None:
    store_some(sums)
    asked = server.calls

    one, other = (baseline(sums, "replay -q --repetitions 50").out for _ in range(2))

    assert one == other
    assert server.calls == asked
    assert one.startswith("suite sums: 5 stored answers to each of 60 cases, from 1 run of main\n")
    assert "case-0  exact  passed " in one


def test_replay_pools_all_runs_of_the_same_inputs_and_none_of_others(sums: Repository) -> None:
    store_some(sums, 2)
    assert baseline(sums, "replay -q --repetitions 5 --json").json[0]["answers_per_case"] == 10

    sums.commit({"prompt.txt": "another\n"})
    refused = baseline(sums, "replay -q")
    assert (refused.code, refused.out, refused.err.count("\n")) == (3, "", 1)
    assert "ci-eval baseline update" in refused.err


def test_one_answer_to_each_case_is_too_few_to_replay(sums: Repository) -> None:
    sums.commit({"ci-eval.yaml": f"{sums.read('ci-eval.yaml')}baseline: {{repeats: 1}}\n"})
    store_some(sums)

    refused = baseline(sums, "replay -q")

    assert (refused.code, refused.out, refused.err.count("\n")) == (3, "", 1)
    assert "set baseline.repeats to 5" in refused.err


def test_damaged_and_forged_runs_are_left_out_and_told(sums: Repository) -> None:
    """A copy would make main look calmer than it is, and a run without answers would break the replay."""
    (path,) = store_some(sums)
    whole = content(sums, path)
    put(sums, path.replace("-local", "-x-copy"), whole)
    put(sums, path.replace("-local", "-x-cut"), whole[:-30])
    put(sums, path.replace("-local", "-x-event"), whole.replace(b'"event":"local"', b'"event":"pull_request"'))
    put(sums, path.replace("-local", "-x-bare"), re.sub(rb'"cells":\[.*?\],"finish"', b'"cells":[],"finish"', whole))

    replayed = baseline(sums, "replay -q --repetitions 5")

    assert replayed.code == 0
    assert "5 stored answers to each of 60 cases, from 1 run" in replayed.out
    assert replayed.err.count("left out: ") == 3
    for what in ("(line 301: ", "was written by an event that may not write", "lacks scores of some cases"):
        assert what in replayed.err


def test_a_model_that_repeats_itself_has_no_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    product = Product.new(Repo(tmp_path / "repository"), tmp_path / "out")
    folder = str(product.repo.folder)
    assert ci_eval("baseline", "update", "-q", "--repo", folder).code == 0

    assert "there is no noise" in ci_eval("baseline", "replay", "--repo", folder).out
    (found,) = ci_eval("baseline", "replay", "--json", "--repo", folder).json
    assert (found["deterministic"], found["gate"]["red"], found["gate"]["red_interval"]) == (True, 0, [0, 0])


def test_replay_in_a_process_of_its_own_shows_no_bar_in_a_log(sums: Repository) -> None:
    store_some(sums)

    ran = ci_eval_process("baseline", "replay", "--repetitions", "20", cwd=sums.folder)

    assert (ran.code, ran.err) == (0, "sums: replaying\n")
    assert "20 replays" in ran.out
