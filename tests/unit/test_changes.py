"""What a pull request touches, and that nothing gets out of sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repo import Repo

from ci_eval import config, snapshot
from ci_eval.changes import (
    Changes,
    FileChange,
    added_lines,
    detect,
    first_changed_line,
    line_diff,
    setting_changes,
    settings,
)
from ci_eval.errors import InputError
from ci_eval.snapshot import Snapshot

CONFIG = """\
version: 1
providers: {local: {api: local}}
suites:
  support:
    target: {prompt: prompts/support.md, model: models/support.yaml, examples: {from: data/shots.jsonl, k: 1}}
    datasets: [data/tune*.jsonl]
    watch: [src/support/**]
    golden: golden/*.jsonl
    scorers: [{type: json_schema, schema: golden/reply.schema.json}]
"""


def start(repo: Repo, text: str = CONFIG) -> Snapshot:
    """Main, with a file of every kind."""
    repo.write("ci-eval.yaml", text)
    for path in ("prompts/support.md", "data/shots.jsonl", "data/tune-1.jsonl", "src/support/a.py", "golden/a.jsonl",
                 "golden/reply.schema.json", "README.md", "shared/rows.jsonl"):  # fmt: skip
        repo.write(path, f"{path}\n")
    repo.write("models/support.yaml", "provider: local\nmodel: minilm\ntrain: shared/rows.jsonl\n")
    return repo.at()


def found(base: Snapshot, head: Snapshot) -> Changes:
    return detect(base, head, config.load(base), config.load(head))


def subject(changes: Changes, suite: str = "support") -> set[tuple[str, str, str]]:
    (one,) = [one for one in changes.suites if one.suite == suite]
    return {(change.role, change.path, change.kind) for change in one.subject}


class TestWhatIsTouched:
    def test_nothing(self, repo: Repo) -> None:
        base = start(repo)
        changes = found(base, base)
        assert (changes.affected(), changes.policy_changed, changes.paths) == ((), False, ())

    @pytest.mark.parametrize(
        ("path", "role"),
        [
            ("prompts/support.md", "prompt"),
            ("models/support.yaml", "model"),
            ("data/shots.jsonl", "examples"),
            ("data/tune-1.jsonl", "dataset"),
            ("src/support/a.py", "watched file"),
            ("shared/rows.jsonl", "training rows"),
        ],
    )
    def test_each_file_has_its_role(self, repo: Repo, path: str, role: str) -> None:
        base = start(repo)
        content = base.read(path)
        repo.write(path, content + b"# more\n")
        changes = found(base, repo.at())
        assert subject(changes) == {(role, path, "changed")}
        assert not changes.policy_changed

    def test_added_and_removed_files(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("data/tune-2.jsonl", "new")
        repo.write("src/support/deep/b.py", "new")
        repo.delete("data/tune-1.jsonl")
        assert subject(found(base, repo.at())) == {
            ("dataset", "data/tune-2.jsonl", "added"),
            ("watched file", "src/support/deep/b.py", "added"),
            ("dataset", "data/tune-1.jsonl", "removed"),
        }

    def test_other_files_are_listed_and_do_not_count(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("README.md", "changed")
        repo.write("src/other.py", "new")
        changes = found(base, repo.at())
        assert (changes.affected(), changes.policy_changed, changes.paths) == ((), False, ("README.md", "src/other.py"))

    @pytest.mark.parametrize("path", ["golden/a.jsonl", "golden/b.jsonl", "golden/reply.schema.json"])
    def test_golden_sets_and_what_scorers_read_are_policy(self, repo: Repo, path: str) -> None:
        base = start(repo)
        repo.write(path, "changed")
        changes = found(base, repo.at())
        assert changes.suites[0].policy == (path,)
        assert changes.policy_changed
        assert changes.affected() == ()

    def test_a_file_that_is_prompt_and_golden_is_judged(self, repo: Repo) -> None:
        base = start(repo, CONFIG.replace("golden/*.jsonl", "data/*.jsonl"))
        repo.write("data/tune-1.jsonl", "changed")
        assert subject(found(base, repo.at())) == {("dataset", "data/tune-1.jsonl", "changed")}


class TestTheConfigItself:
    def test_settings(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG + "    gate: {max_drop: 50}\n")
        changes = found(base, repo.at())
        assert (changes.suites[0].settings, changes.shared_policy, changes.policy_changed) == (True, False, True)
        assert changes.affected() == ()

    def test_shared_settings(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG + "budget: {seconds: 1}\n")
        changes = found(base, repo.at())
        assert (changes.suites[0].settings, changes.shared_policy) == (False, True)

    def test_suites_that_come_and_go(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG.replace("  support:", "  help:"))
        changes = found(base, repo.at())
        assert (changes.added_suites, changes.removed_suites, changes.policy_changed) == (("help",), ("support",), True)

    def test_a_suite_that_head_drops_is_still_watched(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG.replace("  support:", "  help:"))
        repo.write("prompts/support.md", "worse")
        assert subject(found(base, repo.at())) == {("prompt", "prompts/support.md", "changed")}

    @pytest.mark.parametrize(
        ("old", "new", "change"),
        [
            ("prompts/support.md", "README.md", FileChange("prompt", "README.md", "changed")),
            ("k: 1", "k: 3", FileChange("examples", "data/shots.jsonl (first 3 rows)", "changed")),
            (", examples: {from: data/shots.jsonl, k: 1}", "", FileChange("examples", "none", "changed")),
            ("[data/tune*.jsonl]", "[]", FileChange("dataset", "[]", "changed")),
        ],
    )
    def test_a_subject_that_moves_to_a_file_that_was_there(
        self, repo: Repo, old: str, new: str, change: FileChange
    ) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG.replace(old, new))
        assert found(base, repo.at()).suites[0].subject == (change,)

    def test_a_model_config_that_is_dropped_for_what_the_prompt_file_says(self, repo: Repo) -> None:
        """No file differs, and another model is asked."""
        prompt = "p.prompt.yml"
        text = CONFIG.replace("prompts/support.md", prompt)
        repo.write(prompt, "model: m\nmessages: [{role: system, content: Hi}]\n")
        base = start(repo, text)
        repo.write("ci-eval.yaml", text.replace("model: models/support.yaml, ", ""))
        assert subject(found(base, repo.at())) == {("model", prompt, "changed")}

    def test_a_prompt_file_that_brings_its_model_moves_once(self, repo: Repo) -> None:
        text = CONFIG.replace("prompt: prompts/support.md, model: models/support.yaml", "prompt: p.prompt.yml")
        for path in ("p.prompt.yml", "q.prompt.yml"):
            repo.write(path, "model: m\nmessages: [{role: system, content: Hi}]\n")
        base = start(repo, text)
        repo.write("ci-eval.yaml", text.replace("p.prompt.yml", "q.prompt.yml"))
        assert subject(found(base, repo.at())) == {("prompt", "q.prompt.yml", "changed")}

    def test_a_watch_list_that_head_narrows_holds_as_base_has_it(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG.replace("src/support/**", "src/nothing/**").replace("data/tune*", "data/x*"))
        repo.write("src/support/a.py", "changed")
        repo.write("data/tune-1.jsonl", "changed")
        changed = subject(found(base, repo.at()))
        assert ("watched file", "src/support/a.py", "changed") in changed
        assert ("dataset", "data/tune-1.jsonl", "changed") in changed

    def test_a_file_that_only_one_sides_patterns_know(self, repo: Repo) -> None:
        """New in head and watched by base alone; gone from head and watched by head alone."""
        start(repo)
        repo.write("lib/gone.py", "")
        base = repo.at()
        repo.write("ci-eval.yaml", CONFIG.replace("src/support/**", "lib/**"))
        repo.write("src/support/new.py", "")
        repo.delete("lib/gone.py")
        assert subject(found(base, repo.at())) == {
            ("watched file", "src/support/new.py", "added"),
            ("watched file", "lib/gone.py", "removed"),
        }

    def test_a_watch_list_that_head_widens_counts_at_once(self, repo: Repo) -> None:
        base = start(repo)
        repo.write("ci-eval.yaml", CONFIG.replace("src/support/**", "src/**"))
        repo.write("src/new.py", "new")
        assert subject(found(base, repo.at())) == {("watched file", "src/new.py", "added")}


class TestTrainingRows:
    def test_of_either_side(self, repo: Repo) -> None:
        """Head's model config names other rows, and both files change."""
        base = start(repo)
        repo.write("models/support.yaml", "provider: local\nmodel: minilm\ntrain: README.md\n")
        repo.write("README.md", "rows now")
        repo.write("shared/rows.jsonl", "changed")
        assert subject(found(base, repo.at())) == {
            ("model", "models/support.yaml", "changed"),
            ("training rows", "README.md", "changed"),
            ("training rows", "shared/rows.jsonl", "changed"),
        }

    @pytest.mark.parametrize(
        "text", ["", "- 1", "train: 7", "train: [a]", "{", "train: ../../etc/passwd", "train: /x", "\x00"]
    )
    def test_a_config_that_cannot_be_read_is_a_change(self, repo: Repo, text: str) -> None:
        """What is wrong with it is said where it is loaded."""
        base = start(repo)
        repo.write("models/support.yaml", text)
        assert subject(found(base, repo.at())) == {("model", "models/support.yaml", "changed")}


class TestInWords:
    def test_settings(self) -> None:
        base = b"temperature: 0\nmodel: a\nstop: [x]\nseed: 1\n"
        head = b"model: b\ntemperature: 0.7\nstop: [x]\ntop_p: 0.5\n"
        said = [line.reveal() for line in setting_changes(settings(base, "m.yaml"), settings(head, "m.yaml"))]
        assert said == ["model a → b", "temperature 0 → 0.7", "top_p not set → 0.5", "seed 1 → not set"]

    @pytest.mark.parametrize(("base", "head"), [(None, b"a: 1"), (b"a: 1", None)])
    def test_settings_of_a_new_or_lost_file(self, base: bytes | None, head: bytes | None) -> None:
        (line,) = setting_changes(settings(base, "m.yaml"), settings(head, "m.yaml"))
        assert line.reveal() in {"a not set → 1", "a 1 → not set"}

    def test_lines(self) -> None:
        diff = line_diff(b"a\nb\nc\nd\n", b"a\nb\nX\nd\n").reveal()
        assert diff.split("\n")[1:] == [" b", "-c", "+X", " d"]

    def test_many_lines_are_cut_and_counted(self) -> None:
        diff = line_diff(b"", b"\n".join(b"%d" % number for number in range(100))).reveal()
        assert diff.endswith("\n… 42 more lines")

    def test_bytes_that_are_no_text(self) -> None:
        assert "\ufffd" in line_diff(b"", b"\xff").reveal()

    def test_lines_that_are_new(self) -> None:
        assert added_lines(b"a\nb", b"b\nc\nd") == "c\nd"
        assert added_lines(None, b"a") == "a"
        assert added_lines(b"a", None) == ""


def test_a_watched_submodule_is_refused(repo: Repo) -> None:
    start(repo)
    base = snapshot.at_commit(repo.git, repo.git.commit("HEAD"))
    repo.stage("160000", "1" * 40, "src/support/vendor")
    head = snapshot.at_commit(repo.git, repo.commit(add=False))
    with pytest.raises(InputError) as caught:
        found(base, head)
    message = "src/support/vendor: a submodule is watched; watch files of this repository only"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("base", "head", "line"),
    [
        (b"one\ntwo\nthree\n", b"one\n2\nthree\n", 2),
        (b"one\ntwo\nthree\n", b"one\nthree\n", 2),
        (b"one\ntwo\n", b"one\ntwo\nthree\n", 3),
        (b"one\ntwo\nthree\n", b"one\ntwo\n", 2),
        (b"one\ntwo", b"one\ntwo\n", 2),
        (b"one\r\n", b"one\n", 1),
        (None, b"one\n", 1),
        (b"one\n", b"", 1),
        (b"one\n", b"one\n", None),
        (b"one\n", None, None),
    ],
)
def test_the_line_where_a_file_begins_to_differ(base: bytes | None, head: bytes | None, line: int | None) -> None:
    assert first_changed_line(base, head) == line


@given(base=st.lists(st.sampled_from([b"a", b"b"])), head=st.lists(st.sampled_from([b"a", b"b"]), min_size=1))
def test_that_line_is_one_of_the_file(base: list[bytes], head: list[bytes]) -> None:
    before, after = b"\n".join(base), b"\n".join(head)
    line = first_changed_line(before, after)
    assert (line is None) == (before == after)
    assert line is None or 1 <= line <= len(head)
