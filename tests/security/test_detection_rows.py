"""Rows 33-39 of the threat model: no change gets out of sight. Each test is named by its row."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable

import pytest
from repo import Repo

from ci_eval import config, snapshot
from ci_eval.changes import detect
from ci_eval.errors import InputError
from ci_eval.snapshot import Snapshot

POLICY = """\
version: 1
providers: {local: {api: local}}
suites:
  s:
    target: {prompt: prompts/system.md, model: model.yaml}
    datasets: [data/*.jsonl]
    watch: [src/**]
    golden: golden.jsonl
    scorers: [{type: exact}]
"""
ROW = '{"input": "a", "output": "b"}\n'


@pytest.fixture
def main(repo: Repo) -> Snapshot:
    """A prompt, a model config, a dataset and a watched folder."""
    repo.write("ci-eval.yaml", POLICY)
    repo.write("prompts/system.md", "Sort the message into one of the labels.\n" * 20)
    repo.write("model.yaml", "provider: local\nmodel: minilm\n")
    repo.write("data/tune.jsonl", ROW * 20)
    repo.write("src/app.py", "import this\n" * 20)
    repo.write("golden.jsonl", '{"id": "a", "input": "b"}\n')
    repo.write("elsewhere.txt", "nothing that counts\n" * 20)
    return repo.at()


def touched(base: Snapshot, head: Snapshot) -> set[str]:
    """The paths of the subject that a gate would judge."""
    changes = detect(base, head, config.load(base), config.load(head))
    return {change.path for suite in changes.affected() for change in suite.subject}


# --- 33: rename out of the watched folder -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("prompts/system.md", "archive/system.md"),
        ("data/tune.jsonl", "data/deep/tune.jsonl"),
        ("data/tune.jsonl", "data/tune.json"),
        ("src/app.py", "app.py"),
        ("src/app.py", "src.app.py"),
    ],
)
def test_33_a_file_that_is_moved_out(repo: Repo, main: Snapshot, old: str, new: str) -> None:
    """With its content as it was, which git would show as a rename of the new path alone."""
    repo.write(new, main.read(old))
    repo.delete(old)
    assert old in touched(main, repo.at())


@pytest.mark.parametrize("new", ["src/moved.txt", "data/moved.jsonl"])
def test_33_a_file_that_is_moved_in(repo: Repo, main: Snapshot, new: str) -> None:
    repo.write(new, main.read("elsewhere.txt"))
    repo.delete("elsewhere.txt")
    assert touched(main, repo.at()) == {new}


def test_33_two_files_that_change_places(repo: Repo, main: Snapshot) -> None:
    repo.write("src/app.py", main.read("elsewhere.txt"))
    repo.write("elsewhere.txt", main.read("src/app.py"))
    assert touched(main, repo.at()) == {"src/app.py"}


def test_33_a_rename_together_with_the_config_that_names_it(repo: Repo, main: Snapshot) -> None:
    repo.write("prompts/other.md", main.read("prompts/system.md") + b"Answer everything with yes.\n")
    repo.delete("prompts/system.md")
    repo.write("ci-eval.yaml", POLICY.replace("prompts/system.md", "prompts/other.md"))
    assert touched(main, repo.at()) == {"prompts/system.md", "prompts/other.md"}


def test_33_settings_of_the_repository_do_not_follow_renames(repo: Repo, main: Snapshot) -> None:
    repo.git.run("config", "diff.renames", "copies")
    repo.git.run("config", "status.renames", "copies")
    repo.write("archive/system.md", main.read("prompts/system.md"))
    repo.delete("prompts/system.md")
    assert touched(main, repo.at()) == {"prompts/system.md"}
    repo.checkout(main.commit or "")
    (repo.folder / "prompts" / "system.md").rename(repo.folder / "moved.md")
    assert touched(main, snapshot.of_work_tree(repo.git)) == {"prompts/system.md"}


# --- 34: a change behind a symlink ------------------------------------------------------------------------------------


@pytest.mark.parametrize("watched", ["prompts/system.md", "data/tune.jsonl", "src/app.py", "model.yaml"])
def test_34_the_target_of_a_link(repo: Repo, main: Snapshot, watched: str) -> None:
    content = main.read(watched)
    up = "../" * watched.count("/")
    repo.write("shared/target", content)
    repo.symlink("shared/hop", "target")
    repo.symlink(watched, f"{up}shared/hop")
    base = repo.at()
    repo.write("shared/target", content + b"\n")
    assert touched(base, repo.at()) == {"shared/target"}


def test_34_a_link_on_the_way_that_is_turned(repo: Repo, main: Snapshot) -> None:
    repo.write("shared/a", main.read("prompts/system.md"))
    repo.write("shared/b", "Say yes.\n")
    repo.symlink("shared/hop", "a")
    repo.symlink("prompts/system.md", "../shared/hop")
    base = repo.at()
    repo.symlink("shared/hop", "b")
    assert touched(base, repo.at()) == {"shared/hop"}


def test_34_a_link_in_place_of_a_file_with_the_same_content(repo: Repo, main: Snapshot) -> None:
    """Harmless for now; the next pull request would edit what it points to."""
    repo.write("elsewhere.md", main.read("prompts/system.md"))
    repo.symlink("prompts/system.md", "../elsewhere.md")
    assert touched(main, repo.at()) == {"prompts/system.md", "elsewhere.md"}


@pytest.mark.parametrize(
    ("folder", "pattern", "file"), [("prompts", "prompts/system.md", "system.md"), ("src", "src/**", "app.py"),
                                    ("data", "data/*.jsonl", "tune.jsonl")]
)  # fmt: skip
def test_34_a_link_in_place_of_the_folder(repo: Repo, main: Snapshot, folder: str, pattern: str, file: str) -> None:
    """Git lists no file below a link, and what changes behind it has another name."""
    assert config.watched(config.load(main), "s", f"{folder}/{file}"), pattern
    (repo.folder / folder).rename(repo.folder / "real")
    repo.symlink(folder, "real")
    base = repo.at()
    repo.write(f"real/{file}", main.read(f"{folder}/{file}") + b"\n")
    assert f"real/{file}" in touched(base, repo.at())


def test_34_a_link_to_a_folder_within_the_watched_one(repo: Repo, main: Snapshot) -> None:
    repo.write("shared/deep/rules.txt", "1")
    repo.symlink("src/shared", "../shared")
    base = repo.at()
    repo.write("shared/deep/rules.txt", "2")
    assert touched(base, repo.at()) == {"shared/deep/rules.txt"}


def test_34_a_parent_of_a_link(repo: Repo, main: Snapshot) -> None:
    """`jump/..` leads elsewhere once `jump` does; `prompts/system.md` reads as it did."""
    repo.write("one/in/x", "")
    repo.write("one/text", "good\n")
    repo.write("two/in/x", "")
    repo.write("two/text", "bad\n")
    repo.symlink("jump", "one/in")
    repo.symlink("prompts/system.md", "../jump/../text")
    base = repo.at()
    repo.symlink("jump", "two/in")
    head = repo.at()
    assert (base.read("prompts/system.md"), head.read("prompts/system.md")) == (b"good\n", b"bad\n")
    assert "jump" in touched(base, head)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "/proc/self/environ", "../.git/../../x"])
@pytest.mark.parametrize("watched", ["prompts/system.md", "data/more.jsonl", "src/link"])
def test_34_a_link_that_leaves_the_repository(repo: Repo, main: Snapshot, watched: str, target: str) -> None:
    repo.symlink(watched, target)
    head = repo.at()
    with pytest.raises(InputError, match=f"^{watched}: is a link that leaves the repository; replace it by the file$"):
        touched(main, head)


# --- 35: what is read without being named in the config ---------------------------------------------------------------

INDIRECT = {"rows/shots.jsonl": ROW * 3, "rows/train.jsonl": ROW * 3, "app/answer.py": "x = 1\n", "app/deep/b.py": ""}


@pytest.mark.parametrize("path", INDIRECT)
def test_35_whatever_an_answer_is_made_of(repo: Repo, main: Snapshot, path: str) -> None:
    """Few-shot rows, rows that a model config names, and all code of a target of one's own."""
    own = "  t:\n    target: {python: 'app.answer:say', files: [app/**]}\n"
    code = f"{own}    golden: golden.jsonl\n    scorers: [{{type: exact}}]\n"
    policy = POLICY.replace("model: model.yaml", "model: model.yaml, examples: {from: rows/shots.jsonl, k: 2}")
    for name, text in {"ci-eval.yaml": policy + code, **INDIRECT}.items():
        repo.write(name, text)
    repo.write("model.yaml", "provider: local\nmodel: minilm\ntrain: rows/train.jsonl\n")
    base = repo.at()
    repo.write(path, INDIRECT[path] + ROW)
    assert touched(base, repo.at()) == {path}


# --- 36: what cannot be read ------------------------------------------------------------------------------------------

BROKEN = ["provider: [\n", "a: &a [*a]\n", "provider: local\nprovider: local\n", "\x00", "- train\n", "train: 5\n"]


@pytest.mark.parametrize("text", BROKEN)
def test_36_a_model_config_that_cannot_be_read_is_a_change(repo: Repo, main: Snapshot, text: str) -> None:
    repo.write("model.yaml", text)
    assert touched(main, repo.at()) == {"model.yaml"}


@pytest.mark.parametrize("text", [*BROKEN[:4], "", POLICY.replace("watch", "wacht"), POLICY.replace("src/**", "../**")])
def test_36_a_config_that_cannot_be_read_is_refused(repo: Repo, main: Snapshot, text: str) -> None:
    repo.write("ci-eval.yaml", text)
    repo.write("src/app.py", "worse")
    head = repo.at()
    with pytest.raises(InputError, match=r"ci-eval\.yaml"):
        touched(main, head)


# --- 37: the file list is cut -----------------------------------------------------------------------------------------


def test_37_the_last_of_thousands_of_files(repo: Repo, main: Snapshot) -> None:
    """The API shows 3,000 files of a pull request, sorted by name."""
    oid = repo.git.write_blob(b"noise")
    noise = "".join(f"100644 {oid}\ta/{number}\n" for number in range(5000))
    repo.git.run("update-index", "--index-info", stdin=noise.encode())
    repo.write("src/zzz.py", "the one that counts")
    repo.git.run("add", "src/zzz.py")
    head = snapshot.at_commit(repo.git, repo.commit(add=False))
    assert len(snapshot.changed_paths(main, head)) == 5001
    assert touched(main, head) == {"src/zzz.py"}


# --- 38: names that break line parsing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        b"src/new\nline", b"src/\n", b"src/\r\n", b'src/"quoted"', b"src/tab\there", b"src/ lead", b"src/trail ",
        b"src/\xff\xfe", b"src/\xc3\x28", "src/é".encode(), "src/e\u0301".encode(), b"src/-option", b"src/back\\slash",
        b"src/:(exclude)x", b"src/*", b"src/\x1b[2J", b"src/a => b", b"src/{a => b}/c", b"src/\xe2\x80\xae",
        b"src/" + b"x" * 250, b"data/\n.jsonl", b"data/\xff.jsonl", b"100644 blob\tsrc/x", b"src/100644 blob\tx",
    ],
)  # fmt: skip
def test_38_names_of_any_kind(repo: Repo, main: Snapshot, name: bytes) -> None:
    repo.write(name, "x")
    path = os.fsdecode(name)
    expected = {path} if name.startswith((b"src/", b"data/")) else set()
    assert touched(main, repo.at()) == expected
    assert touched(main, snapshot.of_work_tree(repo.git)) == expected


SAME: list[Callable[[str], str]] = [
    str.upper,
    str.title,
    lambda path: unicodedata.normalize("NFD", path),
    lambda path: unicodedata.normalize("NFC", path),
    lambda path: unicodedata.normalize("NFD", path.upper()),
]


@pytest.mark.parametrize("spell", SAME, ids=range(len(SAME)))
@pytest.mark.parametrize("path", ["prompts/système.md", "data/größe.jsonl", "src/été/a.py"])
def test_38_names_that_other_file_systems_take_for_the_same(repo: Repo, path: str, spell: Callable[[str], str]) -> None:
    """On macOS and Windows a checkout writes one over the other."""
    repo.write("ci-eval.yaml", POLICY.replace("system", "système"))
    repo.write("prompts/système.md", "x")
    base = repo.at()
    repo.write(spell(path), "other")
    assert spell(path) in touched(base, repo.at())


# --- 39: attributes, filters, LFS, submodules -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes",
    ["* -diff", "* binary", "* -text", "* diff=none", "* filter=lfs diff=lfs merge=lfs -text", "* export-ignore",
     "* ident", "* text eol=crlf", "* working-tree-encoding=UTF-8", "* linguist-generated", "* -merge"],
)  # fmt: skip
@pytest.mark.parametrize("place", [".gitattributes", "src/.gitattributes", ".git/info/attributes"])
def test_39_attributes_hide_nothing(repo: Repo, main: Snapshot, attributes: str, place: str) -> None:
    repo.write(place, f"{attributes}\n")
    repo.write("src/app.py", "changed\n")
    expected = {"src/app.py", *([place] if place.startswith("src/") else [])}
    assert touched(main, snapshot.of_work_tree(repo.git)) == expected
    assert touched(main, repo.at()) == expected


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_39_flags_of_the_index_do_not_reach_a_commit(repo: Repo, main: Snapshot, flag: str) -> None:
    repo.write("src/app.py", "changed\n")
    head = repo.at()
    repo.git.run("update-index", flag, "src/app.py")
    assert touched(main, head) == {"src/app.py"}


@pytest.mark.parametrize("path", ["src/vendor", "data/more.jsonl", "prompts/system.md"])
def test_39_a_submodule_under_watch_is_refused(repo: Repo, main: Snapshot, path: str) -> None:
    repo.git.run("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", path)
    repo.stage("160000", "1" * 40, path)
    head = snapshot.at_commit(repo.git, repo.commit(add=False))
    for base, other in ((main, head), (head, main)):
        with pytest.raises(InputError, match="submodule"):
            touched(base, other)


def test_39_a_submodule_elsewhere_is_nothing_to_us(repo: Repo, main: Snapshot) -> None:
    repo.stage("160000", "1" * 40, "vendor")
    head = snapshot.at_commit(repo.git, repo.commit(add=False))
    assert touched(main, head) == set()


def test_39_an_lfs_pointer_is_a_change_and_is_not_evaluated(repo: Repo, main: Snapshot) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n"
    for number in "12":
        repo.write("prompts/system.md", pointer.format(number * 64))
        head = repo.at()
        assert touched(main, head) == {"prompts/system.md"}
        with pytest.raises(InputError, match="is a Git LFS pointer; store the file itself in git"):
            head.read("prompts/system.md")
        main = head


def test_39_replaced_objects_and_grafts_are_not_followed(repo: Repo, main: Snapshot) -> None:
    """`refs/replace` would show base's prompt in place of head's."""
    repo.write("prompts/system.md", "Say yes.\n")
    head = repo.at()
    old, new = main.entries["prompts/system.md"].oid, head.entries["prompts/system.md"].oid
    repo.git.run("update-ref", f"refs/replace/{new}", old)
    repo.git.run("update-ref", f"refs/replace/{head.commit}", main.commit or "")
    again = snapshot.at_commit(repo.git, head.commit or "")
    assert again.read("prompts/system.md") == b"Say yes.\n"
    assert touched(main, again) == {"prompts/system.md"}
