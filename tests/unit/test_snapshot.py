"""Files at a commit: what is found, what is followed, what is refused, whatever stands in the tree."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from repo import Repo

from ci_eval import snapshot
from ci_eval.errors import InputError
from ci_eval.snapshot import Snapshot, changed_paths, matches


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        act()
    return str(caught.value)


class TestReading:
    def test_what_was_committed_and_not_what_lies_there_now(self, repo: Repo) -> None:
        repo.write("a/b.txt", "committed")
        at = repo.at()
        repo.write("a/b.txt", "changed since")
        assert at.read("a/b.txt") == b"committed"
        assert at.has("a/b.txt")

    def test_an_old_commit_still_has_its_files(self, repo: Repo) -> None:
        repo.write("a", "1")
        first = repo.at()
        repo.delete("a")
        second = repo.at()
        assert (first.read("a"), second.has("a"), second.oid("a")) == (b"1", False, None)

    @pytest.mark.parametrize("path", ["b", "a/", "/a/b", "a//b", "a/../a/b", "./a/b", "../x", "", ".", "a/b/c"])
    def test_a_path_that_names_no_file(self, repo: Repo, path: str) -> None:
        repo.write("a/b", "x")
        at = repo.at()
        assert not at.has(path)
        assert "is not in the repository; correct the path or add the file" in refusal(lambda: at.read(path))

    def test_a_folder_is_no_file(self, repo: Repo) -> None:
        repo.write("a/b", "x")
        assert "a: is a folder; name a file" in refusal(lambda: repo.at().read("a"))

    def test_too_large(self, repo: Repo) -> None:
        repo.write("a", b"x" * (2**20 + 1))
        at = repo.at()
        assert refusal(lambda: at.read("a", limit=2**20)) == "a: is larger than 1 MiB; make it smaller"
        assert len(at.read("a")) == 2**20 + 1

    def test_an_lfs_pointer(self, repo: Repo) -> None:
        repo.write("a", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        at = repo.at()
        assert refusal(lambda: at.read("a")) == "a: is a Git LFS pointer; store the file itself in git"

    def test_a_submodule(self, repo: Repo) -> None:
        repo.stage("160000", "1" * 40, "vendor")
        at = snapshot.at_commit(repo.git, repo.commit(add=False))
        assert refusal(lambda: at.read("vendor")) == "vendor: is a submodule or a special file; name a regular file"

    def test_a_commit_that_is_not_there(self, repo: Repo) -> None:
        repo.commit()
        message = refusal(lambda: snapshot.at_commit(repo.git, "1" * 40))
        assert message == "the checkout does not hold commit 111111111111; check out with fetch-depth: 0"

    def test_an_object_that_was_left_out_of_the_clone(self, repo: Repo) -> None:
        """A partial clone: nothing is fetched behind the user's back."""
        repo.write("a", "x")
        at = repo.at()
        oid = at.entries["a"].oid
        (repo.git.git_dir / "objects" / oid[:2] / oid[2:]).unlink()
        assert refusal(lambda: at.read("a")) == "a: is not in the object store; check out with fetch-depth: 0"


