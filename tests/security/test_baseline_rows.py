"""Rows 117-120 of the threat model: which stored runs may stand for main. Each test is named by its row.

The attack is always the same: a run in which main fails everything, so that nothing could be worse. Trusted, it turns
the regression into a pass; `test_a_forged_run_would_pass` shows that it does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gated import ROWS, WORSE, Product, rows
from repo import Repo

from ci_eval.base_run import Baselines
from ci_eval.baseline import WRITERS, Store, StoreError, Trust
from ci_eval.config import Config
from ci_eval.git import Git, Remote
from ci_eval.outcome import GateOutcome
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
        ("ci-eval.yaml", "field: topic}", "field: topic, ignore_case: true}"),
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
