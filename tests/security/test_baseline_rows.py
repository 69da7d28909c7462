"""Rows 117-123 and 125 of the threat model: which stored runs may stand for main. Each test is named by its row.

The attack is always the same: a run in which main fails everything, so that nothing could be worse. Trusted, it turns
the regression into a pass; `test_a_forged_run_would_pass` shows that it does.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from gated import ROWS, WORSE, Product, rows
from repo import Repo

from ci_eval import __version__
from ci_eval.baseline.store import WRITERS, Store, StoreError, Trust, written_at
from ci_eval.baseline.upkeep import check
from ci_eval.config import Config
from ci_eval.evaluation.base_run import Baselines
from ci_eval.git import Git, Remote
from ci_eval.outcome.model import GateOutcome
from ci_eval.records import Fingerprint, Run, to_bytes
from ci_eval.verdict import Verdict

BRANCH = "ci-eval-baselines"
NOW = datetime.now(UTC)
TRUST = Trust(WRITERS, "octo/shop", timedelta(days=14), NOW + timedelta(minutes=5))


@pytest.fixture
def product(repo: Repo, tmp_path: Path) -> Product:
    return Product.new(repo, tmp_path / "out")


@pytest.fixture
def remote(tmp_path: Path) -> Git:
    return Git.create(tmp_path / "remote", bare=True)


@pytest.fixture
def store(remote: Git) -> Store:
    return Store(Remote(str(remote.git_dir), protocols="file"), BRANCH)


def failed(run: Run) -> Run:
    """The forgery: the same run, in which nothing passes."""
    records = []
    for record in run.records:
        cells = [cell.model_copy(update={"score": 0, "passed": False}) for cell in record.cells]
        records.append(record.model_copy(update={"cells": cells, "request": "0" * 64}))
    return Run(run.header, tuple(records))


def but(run: Run, **header: Any) -> Run:
    return Run(run.header.model_copy(update=header), run.records)


def judged(product: Product, store: Store) -> GateOutcome:
    def baselines(_: Config) -> Baselines:
        return Baselines(store, TRUST)

    return product.gate({"prompt.md": WORSE}, baselines)


def told(outcome: GateOutcome) -> str:
    """What is said of main's side, and whatever else is odd."""
    return "\n".join(warning.text() for warning in outcome.suites[0].warnings)


def assert_unmoved(outcome: GateOutcome) -> None:
    """Main was evaluated again, and the regression was seen."""
    (suite,) = outcome.suites
    assert not suite.base_stored
    assert outcome.verdict is Verdict.REGRESSION
    assert suite.dimensions[0].base == 100


def test_a_true_run_of_main_serves(product: Product, store: Store) -> None:
    store.add(product.evaluated(), "7.1")
    (suite,) = judged(product, store).suites
    assert (suite.base_stored, suite.verdict) == (True, Verdict.REGRESSION)


def test_a_forged_run_would_pass(product: Product, store: Store) -> None:
    """What a writer of the branch could do: hence the rule on who may write it (row 116)."""
    store.add(failed(product.evaluated()), "7.1")
    outcome = judged(product, store)
    assert (outcome.suites[0].base_stored, outcome.verdict) == (True, Verdict.PASS)


# --- 117: written by a pull request -----------------------------------------------------------------------------------

OTHERS = (
    *("pull_request", "pull_request_target", "merge_group", "issue_comment", "workflow_run", "release", "local"),
    *("", "PUSH", "push2"),
)


@pytest.mark.parametrize("event", OTHERS)
def test_117_a_run_of_another_event_does_not_serve(product: Product, store: Store, event: str) -> None:
    store.add(failed(product.evaluated(event)), "7.1")
    assert_unmoved(judged(product, store))


@pytest.mark.parametrize("repository", ["fork/shop", "octo/shop-2", "octo", ""])
def test_117_a_run_of_a_fork_does_not_serve(product: Product, store: Store, repository: str) -> None:
    store.add(failed(product.evaluated(repository=repository)), "7.1")
    assert_unmoved(judged(product, store))


# --- 118: old or foreign ----------------------------------------------------------------------------------------------


def test_118_a_run_of_a_commit_that_is_no_ancestor_does_not_serve(product: Product, store: Store) -> None:
    run = failed(product.evaluated())
    product.repo.branch("side", "main")
    product.repo.write("notes.md", "x")
    side = product.repo.commit("beside main")
    product.repo.checkout("main")
    for number, commit in enumerate((side, "0" * 40, "f" * 40)):
        store.add(but(run, commit=commit), f"{number}.1")
    assert_unmoved(judged(product, store))