class TestLinks:
    def test_are_followed_within_the_repository(self, repo: Repo) -> None:
        repo.write("real/deep/x", "content")
        repo.symlink("one", "real/deep/x")
        repo.symlink("two", "./one")
        repo.symlink("folder", "real")
        repo.symlink("real/up", "../one")
        at = repo.at()
        for path in ("one", "two", "folder/deep/x", "folder/up", "real/up"):
            assert at.read(path) == b"content"
            assert at.oid(path) == at.entries["real/deep/x"].oid
        assert at.closure("two") == ("two", "one", "real/deep/x")
        assert at.closure("folder/up") == ("folder", "real/up", "one", "real/deep/x")

    def test_lead_where_the_file_system_would(self, repo: Repo) -> None:
        """`link/..` is the parent of what the link points to, not of the link."""
        repo.write("far/away/here", "")
        repo.write("far/x", "right")
        repo.write("x", "wrong")
        repo.symlink("jump", "far/away")
        repo.symlink("prompt", "jump/../x")
        at = repo.at()
        assert at.read("prompt") == (repo.folder / "prompt").read_bytes() == b"right"
        assert at.closure("prompt") == ("prompt", "jump", "far/x")

    def test_to_a_folder_stand_for_all_that_is_in_it(self, repo: Repo) -> None:
        repo.write("real/a", "")
        repo.write("real/sub/b", "")
        repo.write("other/c", "")
        repo.symlink("real/more", "../other")
        repo.symlink("link", "real")
        assert set(repo.at().closure("link")) == {
            "link", "real", "real/a", "real/sub/b", "real/more", "other", "other/c"
        }  # fmt: skip

    @pytest.mark.parametrize(
        "target",
        [
            "/etc/passwd",
            "../outside",
            "a/../../outside",
            "../../../../../../etc/passwd",
            "/proc/self/environ",
            "..",
            "sub/../../x",
        ],
    )
    def test_that_leave_it_are_refused(self, repo: Repo, target: str) -> None:
        repo.symlink("link", target)
        at = repo.at()
        message = "link: is a link that leaves the repository; replace it by the file"
        assert [refusal(lambda: at.read("link")), refusal(lambda: at.closure("link"))] == [message, message]

    @pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b/x", "b": "a/x"}, {"a": "./a/a"}])
    def test_in_a_circle_are_refused(self, repo: Repo, links: dict[str, str]) -> None:
        for path, target in links.items():
            repo.symlink(path, target)
        at = repo.at()
        assert "is a link that leads in a circle; replace it by the file" in refusal(lambda: at.read("a"))

    def test_that_double_at_each_step_end(self, repo: Repo) -> None:
        for number in range(30):
            repo.symlink(f"l{number}", f"l{number + 1}/l{number + 1}")
        at = repo.at()
        assert "in a circle" in refusal(lambda: at.read("l0"))

    def test_to_nowhere(self, repo: Repo) -> None:
        repo.symlink("link", "missing")
        at = repo.at()
        assert not at.has("link")
        assert at.closure("link") == ("link", "missing")

    def test_that_a_pattern_leads_through(self, repo: Repo) -> None:
        repo.write("real/a.jsonl", "")
        repo.symlink("data", "real")
        repo.symlink("elsewhere", "/usr")
        at = repo.at()
        assert at.links_on("data/*.jsonl") == at.links_on("d?ta/a.jsonl") == at.links_on("DATA/a.jsonl") == ["data"]
        assert at.links_on("**/*.jsonl") == at.links_on("data") == at.links_on("real/*") == []


class TestTheWorkTree:
    def test_is_what_lies_there(self, repo: Repo) -> None:
        for name in ("same", "changed", "deleted", "to_link", "to_folder", "staged"):
            repo.write(name, "1")
        repo.write(".gitignore", "ignored\n")
        repo.commit()
        repo.write("changed", "22")
        repo.write("new", "3")
        repo.write("ignored", "4")
        repo.write("staged", "5")
        repo.git.run("add", "staged")
        repo.write("staged", "66")
        repo.delete("deleted")
        repo.symlink("to_link", "changed")
        repo.delete("to_folder")
        repo.write("to_folder/inside", "7")
        at = snapshot.of_work_tree(repo.git)
        names = [".gitignore", "changed", "new", "same", "staged", "to_folder/inside", "to_link"]
        assert sorted(at.entries) == names
        assert [at.read(name) for name in names[1:]] == [b"22", b"3", b"1", b"66", b"7", b"22"]
        assert at.commit is None

    def test_is_not_touched(self, repo: Repo) -> None:
        repo.write("a", "1")
        repo.commit()
        repo.write("a", "2")
        repo.write("b", "3")
        before = (repo.git.git_dir / "index").read_bytes()
        snapshot.of_work_tree(repo.git)
        assert (repo.git.git_dir / "index").read_bytes() == before
        assert repo.git.run("status", "--porcelain") == b" M a\n?? b\n"

    def test_a_file_that_became_a_pipe_is_gone(self, repo: Repo) -> None:
        """And nobody waits for what comes out of it."""
        repo.write("a", "1")
        repo.commit()
        repo.delete("a")
        os.mkfifo(repo.folder / "a")
        os.mkfifo(repo.folder / "b")
        assert list(snapshot.of_work_tree(repo.git).entries) == []

    def test_a_file_behind_a_new_link_is_gone(self, repo: Repo, tmp_path: Path) -> None:
        repo.write("folder/secret", "mine")
        repo.commit()
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("not the repository's")
        repo.delete("folder/secret")
        (repo.folder / "folder").rmdir()
        repo.symlink("folder", str(outside))
        at = snapshot.of_work_tree(repo.git)
        assert list(at.entries) == ["folder"]
        assert "leaves the repository" in refusal(lambda: at.read("folder/secret"))

    def test_the_mode_of_a_script(self, repo: Repo) -> None:
        repo.write("run", "1")
        (repo.folder / "run").chmod(0o755)
        assert snapshot.of_work_tree(repo.git).entries["run"].mode == "100755"

    def test_names_of_any_kind(self, repo: Repo) -> None:
        names = [
            b"new\nline",
            b'quo"te',
            b"tab\t",
            b"\xff\xfe",
            "é".encode(),
            b" lead",
            b"-option",
            b"back\\slash",
            b"*",
        ]
        for name in names[:4]:
            repo.write(name, "committed")
        repo.commit()
        for name in names:
            repo.write(name, name)
        at = snapshot.of_work_tree(repo.git)
        assert {os.fsencode(path) for path in at.entries} == set(names)
        assert all(at.read(os.fsdecode(name)) == name for name in names)


