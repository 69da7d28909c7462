"""The baseline store, on real bare repositories."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from making import fingerprint, header, record, run

from ci_eval.baseline.store import WRITERS, Damaged, Found, Store, StoredRun, StoreError, Trust
from ci_eval.git import Git, GitError, Remote
from ci_eval.records import Run, to_bytes

BRANCH = "ci-eval-baselines"


@pytest.fixture
def bare(tmp_path: Path) -> Git:
    return Git.create(tmp_path / "remote", bare=True)


@pytest.fixture
def store(bare: Git) -> Store:
    return store_at(bare.git_dir)


def store_at(folder: Path) -> Store:
    return Store(Remote(str(folder), protocols="file"), BRANCH)


def numbered(number: int) -> Run:
    return run(record(f"case-{number}"), commit=f"{number:040x}", time=f"2026-05-04T08:30:{number:02}Z")


def put(bare: Git, path: str, content: bytes, mode: str = "100644") -> None:
    """Somebody writes a file into the branch by hand."""
    blob = bare.write_blob(content)
    index = {"GIT_INDEX_FILE": str(bare.git_dir / "by-hand")}
    tip = bare.find(f"refs/heads/{BRANCH}")
    bare.run("read-tree", tip or "--empty", extra=index)
    bare.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", extra=index)
    tree = bare.run("write-tree", extra=index).decode().strip()
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    parents = ["-p", tip] if tip else []
    commit = bare.run("commit-tree", *parents, "-m", "by hand", tree, extra=who).decode().strip()
    bare.run("update-ref", f"refs/heads/{BRANCH}", commit)


# --- writing and finding ----------------------------------------------------------------------------------------------


def test_a_branch_that_is_not_there_holds_nothing(store: Store) -> None:
    assert store.find("s", fingerprint()) == Found()
    assert store.paths() == []


def test_what_is_stored_is_found_newest_first(store: Store) -> None:
    runs = [numbered(number) for number in (2, 3, 1)]
    paths = [store.add(one, f"7.{number}") for number, one in enumerate(runs)]
    found = store.find("s", fingerprint()).runs
    assert [stored.run for stored in found] == [runs[1], runs[0], runs[2]]
    assert sorted(stored.path for stored in found) == sorted(paths) == store.paths()


@pytest.mark.parametrize("other", [fingerprint("d"), fingerprint(golden="d"), fingerprint(scorers="d")])
def test_only_runs_of_the_same_inputs_are_found(store: Store, other: object) -> None:
    store.add(run(fingerprint=other), "7.1")
    assert store.find("s", fingerprint()) == Found()


def test_only_runs_of_the_same_suite_are_found(store: Store) -> None:
    store.add(run(suite="other"), "7.1")
    assert store.find("s", fingerprint()) == Found()
    assert len(store.find("other", fingerprint()).runs) == 1


def test_a_run_that_shares_the_folder_but_not_the_fingerprint_does_not_serve(store: Store, bare: Git) -> None:
    """A folder is named by 16 digits of each digest; all 64 are compared."""
    near = fingerprint().model_copy(update={"golden": "b" * 63 + "c"})
    assert near.folder == fingerprint().folder
    put(bare, f"runs/s/{near.folder}/x.jsonl", to_bytes(run(fingerprint=near)))
    assert store.find("s", fingerprint()) == Found()


def test_the_store_is_a_branch_of_its_own_that_only_grows(store: Store, bare: Git) -> None:
    for number in range(3):
        store.add(numbered(number), "7.1")
    history = bare.run("rev-list", f"refs/heads/{BRANCH}").split()
    assert len(history) == 3
    assert bare.find("refs/heads/main") is None
    assert bare.run("log", "-1", "--format=%an <%ae>", f"refs/heads/{BRANCH}") == (
        b"ci-eval <ci-eval@users.noreply.github.com>\n"
    )


def test_a_working_tree_has_no_baseline(store: Store) -> None:
    with pytest.raises(StoreError, match="only a commit"):
        store.add(run(commit=None), "7.1")


def test_storing_again_what_is_stored_changes_nothing(store: Store, bare: Git) -> None:
    """As when a push went through and its answer was lost."""
    path = store.add(numbered(1), "7.1")
    tip = bare.commit(f"refs/heads/{BRANCH}")
    assert store.add(numbered(1), "7.1") == path
    assert bare.commit(f"refs/heads/{BRANCH}") == tip


def test_a_stored_run_is_never_overwritten(store: Store) -> None:
    store.add(run(record("a")), "7.1")
    with pytest.raises(StoreError, match="never change"):
        store.add(run(record("b")), "7.1")
    (stored,) = store.find("s", fingerprint()).runs
    assert stored.run == run(record("a"))


def test_a_run_too_large_to_be_read_is_not_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_eval.baseline.store._RUN_LIMIT", 500)
    with pytest.raises(StoreError, match="lower max_tokens"):
        store.add(run(*(record(f"case-{number}") for number in range(9))), "7.1")
    assert store.paths() == []


def test_every_file_of_the_store_is_read_the_damaged_ones_too(store: Store, bare: Git) -> None:
    path = store.add(numbered(1), "7.1")
    put(bare, "README.md", b"# mine\n")
    assert [(type(file), file.path) for file in store.files()] == [(Damaged, "README.md"), (StoredRun, path)]


# --- several at once --------------------------------------------------------------------------------------------------


def _add(folder: Path, number: int) -> str:
    return store_at(folder).add(numbered(number), f"{number}.1")


def test_two_processes_write_at_once_and_both_are_kept(store: Store, bare: Git) -> None:
    store.add(numbered(0), "0.1")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        paths = set(pool.map(_add, [bare.git_dir] * 4, range(1, 5)))
    assert {stored.path for stored in store.find("s", fingerprint()).runs} >= paths
    assert len(store.paths()) == 5


def test_of_twenty_writers_at_once_none_is_lost(store: Store, bare: Git) -> None:
    """The branch does not exist yet: the first of them makes it."""
    with ThreadPoolExecutor(20) as pool:
        paths = set(pool.map(_add, [bare.git_dir] * 20, range(20)))
    assert set(store.paths()) == paths
    assert len(paths) == 20
    assert len(bare.run("rev-list", f"refs/heads/{BRANCH}").split()) == 20


# --- taking out -------------------------------------------------------------------------------------------------------


def test_what_is_taken_out_is_gone_and_stays_in_the_history(store: Store, bare: Git) -> None:
    old, new = store.add(numbered(1), "1.1"), store.add(numbered(2), "2.1")
    before = bare.commit(f"refs/heads/{BRANCH}")
    assert store.remove([old, "runs/not/there.jsonl"]) == (old,)
    assert store.paths() == [new]
    assert bare.parents(bare.commit(f"refs/heads/{BRANCH}")) == (before,)


def test_taking_out_nothing_writes_nothing(store: Store, bare: Git) -> None:
    assert store.remove(["x"]) == ()
    store.add(numbered(1), "1.1")
    tip = bare.commit(f"refs/heads/{BRANCH}")
    assert store.remove([]) == store.remove(["runs"]) == ()
    assert bare.commit(f"refs/heads/{BRANCH}") == tip


def test_a_store_can_be_emptied_and_filled_again(store: Store) -> None:
    path = store.add(numbered(1), "1.1")
    store.remove([path])
    assert store.paths() == []
    assert store.add(numbered(1), "1.1") == path


@pytest.mark.parametrize(
    "name", ["a\tb", "a\nb", "ü", b"\xff.jsonl".decode("utf-8", "surrogateescape"), "-x", ":(glob)*", "*"]
)
def test_a_file_of_any_name_can_be_taken_out_and_no_other_goes_with_it(store: Store, bare: Git, name: str) -> None:
    path = store.add(numbered(1), "1.1")
    put(bare, f"runs/{name}", b"x")
    assert store.remove([f"runs/{name}"]) == (f"runs/{name}",)
    assert store.paths() == [path]


def test_what_others_write_while_files_are_taken_out_stays(store: Store, bare: Git) -> None:
    old = [store.add(numbered(number), "1.1") for number in range(6)]
    with ThreadPoolExecutor(8) as pool:
        gone = [pool.submit(store.remove, [path]) for path in old]
        written = set(pool.map(_add, [bare.git_dir] * 6, range(10, 16)))
        assert [done.result() for done in gone] == [(path,) for path in old]
    assert set(store.paths()) == written


def test_two_that_take_out_the_same_files_agree(store: Store) -> None:
    paths = [store.add(numbered(number), "1.1") for number in range(3)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(store.remove, [paths[:2], paths[:2]]))
    assert store.paths() == paths[2:]


# --- a store that cannot be read is not an empty one ------------------------------------------------------------------

DAMAGE = (
    b"",
    b"\n",
    b"<html><body>404 Not Found</body></html>",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    to_bytes(run(record("a"), record("b")))[:-9],
    to_bytes(run(record("a"))).replace(b'"score":1', b'"score":NaN'),
    to_bytes(run(record("a"), record("a", repeat=1))).replace(b'"repeat":1', b'"repeat":0'),
    to_bytes(run()).replace(b"2026-05-04", b"2026-99-99"),
    b"\xff\xfe" + to_bytes(run()),
    b"[" * 100_000,
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_told_and_hides_none_of_the_good_ones(store: Store, bare: Git, damage: bytes) -> None:
    store.add(numbered(1), "7.1")
    put(bare, f"runs/s/{fingerprint().folder}/damaged.jsonl", damage)
    found = store.find("s", fingerprint())
    assert [stored.run for stored in found.runs] == [numbered(1)]
    (damaged,) = found.damaged
    assert damaged.path.endswith("/damaged.jsonl")
    assert str(damaged.error).startswith(damaged.path)


def test_a_link_in_the_store_is_damage(store: Store, bare: Git) -> None:
    """It could lead to a run of other inputs, or make one run count twice."""
    path = store.add(numbered(1), "7.1")
    put(bare, f"runs/s/{fingerprint().folder}/link.jsonl", path.rpartition("/")[2].encode(), mode="120000")
    found = store.find("s", fingerprint())
    assert [stored.path for stored in found.runs] == [path]
    assert "is not a plain file" in str(found.damaged[0].error)


def test_a_copy_of_a_run_counts_once(store: Store, bare: Git) -> None:
    store.add(numbered(1), "7.1")
    put(bare, f"runs/s/{fingerprint().folder}/copy.jsonl", to_bytes(numbered(1)))
    assert len(store.find("s", fingerprint()).runs) == 1


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "gone", tmp_path / "empty"):
        with pytest.raises(StoreError, match="cannot be read"):
            store_at(folder).find("s", fingerprint())
        with pytest.raises(StoreError, match="cannot be read"):
            store_at(folder).add(run(), "7.1")


def test_a_branch_whose_objects_are_gone_is_an_error(store: Store, bare: Git) -> None:
    store.add(numbered(1), "7.1")
    for pack in (bare.git_dir / "objects").glob("??/*"):
        pack.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        store.find("s", fingerprint())


def test_a_branch_that_is_no_commit_is_an_error(store: Store, bare: Git) -> None:
    (bare.git_dir / "refs" / "heads" / BRANCH).write_text("0" * 39 + "1\n")
    with pytest.raises(StoreError):
        store.find("s", fingerprint())


def test_a_protocol_that_was_not_allowed_is_not_spoken(bare: Git) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        Store(Remote(str(bare.git_dir)), BRANCH).find("s", fingerprint())


def test_a_branch_rule_is_told_at_once_and_not_tried_forty_times(store: Store, bare: Git, tmp_path: Path) -> None:
    counted = tmp_path / "pushes"
    hook = bare.git_dir / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text(f'#!/bin/sh\necho push >> "{counted}"\necho "protected branch" >&2\nexit 1\n')
    hook.chmod(0o755)
    with pytest.raises(StoreError, match="cannot be written"):
        store.add(run(), "7.1")
    assert counted.read_text().count("push") == 1


@pytest.mark.parametrize("run_id", ["x/../../y", "/../../../y", "/.git/config", "/./x"])
def test_names_that_lead_out_of_the_store_are_refused_by_git(store: Store, run_id: str) -> None:
    with pytest.raises(GitError, match="update-index"):
        store.add(run(), run_id)
    assert store.paths() == []


# --- trust ------------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 5, 10, 8, 30, tzinfo=UTC)
TRUST = Trust(WRITERS, "octo/shop", timedelta(days=14), NOW)


@pytest.mark.parametrize("event", sorted(WRITERS))
def test_runs_of_main_are_trusted(event: str) -> None:
    assert TRUST.objection(run(event=event)) is None


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "merge_group", "issue_comment", "local", ""])
def test_runs_of_other_events_are_not(event: str) -> None:
    assert TRUST.objection(run(event=event)) is not None


@pytest.mark.parametrize("repository", ["octo/shop2", "fork/shop", "", "OCTO/shop", "octo/shop/"])
def test_runs_of_other_repositories_are_not(repository: str) -> None:
    assert TRUST.objection(run(repository=repository)) == "it was written by another repository"


@pytest.mark.parametrize("repository", ["octo/shop", "", "fork/shop"])
def test_in_ones_own_clone_a_run_of_any_repository_serves(repository: str) -> None:
    """GitHub's runs are there after a fetch, beside those that the laptop made itself."""
    anywhere = Trust(WRITERS, None, timedelta(days=14), NOW)
    assert anywhere.objection(run(repository=repository)) is None


@pytest.mark.parametrize(
    ("age", "serves"),
    [
        (timedelta(0), True),
        (timedelta(days=14), True),
        (timedelta(days=14, seconds=1), False),
        (timedelta(minutes=-10), True),
        (timedelta(minutes=-10, seconds=-1), False),
        (timedelta(days=-3650), False),
    ],
)
def test_a_run_serves_for_its_time_and_not_from_the_future(age: timedelta, serves: bool) -> None:
    time = (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (TRUST.objection(run(time=time)) is None) is serves


def test_a_header_says_where_a_run_comes_from() -> None:
    assert header().event in WRITERS