def test_118_a_run_of_an_ancestor_with_the_same_inputs_serves(product: Product, store: Store) -> None:
    store.add(product.evaluated(), "7.1")
    product.repo.write("notes.md", "x")
    product.repo.commit("main moves on")
    assert judged(product, store).suites[0].base_stored


@pytest.mark.parametrize("age", [timedelta(days=15), timedelta(days=4000), timedelta(days=-1), timedelta(days=-4000)])
def test_118_a_run_too_old_or_of_the_future_does_not_serve(product: Product, store: Store, age: timedelta) -> None:
    time = (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    store.add(but(failed(product.evaluated()), time=time), "7.1")
    assert_unmoved(judged(product, store))


def test_118_a_run_that_lost_cases_does_not_serve(product: Product, store: Store) -> None:
    store.add(failed(product.evaluated(cases=["bread", "visa"])), "7.1")
    assert_unmoved(judged(product, store))


def test_118_what_is_stored_is_never_replaced(product: Product, store: Store) -> None:
    true = product.evaluated()
    store.add(true, "7.1")
    with pytest.raises(StoreError, match="never change"):
        store.add(failed(true), "7.1")
    assert [stored.run for stored in store.find("sort", true.header.fingerprint).runs] == [true]


# --- 119: missing, or not what it should be ---------------------------------------------------------------------------

PAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a page": lambda _: b"<!DOCTYPE html><title>403 Forbidden</title>",
    "an LFS pointer": lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    "cut": lambda whole: whole[:-20],
    "compressed": lambda _: b"\x1f\x8b\x08\x00\x00",
    "a score that is none": lambda whole: whole.replace(b'"score":0', b'"score":NaN'),
    "a key twice": lambda whole: whole.replace(b'"passed":false', b'"passed":true,"passed":false'),
    "a month 13": lambda whole: whole.replace(b'"time":"20', b'"time":"9999-13-'),
    "a later format": lambda whole: whole.replace(b"ci-eval run 1", b"ci-eval run 2"),
}


@pytest.mark.parametrize("name", PAGES)
def test_119_a_damaged_baseline_is_no_first_run(product: Product, store: Store, remote: Git, name: str) -> None:
    """An error to whoever reads the store, and main evaluated again for whoever gates; never a pass."""
    forged = failed(product.evaluated())
    path = store.add(forged, "7.1")
    replace(remote, path, PAGES[name](to_bytes(forged)))
    found = store.find("sort", forged.header.fingerprint)
    assert (found.runs, [damaged.path for damaged in found.damaged]) == ((), [path])
    outcome = judged(product, store)
    assert_unmoved(outcome)
    assert told(outcome).count("cannot be read") == told(outcome).count("main was evaluated in this job instead") == 1


@pytest.mark.parametrize("name", PAGES)
def test_119_a_damaged_baseline_hides_no_good_one(product: Product, store: Store, remote: Git, name: str) -> None:
    """One bad file must not make every gate pay for main again; and it is said."""
    true = product.evaluated()
    store.add(true, "7.1")
    damaged = store.add(but(failed(true), time="2099-01-01T00:00:00Z"), "8.1")
    replace(remote, damaged, PAGES[name](to_bytes(failed(true))))
    outcome = judged(product, store)
    assert (outcome.suites[0].base_stored, outcome.verdict) == (True, Verdict.REGRESSION)
    assert damaged in told(outcome)
    assert "main was evaluated in this job" not in told(outcome)


def test_119_a_store_that_is_not_there_is_no_first_run(product: Product, tmp_path: Path) -> None:
    gone = Store(Remote(str(tmp_path / "gone"), protocols="file"), BRANCH)
    with pytest.raises(StoreError):
        gone.find("sort", product.evaluated().header.fingerprint)
    assert_unmoved(judged(product, gone))


def test_119_an_empty_store_means_that_main_is_evaluated(product: Product, store: Store) -> None:
    assert_unmoved(judged(product, store))


def replace(remote: Git, path: str, content: bytes) -> None:
    index = {"GIT_INDEX_FILE": str(remote.git_dir / "by-hand")}
    remote.run("read-tree", remote.find(f"refs/heads/{BRANCH}") or "--empty", extra=index)
    remote.run("update-index", "--add", "--cacheinfo", f"100644,{remote.write_blob(content)},{path}", extra=index)
    tree = remote.run("write-tree", extra=index).decode().strip()
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    commit = remote.run("commit-tree", "-m", "by hand", tree, extra=who).decode().strip()
    remote.run("update-ref", f"refs/heads/{BRANCH}", commit)


