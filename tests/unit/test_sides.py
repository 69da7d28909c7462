"""Which two snapshots are compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo import Repo

from ci_eval import sides
from ci_eval.errors import InputError, UsageError
from ci_eval.git import Git, GitError, MergeConflict


def diverged(repo: Repo) -> tuple[str, str]:
    """`main` and `topic`, each with a file of its own; returns their tips. `topic` is checked out."""
    repo.write("shared", "1")
    repo.commit()
    repo.branch("topic")
    repo.write("theirs", "1")
    head = repo.commit()
    repo.checkout("main")
    repo.write("ours", "1")
    base = repo.commit()
    repo.checkout("topic")
    return base, head


def merged(repo: Repo) -> tuple[str, str, str]:
    """As GitHub merges: main's tip is the first parent, the pull request's head the second."""
    base, head = diverged(repo)
    repo.checkout("main")
    repo.git.run("merge", "--quiet", "--no-ff", "-m", "merge", head)
    return repo.git.commit("HEAD"), base, head


class TestAPullRequest:
    def test_is_its_merge_against_the_first_parent(self, repo: Repo) -> None:
        merge, base, head = merged(repo)
        found = sides.of_merge_commit(repo.git, merge, head)
        assert (found.base.commit, found.candidate.commit) == (base, merge)
        assert sorted(found.base.entries) == ["ours", "shared"]
        assert sorted(found.candidate.entries) == ["ours", "shared", "theirs"]

    def test_another_head_than_the_events_is_refused(self, repo: Repo) -> None:
        """`ref:` in the checkout, or a push that came in between."""
        merge, base, head = merged(repo)
        for commit, claimed in ((merge, base), (merge, "1" * 40), (head, head), (base, head)):
            with pytest.raises(InputError, match="does not belong to the pull request's head; let actions/checkout"):
                sides.of_merge_commit(repo.git, commit, claimed)

    def test_a_merge_of_three_is_refused(self, repo: Repo) -> None:
        merge, base, head = merged(repo)
        tree = repo.git.run("rev-parse", f"{merge}^{{tree}}").decode().strip()
        octopus = repo.git.run("commit-tree", tree, "-p", base, "-p", head, "-p", merge, "-m", "x").decode().strip()
        with pytest.raises(InputError, match="does not belong"):
            sides.of_merge_commit(repo.git, octopus, head)

    def test_a_merge_that_is_not_in_the_checkout(self, repo: Repo) -> None:
        _, head = diverged(repo)
        with pytest.raises(InputError, match=r"does not hold the pull request's merge commit; .*fetch-depth: 0"):
            sides.of_merge_commit(repo.git, "1" * 40, head)

    def test_a_shallow_checkout_says_what_to_do(self, repo: Repo, tmp_path: Path) -> None:
        merge, _, head = merged(repo)
        shallow = Git.create(tmp_path / "shallow")
        local = Git(shallow.git_dir, None, "file")
        local.run("fetch", "--quiet", "--depth=1", "--", f"file://{repo.git.git_dir}", merge)
        with pytest.raises(InputError, match="fetch-depth: 0"):
            sides.of_merge_commit(local, merge, head)


class TestAMergeGroup:
    def test_is_its_head_on_its_own_base(self, repo: Repo) -> None:
        """The base may be the group before it in the queue, which main does not hold yet."""
        merge, base, head = merged(repo)
        found = sides.of_merge_group(repo.git, head, merge)
        assert (found.base.commit, found.candidate.commit) == (head, merge)
        assert sides.of_merge_group(repo.git, base, merge).base.commit == base

    def test_with_a_base_that_is_not_below_it_is_refused(self, repo: Repo) -> None:
        merge, base, head = merged(repo)
        for pair in ((merge, head), (base, head), (merge, merge), ("1" * 40, merge), (base, "1" * 40)):
            with pytest.raises(InputError, match=r"built on its base; .*fetch-depth: 0"):
                sides.of_merge_group(repo.git, *pair)


class TestAPullRequestByNumber:
    def test_is_merged_without_a_checkout(self, repo: Repo) -> None:
        base, head = diverged(repo)
        before = sorted(path.name for path in repo.folder.iterdir())
        found = sides.of_merge(repo.git, base, head)
        assert (found.base.commit, found.candidate.commit) == (base, head)
        assert sorted(found.candidate.entries) == ["ours", "shared", "theirs"]
        assert sorted(path.name for path in repo.folder.iterdir()) == before

    def test_a_conflict_is_inconclusive(self, repo: Repo) -> None:
        base, _ = diverged(repo)
        repo.write("ours", "2")
        with pytest.raises(MergeConflict, match="merge main first") as caught:
            sides.of_merge(repo.git, base, repo.commit())
        assert caught.value.exit_code == 3

    def test_a_commit_that_is_not_there_is_no_conflict(self, repo: Repo) -> None:
        base, _ = diverged(repo)
        with pytest.raises(GitError, match="fetch-depth"):
            sides.of_merge(repo.git, base, "1" * 40)

    def test_histories_that_never_met_are_no_conflict(self, repo: Repo) -> None:
        base = repo.commit()
        repo.git.run("checkout", "--quiet", "--orphan", "other")
        with pytest.raises(GitError, match="unrelated histories"):
            sides.of_merge(repo.git, base, repo.commit("another beginning"))


class TestALaptop:
    def test_compares_the_work_tree_with_where_the_branch_left_main(self, repo: Repo) -> None:
        diverged(repo)
        repo.write("theirs", "2")
        repo.write("new", "1")
        found = sides.on_laptop(repo.git, None, None)
        assert sorted(found.base.entries) == ["shared"]
        assert found.candidate.read("theirs") == b"2"
        assert found.candidate.has("new")
        assert found.candidate.commit is None

    def test_compares_the_commits_that_are_named(self, repo: Repo) -> None:
        base, head = diverged(repo)
        repo.write("theirs", "not committed")
        found = sides.on_laptop(repo.git, "main", "topic")
        assert (found.base.commit, found.candidate.commit) == (repo.git.merge_base(base, head), head)
        assert found.candidate.read("theirs") == b"1"

    @pytest.mark.parametrize("name", ["refs/remotes/origin/main", "refs/remotes/origin/master", "refs/heads/master"])
    def test_finds_the_default_branch(self, repo: Repo, name: str) -> None:
        repo.write("a", "1")
        main = repo.commit()
        repo.branch("topic")
        repo.git.run("branch", "--quiet", "-D", "main")
        repo.git.run("update-ref", name, main)
        repo.write("a", "2")
        repo.commit()
        assert sides.on_laptop(repo.git, None, None).base.commit == main

    def test_the_remotes_main_comes_before_a_stale_local_one(self, repo: Repo) -> None:
        repo.commit()
        repo.branch("topic")
        repo.write("a", "1")
        newer = repo.commit()
        repo.git.run("update-ref", "refs/remotes/origin/main", newer)
        assert sides.on_laptop(repo.git, None, None).base.commit == newer

    @pytest.mark.parametrize("ref", ["nope", "--output=pwned", "-h", "HEAD:a", "HEAD^{tree}", "a b", "1" * 40, "@{u}"])
    def test_a_ref_that_is_no_commit(self, repo: Repo, ref: str) -> None:
        repo.write("a", "1")
        repo.commit()
        with pytest.raises(UsageError, match="name a branch, a tag or a commit that this clone holds"):
            sides.on_laptop(repo.git, "main", ref)
        assert not (repo.folder / "pwned").exists()

    def test_a_repository_without_main(self, repo: Repo) -> None:
        repo.commit()
        repo.git.run("branch", "--quiet", "-m", "trunk")
        with pytest.raises(UsageError, match="name one with --base"):
            sides.on_laptop(repo.git, None, None)

    def test_a_repository_without_a_commit(self, repo: Repo) -> None:
        with pytest.raises(UsageError):
            sides.on_laptop(repo.git, None, None)

    def test_histories_that_never_met(self, repo: Repo) -> None:
        repo.commit()
        repo.git.run("checkout", "--quiet", "--orphan", "other")
        repo.commit("another beginning")
        with pytest.raises(UsageError, match="share no history"):
            sides.on_laptop(repo.git, "main", None)


class TestWhereTheRepositoryIs:
    def test_from_within_a_folder(self, repo: Repo) -> None:
        repo.write("a/b/c", "")
        found = Git.discover(repo.folder / "a" / "b")
        assert (found.work_tree, found.git_dir) == (repo.folder.resolve(), repo.git.git_dir.resolve())

    def test_a_folder_of_any_name(self, tmp_path: Path) -> None:
        inner = Repo(tmp_path / "odd \u2028 näme")
        assert Git.discover(inner.folder).work_tree == inner.folder.resolve()

    def test_outside_of_any(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="run ci-eval inside a repository, or name one with --repo"):
            Git.discover(tmp_path)