class TestChangedPaths:
    def test_by_mode_and_object(self, repo: Repo) -> None:
        for name in ("same", "content", "mode", "kind", "gone"):
            repo.write(name, "x")
        before = repo.at()
        repo.write("content", "y")
        (repo.folder / "mode").chmod(0o755)
        repo.symlink("kind", "x")
        repo.delete("gone")
        repo.write("new", "x")
        assert changed_paths(before, repo.at()) == ["content", "gone", "kind", "mode", "new"]


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "path", "expected"),
        [
            ("a/b.md", "a/b.md", True),
            ("a/b.md", "a/bxmd", False),
            ("a/*.md", "a/b.md", True),
            ("a/*.md", "a/.md", True),
            ("a/*.md", "a/c/b.md", False),
            ("a/**", "a/b/c", True),
            ("a/**", "a", False),
            ("a/**/c", "a/c", True),
            ("a/**/c", "a/b/b/c", True),
            ("a/**/c", "a/bc", False),
            ("**/c", "c", True),
            ("**/c", "bc", False),
            ("**", "anything/at\nall", True),
            ("a?c", "abc", True),
            ("a?c", "a/c", False),
            ("a?c", "aéc", True),
            ("a?c", "a\U0001f600c", True),
            ("a?c", "abbc", False),
            ("a[b]c", "a[b]c", True),
            ("a[b]c", "abc", False),
            ("{a,b}", "a", False),
            ("a+(b|c).$^", "a+(b|c).$^", True),
            ("A/B.MD", "a/b.md", True),
            ("prompts/é.md", "prompts/e\u0301.md", True),
            ("straße", "STRASSE", True),
            ("a*", "a\nb", True),
            ("*.md", os.fsdecode(b"\xff.md"), True),
            ("a", "a\n", False),
        ],
    )
    def test_which_paths(self, pattern: str, path: str, expected: bool) -> None:
        assert matches(pattern, path) is expected

    @given(
        st.lists(st.sampled_from(["a", "b", "/", "*", "**", "**/", "?", ".", "é", "\n", "[", "+"]), max_size=7),
        st.text("ab/.éA\n[+", max_size=8),
    )
    @example(["**/", "a"], "b/a")
    def test_as_a_plain_reading_of_the_rules(self, parts: list[str], path: str) -> None:
        pattern = "".join(parts)
        folded = [unicodedata.normalize("NFC", text).casefold() for text in (pattern, path)]
        assert matches(pattern, path) is (plainly(pattern, path) or plainly(*folded))

    def test_no_pattern_takes_long(self) -> None:
        assert not matches("*a" * 120 + "b", "a" * 4000)
        assert not matches("**/" * 90 + "b", "a/" * 2000)


def plainly(pattern: str, path: str) -> bool:
    """The rules, read from left to right by somebody with time."""
    if not pattern:
        return not path
    star = re.match(r"\*\*/|\*\*|\*|\?", pattern)
    if star is None:
        return path[:1] == pattern[0] and plainly(pattern[1:], path[1:])
    rest = pattern[star.end() :]
    ends = {
        "**/": [0, *(at + 1 for at, char in enumerate(path) if char == "/" and whole_folders(path[: at + 1]))],
        "**": list(range(len(path) + 1)),
        "*": list(range((path + "/").index("/") + 1)),
        "?": [1] if path[:1] not in {"", "/"} else [],
    }[star.group()]
    return any(plainly(rest, path[end:]) for end in ends)


def whole_folders(path: str) -> bool:
    return "" not in path.split("/")[:-1]


def test_a_snapshot_asks_git_once_for_a_file(repo: Repo) -> None:
    repo.write("a", "x")
    at = repo.at()
    at.read("a")
    (repo.git.git_dir / "objects").rename(repo.git.git_dir / "objects-gone")
    assert at.read("a") == b"x"
    assert isinstance(at, Snapshot)