# --- 120: other inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["target", "golden", "scorers"])
@pytest.mark.parametrize("last", [64, 1], ids=["all of it", "its last digit"])
def test_120_a_run_of_other_inputs_does_not_serve(
    product: Product, store: Store, remote: Git, part: str, last: int
) -> None:
    """Also where only what lies behind the folder's name differs, and where it was put into the right folder."""
    forged = failed(product.evaluated())
    mark = forged.header.fingerprint
    digest = getattr(mark, part)
    wrong = digest[:-last] + ("0" if digest[-1] != "0" else "1") * last
    other = Fingerprint.model_validate({**mark.model_dump(), part: wrong})
    replace(remote, f"runs/sort/{mark.folder}/{'0' * 40}-7.1.jsonl", to_bytes(but(forged, fingerprint=other)))
    assert_unmoved(judged(product, store))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("prompt.md", "Sort the message.", "Sort it."),
        ("model.yaml", "minilm\n", "minilm\ntemperature: 0\n"),
        ("golden/cases.jsonl", rows(ROWS[0]), rows(ROWS[0] | {"expected": {"topic": "garden"}})),
        ("golden/cases.jsonl", rows(ROWS[0]), ""),
        ("ci-eval.yaml", "field: topic}", "field: topic, weight: 2}"),
        ("ci-eval.yaml", "field: topic}", "field: topic, normalise: [case]}"),
    ],
)
def test_120_whatever_decides_a_score_is_in_the_fingerprint(product: Product, path: str, old: str, new: str) -> None:
    before = product.suite().fingerprint(product.suite().side(product.main).target)
    place = product.repo.folder / path
    assert old in place.read_text()
    product.repo.write(path, place.read_text().replace(old, new))
    product.repo.commit("other inputs")
    suite = product.suite()
    assert suite.fingerprint(suite.side(product.main).target).folder != before.folder


# --- 121: a sum that was edited ---------------------------------------------------------------------------------------

SUMS = ("score", "scores", "task_accuracy", "passes", "aggregate", "dimensions", "summary", "verdict")


@pytest.mark.parametrize("key", SUMS)
def test_121_a_header_or_record_that_brings_a_sum_is_damaged(
    product: Product, store: Store, remote: Git, key: str
) -> None:
    """Nothing that could be summed is stored, so there is no sum to believe."""
    run = product.evaluated()
    path = store.add(run, "7.1")
    first, second, *others = to_bytes(run).decode().splitlines(keepends=True)
    for lines in ([with_key(first, key), second], [first, with_key(second, key)]):
        replace(remote, path, "".join([*lines, *others]).encode())
        found = store.find("sort", run.header.fingerprint)
        assert (found.runs, [damaged.path for damaged in found.damaged]) == ((), [path])
        assert "unknown key" in str(found.damaged[0].error)
    assert_unmoved(judged(product, store))


def with_key(line: str, key: str) -> str:
    return json.dumps({**json.loads(line), key: 0}) + "\n"


def test_121_scores_are_counted_from_the_records_each_time(product: Product, store: Store) -> None:
    """A cell that failed on main is one that failed, whatever else its record says of it."""
    true = product.evaluated()
    first, *others = true.records
    edited = first.model_copy(update={"cells": [first.cells[0].model_copy(update={"passed": False})]})
    store.add(Run(true.header, (edited, *others)), "7.1")
    (suite,) = judged(product, store).suites
    assert suite.base_stored
    assert suite.dimensions[0].base == Fraction(500, 6)


# --- 122: who wrote it ------------------------------------------------------------------------------------------------


def test_122_a_stored_run_says_where_it_comes_from(product: Product, store: Store) -> None:
    run = product.evaluated()
    store.add(run, "7.1")
    (stored,) = store.find("sort", run.header.fingerprint).runs
    header = stored.run.header
    assert (header.commit, header.event, header.repository) == (product.main.commit, "push", "octo/shop")
    assert (header.branch, header.version) == ("main", __version__)
    assert header.fingerprint == product.suite().fingerprint(product.suite().side(product.main).target)
    assert abs(written_at(header) - NOW) < timedelta(hours=1)
    assert f"/{header.commit}-7.1.jsonl" in stored.path


@pytest.mark.parametrize("key", ["suite", "commit", "version", "time", "event", "fingerprint"])
def test_122_a_run_that_does_not_say_it_is_damaged(product: Product, store: Store, remote: Git, key: str) -> None:
    run = failed(product.evaluated())
    path = store.add(run, "7.1")
    first, *others = to_bytes(run).decode().splitlines(keepends=True)
    less = {name: value for name, value in json.loads(first).items() if name != key}
    replace(remote, path, "".join([json.dumps(less) + "\n", *others]).encode())
    (damaged,) = store.find("sort", run.header.fingerprint).damaged
    assert f'"{key}" is missing' in str(damaged.error)
    assert_unmoved(judged(product, store))


@pytest.mark.parametrize("key", ["repository", "event"])
def test_122_a_run_that_leaves_its_writer_out_does_not_serve(product: Product, store: Store, key: str) -> None:
    store.add(but(failed(product.evaluated()), **{key: ""}), "7.1")
    assert_unmoved(judged(product, store))


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"runs/sort/FOLDER/{'0' * 40}-7.1.jsonl", "is named by another commit than it holds"),
        ("runs/other/FOLDER/COMMIT-7.1.jsonl", "lies in the folder of another suite"),
        (f"runs/sort/{'0' * 50}/COMMIT-7.1.jsonl", "lies in the folder of another fingerprint"),
    ],
)
def test_122_a_run_under_a_name_that_is_not_its_own_is_found(
    product: Product, store: Store, remote: Git, path: str, what: str
) -> None:
    run = product.evaluated()
    place = path.replace("FOLDER", run.header.fingerprint.folder).replace("COMMIT", str(run.header.commit))
    replace(remote, place, to_bytes(run))
    (checked,) = check(store.files(), lambda _: None, NOW)
    assert [problem.what for problem in checked.problems] == [what]


# --- 123: two writers, and who ends last ------------------------------------------------------------------------------


def test_123_an_older_run_that_ends_last_does_not_hide_a_newer_one(product: Product, store: Store) -> None:
    """What counts is when a run began, not when it was pushed."""
    old = product.evaluated()
    product.repo.write("notes.md", "x")
    product.repo.commit("main moves on")
    new = product.evaluated()
    earlier = (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    store.add(new, "8.1")
    store.add(but(failed(old), time=earlier), "7.1")
    (suite,) = judged(product, store).suites
    assert suite.base_header.commit == new.header.commit
    assert (suite.base_stored, suite.verdict) == (True, Verdict.REGRESSION)


def test_123_two_writers_at_once_lose_nothing(product: Product, store: Store) -> None:
    run = product.evaluated()
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda number: store.add(run, f"{number}.1"), range(4)))
    assert set(store.paths()) == paths
    assert len(paths) == 4


def test_123_what_is_pruned_while_others_write_is_all_that_goes(product: Product, store: Store) -> None:
    run = product.evaluated()
    old = store.add(run, "7.1")
    with ThreadPoolExecutor(4) as pool:
        gone = pool.submit(store.remove, [old])
        paths = set(pool.map(lambda number: store.add(run, f"{number}.1"), range(10, 13)))
        assert gone.result() == (old,)
    assert set(store.paths()) == paths


# --- 125: a bomb ------------------------------------------------------------------------------------------------------

BOMBS = {
    "depth": b"[" * 200_000,
    "depth in a key": b'{"format": ' * 5000,
    "a long number": b'{"repeats": ' + b"9" * 5000 + b"}",
    "gzip": gzip.compress(b"0" * 10_000_000),
    "one endless line": b'{"format": "' + b"x" * 3_000_000 + b'"}',
    "many empty lines": b"\n" * 300_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_125_a_bomb_is_a_damaged_file(product: Product, store: Store, remote: Git, name: str) -> None:
    run = product.evaluated()
    store.add(run, "7.1")
    replace(remote, f"runs/sort/{run.header.fingerprint.folder}/bomb.jsonl", BOMBS[name])
    found = store.find("sort", run.header.fingerprint)
    assert [stored.run for stored in found.runs] == [run]
    (damaged,) = found.damaged
    assert len(str(damaged.error)) < 2500
    assert judged(product, store).suites[0].base_stored


def test_125_a_file_larger_than_a_run_may_be_is_not_read(
    product: Product, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = product.evaluated()
    store.add(run, "7.1")
    monkeypatch.setattr("ci_eval.baseline.store._RUN_LIMIT", 500)
    (damaged,) = store.find("sort", run.header.fingerprint).damaged
    assert "is larger than" in str(damaged.error)


HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07.jsonl",
    "::set-output name=verdict::pass",
    "a\n::error::forged",
    "\u202egnp.exe",
    "<img src=x onerror=alert(1)>",
    b"\xff\xfe".decode("utf-8", "surrogateescape"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_125_the_names_of_files_are_encoded_wherever_they_are_told(
    product: Product, store: Store, remote: Git, name: str
) -> None:
    run = product.evaluated()
    replace(remote, f"runs/sort/{run.header.fingerprint.folder}/{name}", b"")
    (damaged,) = store.find("sort", run.header.fingerprint).damaged
    shown = f"{damaged.error}\n{told(judged(product, store))}"
    assert [part for part in TRICKS if part in shown] == []
    shown.encode()


TRICKS = ("\x1b", "\x07", "\u202e", "::error", "::set-output")
