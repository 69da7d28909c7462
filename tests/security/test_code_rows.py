"""Rows 53-61 and 64 of the threat model: configuration and data stay data. Each test is named by its row."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from http_server import Answer, Server
from making import held, nobody
from repo import Repo

import ci_eval
from ci_eval import config as configs
from ci_eval import sides, snapshot
from ci_eval.baseline.store import Store
from ci_eval.config import Config, Policy, ProviderPolicy, Subject
from ci_eval.errors import InputError, UsageError
from ci_eval.git import Git, GitError, MergeConflict, Remote
from ci_eval.golden.cases import Case
from ci_eval.reader import (
    CONFIG_LIMIT,
    Document,
    parse_json,
    parse_reply,
    read_file,
    read_json,
    read_jsonl,
    read_rows,
    read_yaml,
    validate,
)
from ci_eval.scorers.base import Answer as Said
from ci_eval.scorers.base import Resources
from ci_eval.scorers.json_schema import JsonSchema
from ci_eval.targets import chat
from ci_eval.targets.chat import ChatTarget
from ci_eval.text import JSON

PROJECT = Path(ci_eval.__file__).parent.parent
SECRET = "hunter2-from-the-environment"  # noqa: S105 - it stands for any


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        act()
    return str(caught.value)


# --- 53: a repository in the repository, and a hostile .git/config ----------------------------------------------------


def drivers(marker: Path) -> dict[str, str]:
    """Settings that start a program, each leaving its own trace."""
    run = f"echo %s >> {marker}; cat"
    keys = [
        "core.fsmonitor", "core.pager", "core.editor", "core.askPass", "core.sshCommand", "core.gitProxy",
        "core.alternateRefsCommand", "credential.helper", "diff.external", "diff.evil.command", "diff.evil.textconv",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "filter.evil.required", "gpg.program",
        "gpg.ssh.program", "pager.ls-tree", "pager.diff-files", "pager.cat-file", "interactive.diffFilter",
        "sequence.editor", "merge.evil.driver", "uploadpack.packObjectsHook",
        "receive.procReceiveRefs", "log.showSignature",
    ]  # fmt: skip
    values = {key: run % key for key in keys}
    flags = dict.fromkeys(("filter.evil.required", "log.showSignature"), "true")
    aliases = {f"alias.{name}": f"!echo alias.{name} >> {marker}" for name in ("rev-parse", "ls-tree", "cat-file")}
    return {**values, **flags, **aliases}


HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-checkout", "post-commit", "post-index-change",
    "post-merge", "post-rewrite", "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase",
    "prepare-commit-msg", "reference-transaction", "update", "post-update", "pre-receive",
)  # fmt: skip


def poison(git_dir: Path, marker: Path) -> None:
    """Everything in a git directory that could start a program."""
    lines = []
    for key, value in drivers(marker).items():
        section, _, name = key.rpartition(".")
        group, _, sub = section.partition(".")
        heading = f'[{group} "{sub}"]' if sub else f"[{group}]"
        lines += [heading, f"\t{name} = {json.dumps(value)}"]
    path = git_dir / "config"
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    for hook in HOOKS:
        script = git_dir / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\necho {hook} >> {marker}\n")
        script.chmod(0o755)


def everything_we_ask(repo: Repo) -> None:
    """All that the road asks of git, on a laptop and on GitHub."""
    git = Git.discover(repo.folder)
    chosen = sides.on_laptop(git, "main", None)
    for path in chosen.candidate.entries:
        chosen.candidate.has(path)
        if chosen.candidate.entries[path].mode.startswith("100"):
            chosen.candidate.read(path)
    head = git.commit("HEAD")
    with suppress(MergeConflict):
        sides.of_merge(git, git.commit("main"), head)
    git.is_ancestor(git.commit("main"), head)
    snapshot.changed_paths(chosen.base, chosen.candidate)
    git.fetch(Remote(str(git.git_dir), "file"), ["+refs/heads/main:refs/ci-eval/base", head])
    Store(Remote(str(git.git_dir), "file"), "ci-eval-baselines").paths()


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """A file that nobody may write."""
    path = tmp_path / "pwned"
    yield path
    assert not path.exists(), path.read_text()


def work_in_progress(repo: Repo) -> None:
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
    repo.write("a.md", "1\n2\n3\n4\n")
    repo.commit()
    repo.branch("topic")
    repo.write("a.md", "theirs\n2\n3\n4\n")
    repo.commit()
    repo.checkout("main")
    repo.write("a.md", "1\n2\n3\nours\n")
    repo.commit()
    repo.checkout("topic")
    repo.write("a.md", "changed\n")
    repo.write("new.md", "new\n")


def test_53_the_trap_works(repo: Repo, tmp_path: Path) -> None:
    """What the tests below see is that it does not go off."""
    work_in_progress(repo)
    poison(repo.git.git_dir, tmp_path / "sprung")
    subprocess.run(["git", "status"], cwd=repo.folder, check=False, capture_output=True)
    assert "core.fsmonitor" in (tmp_path / "sprung").read_text()


def test_53_hooks_filters_and_drivers_of_the_checkout_do_not_run(repo: Repo, marker: Path) -> None:
    work_in_progress(repo)
    poison(repo.git.git_dir, marker)
    everything_we_ask(repo)


def test_53_an_embedded_bare_repository_is_data(repo: Repo, marker: Path) -> None:
    """Its files lie in the tree as any others, and `git` in that folder would obey its config."""
    work_in_progress(repo)
    inner = repo.folder / "assets" / "inner"
    Git.create(inner, bare=True)
    poison(inner, marker)
    with (inner / "config").open("a") as file:
        file.write('[core]\n\tbare = false\n\tworktree = ".."\n')
    repo.write("assets/keep.md", "x")
    repo.git.run("add", "--all", "--force")
    repo.git.run("commit", "--quiet", "-m", "embedded")
    everything_we_ask(repo)
    with pytest.raises(UsageError, match="not a git work tree"):
        Git.discover(inner)


def test_53_the_config_of_a_submodule_is_not_asked(repo: Repo, marker: Path) -> None:
    """git looks for changes in a submodule by running itself there, without what it was told on the command line."""
    work_in_progress(repo)
    inner = Repo(repo.folder / "vendor")
    inner.write("x", "1")
    oid = inner.commit()
    poison(inner.git.git_dir, marker)
    repo.stage("160000", oid, "vendor")
    repo.git.run("commit", "--quiet", "-m", "submodule")
    inner.write("x", "dirty")
    everything_we_ask(repo)
    assert snapshot.of_work_tree(repo.git).entries["vendor"].oid == oid


def test_53_settings_of_the_user_and_the_machine_are_not_read(
    repo: Repo, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in_progress(repo)
    home = tmp_path / "home"
    Git.create(home)
    poison(home / ".git", marker)
    (home / ".git" / "config").rename(home / ".gitconfig")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {marker}")
    for name in ("GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_PAGER", "GIT_EDITOR", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, f"touch {marker}")
    monkeypatch.setenv("GIT_DIR", str(home / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(home))
    monkeypatch.setenv("GIT_INDEX_FILE", str(home / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(home))
    everything_we_ask(repo)
    git = Git.discover(repo.folder)
    assert git.work_tree == repo.folder.resolve()
    scopes = {line.split()[0] for line in git.run("config", "--list", "--show-scope").decode().splitlines()}
    assert scopes == {"local", "command"}


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c touch% {marker}", "file://{marker}", "ssh://-oProxyCommand=touch%20{marker}/x", "git://127.0.0.1:1/x",
     "--upload-pack=touch {marker}", "fd::7", "{marker}", "http://127.0.0.1:1/x", "-oProxyCommand=touch {marker}:x"],
)  # fmt: skip
def test_53_no_other_protocol_than_the_remotes_own(repo: Repo, marker: Path, url: str) -> None:
    repo.commit()
    with pytest.raises(GitError) as caught:
        repo.git.fetch(Remote(url.format(marker=marker)), ["1" * 40])
    assert any(word in caught.value.stderr for word in ("not allowed", "does not exist", "blocked"))


# --- 54: options in the place of names --------------------------------------------------------------------------------

OPTIONS = ["--output=pwned", "-opwned", "--upload-pack=touch pwned", "--exec=touch pwned", "--git-dir=.", "-", "--",
           "--end-of-options", "HEAD", "main", "1" * 39, "1" * 41, "G" * 40, "1" * 40 + "\n", " " + "1" * 40,
           "refs/heads/main", "A" * 40, "\uff11" * 40, "", "1" * 40 + " x", "^" + "1" * 40,
           "1" * 40 + "..HEAD"]  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_54_only_full_shas_reach_git(repo: Repo, name: str) -> None:
    head = repo.commit()
    git = repo.git
    asks: list[Callable[[], object]] = [
        lambda: git.parents(name),
        lambda: git.merge_base(name, head),
        lambda: git.merge_base(head, name),
        lambda: git.is_ancestor(name, head),
        lambda: git.merged_tree(head, name),
        lambda: git.merged_tree(name, head),
        lambda: list(git.tree(name)),
        lambda: git.sizes([name]),
        lambda: git.blobs([name]),
        lambda: snapshot.at_commit(git, name),
        lambda: sides.of_merge_commit(git, name, head),
    ]
    for ask in asks:
        with pytest.raises((UsageError, InputError)):
            ask()
    assert not list(repo.folder.glob("pwned*"))


@pytest.mark.parametrize("name", ["--output=pwned", "-x", "--", "--help", "--exec-path=pwned"])
def test_54_a_branch_that_looks_like_an_option(repo: Repo, name: str) -> None:
    """Plumbing makes such branches, and forks have them."""
    head = repo.commit()
    (repo.git.git_dir / "refs" / "heads" / name).write_text(f"{head}\n")
    assert repo.git.find(f"refs/heads/{name}") == head
    assert repo.git.find(name) in {head, None}
    assert not list(repo.folder.glob("pwned*"))


# --- 55: shells -------------------------------------------------------------------------------------------------------


def test_55_no_shell_is_started() -> None:
    for path in PROJECT.glob("ci_eval/**/*.py"):
        tree = ast.parse(path.read_text())
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        words = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"} & {*calls}, path
        assert not {"sh", "bash", "/bin/sh", "/bin/bash", "cmd.exe"} & words, path


def steps(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        if "run" in value or "uses" in value:
            yield value
        for item in value.values():
            yield from steps(item)
    elif isinstance(value, list):
        for item in value:
            yield from steps(item)


def workflows() -> list[tuple[str, object]]:
    """The project's workflows, its action, and every workflow that its pages show."""
    found: list[tuple[str, object]] = []
    patterns = (".github/**/*.yml", "action.yml", "examples/**/*.yml")
    files = [path for pattern in patterns for path in PROJECT.glob(pattern)]
    found += [(str(path), yaml.safe_load(path.read_text())) for path in files]
    for path in [PROJECT / "README.md", *PROJECT.glob("docs/**/*.md")]:
        for number, block in enumerate(re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)):
            found.append((f"{path}, block {number}", yaml.safe_load(block)))
    return found


def test_55_workflows_pass_values_by_the_environment() -> None:
    """`run: echo ${{ … }}` is a shell with somebody else's words in it."""
    seen = 0
    for where, value in workflows():
        for step in steps(value):
            seen += 1
            assert "${{" not in str(step.get("run", "")), where
    assert seen > 5


# --- 56: interpolation ------------------------------------------------------------------------------------------------

LITERAL = [
    "${{ env.HOUSE_KEY }}", "${{ secrets.HOUSE_KEY }}", "${HOUSE_KEY}", "$HOUSE_KEY", "$(printenv HOUSE_KEY)",
    "`printenv HOUSE_KEY`", "%HOUSE_KEY%", "{{ env.HOUSE_KEY }}", "{{env:HOUSE_KEY}}", "{{ $env.HOUSE_KEY }}",
    "{% include 'x' %}", "{# x #}", "<%= ENV['HOUSE_KEY'] %>", "#{ENV['HOUSE_KEY']}", "env://HOUSE_KEY", "@HOUSE_KEY",
    "file:///proc/self/environ", "{HOUSE_KEY}", "{0}", "%(HOUSE_KEY)s", "%s", "~/.ssh/id_ed25519", "!ENV HOUSE_KEY",
    "{{ HOUSE_KEY | default('x') }}", "{{ HOUSE-KEY }}", "{{HOUSE_KEY.x}}", "{{9}}", "{{}}", "{{ }}", "{ {HOUSE_KEY} }",
    "\\{{x.y}}", "{{\nHOUSE_KEY\n}}",
]  # fmt: skip


def subject(prompt: str, model: str = "provider: local\nmodel: minilm\n", user: str | None = None) -> ChatTarget:
    at = held({"p.md": prompt, "m.yaml": model})
    return chat.load(at, Subject("p.md", "m.yaml", None, ()), user, {"local": ProviderPolicy(api="local")})


def case(given: JSON) -> Case:
    return validate(Case, Document("g.jsonl", {"id": "a", "input": given}))


@pytest.mark.parametrize("text", LITERAL)
def test_56_what_looks_like_a_variable_of_the_environment_is_text(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HOUSE_KEY", SECRET)
    target = subject(f"Say: {text}\n", f"provider: local\nmodel: {json.dumps(text)}\nstop: [{json.dumps(text)}]\n")
    request = target.request(case(text))
    assert request.messages[0].content == f"Say: {text}\n"
    assert request.messages[1].content == text
    assert (request.model, request.parameters["stop"]) == (text, [text])


@pytest.mark.parametrize("text", ["${PWD}/p.md", "$HOME/p.md", "~/p.md", "%CD%/p.md", "{{ env.HOME }}/p.md"])
def test_56_a_path_is_a_path(text: str) -> None:
    config = loaded(f"prompts/{text}")
    assert config.subject("s").prompt == f"prompts/{text}"


def loaded(prompt: str) -> Config:
    text = (
        "version: 1\nproviders: {local: {api: local}}\nsuites:\n  s:\n"
        f"    target: {{prompt: {json.dumps(prompt)}, model: m.yaml}}\n"
        "    golden: g.jsonl\n    scorers: [{type: exact}]\n"
    )
    document = read_yaml(text.encode(), "ci-eval.yaml")
    return Config("ci-eval.yaml", validate(Policy, document), document)


# --- 57: templates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{x.__class__.__init__.__globals__}", "{{x.__class__}}", "{{ x['a'] }}", "{{x[0]}}", "{{7*7}}", "{{x|upper}}",
        "{{config.items()}}", "{{''.__class__.__mro__}}", "{% for i in range(9**9) %}x{% endfor %}", "{{x()}}",
        "{x!r:>999999999}", "{x:{x}}", "{{lipsum.__globals__}}", "${x}", "{{x }} }}", "%(x)999999999s", "{{#x}}{{/x}}",
        "{{{{", "}}}}", "{{> x}}", "{{& x}}", "{{x,y}}",
    ],
)  # fmt: skip
def test_57_there_is_no_template_language(text: str) -> None:
    """`{{name}}` and nothing else; where a name stands in something larger, only the name is filled in."""
    filled = subject(text).request(case({"x": "VALUE"})).messages[0].content
    assert filled == re.sub(r"\{\{ *x *\}\}", "VALUE", text)


@pytest.mark.parametrize(
    "name",
    ["__class__", "__init__", "self", "case", "fields", "env", "os", "expected", "id", "keys", "items", "X", "x1"],
)
def test_57_only_fields_of_the_input_have_names(name: str) -> None:
    target = subject(f"first\n{{{{{name}}}}}\n")
    message = refusal(lambda: target.request(case({"x": "1"})))
    assert message == (
        f'p.md:2: unknown variable "{name}" (case a has x); name a field of the cases\' input, or remove it'
    )
    assert "its input is not an object" in refusal(lambda: target.request(case("text")))


@pytest.mark.parametrize(
    "value", ["{{secret}}", "{{x}}", "{{{{secret}}}}", "\\1", "\\g<0>", "{secret}", "{{", "}}", "$1"]
)
def test_57_nothing_is_expanded_twice(value: str) -> None:
    target = subject("{{x}}{{x}} {{{{x}}}}", user="{{x}}")
    request = target.request(case({"x": value, "secret": SECRET}))
    assert request.messages[0].content == f"{value}{value} {{{{{value}}}}}"
    assert request.messages[1].content == value


def test_57_a_small_prompt_makes_no_large_request() -> None:
    target = subject("{{x}}" * 100_000, user="{{x}}" * 1000)
    message = refusal(lambda: target.request(case({"x": "y" * 500_000})))
    assert message == 'p.md: the request of case "a" is too large; shorten it'


# --- 58: paths and special files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "../secret", "a/../../secret", "/etc/passwd", "/proc/self/environ", "/dev/zero", "/dev/stdin", "file:///etc/passwd",
        "..", ".", "", "a/..", "a//b", "./a", "\\\\host\\share", "C:\\x", "C:/x\\y", "a\x00b", "a\nb", "a\u202eb",
        "../" * 40,
        "..\\secret", "a/./b", "a/", "http://a//b",
    ],
)  # fmt: skip
def test_58_a_path_stays_in_the_repository(repo: Repo, path: str) -> None:
    assert "not a path in the repository" in refusal(lambda: loaded(path))
    repo.write("a/b", "x")
    at = repo.at()
    assert "is not in the repository" in refusal(lambda: at.read(path))


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "/proc/self/environ", "a/../../secret"])
@pytest.mark.parametrize("key", ["train"])
def test_58_so_does_a_path_in_a_model_config(key: str, path: str) -> None:
    model = f"provider: local\nmodel: minilm\n{key}: {path}\n"
    message = refusal(lambda: subject("p", model))
    assert message.startswith(f"m.yaml:3: {key}: not a path in the repository; ")


@pytest.mark.parametrize("name", [".git/config", ".git/HEAD", ".git/index"])
def test_58_the_git_directory_is_not_in_a_snapshot(repo: Repo, name: str) -> None:
    repo.write("a", "x")
    for at in (repo.at(), snapshot.of_work_tree(repo.git)):
        assert "is not in the repository" in refusal(lambda at=at: at.read(name))  # type: ignore[misc]


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "/proc/self/environ", "/dev/zero", "../../../../etc/passwd", "/dev/stdin"]
)
def test_58_a_link_is_no_way_out(repo: Repo, target: str) -> None:
    repo.symlink("p.md", target)
    for at in (repo.at(), snapshot.of_work_tree(repo.git)):
        assert "is a link that leaves the repository" in refusal(lambda at=at: at.read("p.md"))  # type: ignore[misc]


def test_58_pipes_and_sockets_in_the_work_tree_are_not_there(repo: Repo) -> None:
    repo.write("p.md", "x")
    repo.commit()
    repo.delete("p.md")
    os.mkfifo(repo.folder / "p.md")
    at = snapshot.of_work_tree(repo.git)
    assert "is not in the repository" in refusal(lambda: at.read("p.md"))


def test_58_what_lies_in_the_checkout_is_not_what_is_read(repo: Repo) -> None:
    """A step before ours may have changed it."""
    repo.write("p.md", "committed")
    at = repo.at()
    repo.symlink("p.md", "/etc/passwd")
    assert at.read("p.md") == b"committed"


def test_58_a_file_without_end_is_cut() -> None:
    assert "larger than 64 MiB" in refusal(lambda: read_file(Path("/dev/zero")))


# --- 59: YAML that makes objects --------------------------------------------------------------------------------------

OBJECTS = [
    "!!python/object/apply:os.system ['touch {marker}']",
    "!!python/object/new:os.system ['touch {marker}']",
    "!!python/object:os.system {}",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple [1]",
    "!!python/str x",
    "!!map {a: 1}",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!timestamp 2026-01-01",
    "!!float 1",
    "!!int '1'",
    "!!null ''",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {marker}']",
    "!custom x",
    "! x",
    "!!str 1",
    "!!merge <<",
    "!!value =",
]


@pytest.mark.parametrize("value", OBJECTS)
@pytest.mark.parametrize(
    "place", ["{}", "a: {}", "- {}", "{}: 1", "a: [b, {}]", "%TAG ! tag:yaml.org,2002:\n---\na: {}"]
)
def test_59_no_tag_is_obeyed(marker: Path, value: str, place: str) -> None:
    text = place.replace("{}", value.replace("{marker}", str(marker)))
    assert refusal(lambda: read_yaml(text.encode(), "f"))
    assert refusal(lambda: read_rows(text.encode(), "f.yaml"))


# --- 60: YAML bombs ---------------------------------------------------------------------------------------------------


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = {
    "billion laughs": laughs(12),
    "itself": "a: &a [*a]",
    "itself in a key": "&a {*a : 1}",
    "merge": "a: &a {x: 1}\n" + "\n".join(f"b{n}: &b{n} {{<<: [*a, *a]}}" for n in range(20)),
    "merge without an anchor": "a: {<<: {x: 1}}",
    "deep flow": "[" * 100_000,
    "deep flow closed": "[" * 100_000 + "]" * 100_000,
    "deep mappings": "{a: " * 50_000,
    "deep blocks": "- " * 100_000 + "x",
    "deep indentation": "\n".join(" " * n + "a:" for n in range(600)),
    "deep keys": "? " * 50_000,
    "question marks": "? [" * 1000,
    "large": "a: " + "x" * CONFIG_LIMIT,
    "large comment": "#" * (CONFIG_LIMIT + 1),
    "many documents": "---\n" * 10_000,
    "unclosed quotes": '"' + "a" * 100_000,
    "alias of nothing": "a: *nothing",
    "anchor and tag": "a: &x !!str b",
    "duplicate": "a: 1\n" * 1000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_60_bombs_do_not_go_off(name: str) -> None:
    message = refusal(lambda: read_yaml(BOMBS[name].encode(), "ci-eval.yaml"))
    assert message.startswith("ci-eval.yaml")
    assert message.isprintable()
    assert len(message) < 300


def test_60_a_key_cannot_hide_behind_a_line_break_that_is_not_seen() -> None:
    """To YAML a line ends there; to the reviewer it is one comment."""
    for char in "\r\x85\u2028\u2029":
        text = f"version: 1\n# the limit is reviewed yearly{char}max_drop: 99\n"
        assert "a line break that is not seen" in refusal(lambda text=text: read_yaml(text.encode(), "f"))  # type: ignore[misc]


# --- 61: oddities of JSON ---------------------------------------------------------------------------------------------

ODDITIES = {
    "NaN": "NaN", "minus NaN": "-NaN", "Infinity": "Infinity", "minus": "-Infinity", "nan": "nan", "too large": "1e400",
    "too small": "-1e400", "long": "1" * 5000, "long fraction": "1" * 400 + ".0", "plus": "+1", "octal": "010",
    "hex": "0x10", "bare point": ".5", "point": "5.", "underscore": "1_000", "arabic digits": "١٢",
    "deep list": "[" * 100_000, "deep closed list": "[" * 5000 + "]" * 5000, "deep object": '{"a":' * 100_000,
    "51 deep": "[" * 51 + "1" + "]" * 51, "duplicate": '{"a": 1, "a": 1}',
    "escaped duplicate": '{"a": 1, "\\u0061": 2}',
    "duplicate deep": '[{"b": {"a": 1, "a": 2}}]', "high surrogate": '"\\ud800"', "low surrogate": '"\\udc00"',
    "swapped pair": '"\\udc00\\ud800"', "surrogate key": '{"\\ud800": 1}', "NUL": '"\x00"', "newline": '"a\nb"',
    "tab": '"a\tb"', "single quotes": "{'a': 1}", "comment": "// x\n1", "block comment": "/* x */ 1",
    "trailing comma": "[1,]", "object comma": '{"a": 1,}', "no value": '{"a"}', "two values": "1 2", "nothing": "",
    "blank": " ", "True": "True", "undefined": "undefined", "half": '{"a": ', "bad escape": '"\\x41"',
    "short escape": '"\\u12"', "unicode space": "\u00a01", "BOM inside": '{"a": \ufeff1}', "form feed": "\x0c1",
}  # fmt: skip


@pytest.mark.parametrize("name", ODDITIES)
def test_61_what_parsers_disagree_on_is_refused(name: str) -> None:
    text = ODDITIES[name]
    readers: list[Callable[[], object]] = [
        lambda: parse_json(text, "f"),
        lambda: read_json(text.encode(), "f"),
        lambda: read_rows(f"[\n{text}\n]".encode(), "f.json"),
    ]
    for read in readers:
        if not (text.strip(" ") == "" and read is readers[2]):
            assert refusal(read).isprintable()
    if "surrogate" not in name and "pair" not in name:
        assert refusal(lambda: parse_reply(text.encode()))
    if text.strip(" ") and "\n" not in text:
        assert refusal(lambda: read_jsonl(f"{{}}\n{text}\n".encode(), "f")).startswith("f:2: ")


@pytest.mark.parametrize(
    "data",
    [b"\xff", b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf5\x80\x80\x80"', b"\xff\xfe1\x00", b"\xef\xbb\xbf1", b'"\xe9"'],
)
def test_61_only_utf_8(data: bytes) -> None:
    for read in (read_json, read_jsonl, read_yaml):
        assert "f:1: " in refusal(lambda read=read: read(data, "f"))  # type: ignore[misc]
    assert refusal(lambda: parse_reply(data))


def test_61_a_row_ends_at_a_line_feed_and_nowhere_else() -> None:
    for char in ("\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"):
        inside = json.dumps({"a": f"x{char}y"}, ensure_ascii=False) if char not in "\x0b\x0c\x1c\x1d\x1e" else None
        if inside:
            assert [row.value for row in read_jsonl(inside.encode(), "f")] == [{"a": f"x{char}y"}]
        hidden = f'{{"a": 1}}{char}{{"a": 2}}\n'
        assert refusal(lambda hidden=hidden: read_jsonl(hidden.encode(), "f")).startswith("f:1: ")  # type: ignore[misc]


# --- 64: schemas that fetch -------------------------------------------------------------------------------------------


def schema_scorer(schema: JSON, answer: str = '{"a": 1}') -> bool:
    """Whether an answer passes a schema."""
    at = held({"s.json": json.dumps(schema)})
    policy = validate(JsonSchema, Document("c", {"type": "json_schema", "schema": "s.json"}))

    def embed(texts: object) -> list[list[float]]:
        raise AssertionError(texts)

    return policy.bind(Resources(at, embed, nobody, nobody))(Said(answer), case("x")).passed


PLACES: list[Callable[[JSON], JSON]] = [
    lambda ref: {"type": "object", **_as_dict(ref)},
    lambda ref: {"properties": {"a": ref}},
    lambda ref: {"allOf": [{"anyOf": [ref]}]},
    lambda ref: {"$defs": {"unused": ref}, "type": "object"},
    lambda ref: {"items": ref, "type": "object"},
    lambda ref: {"if": ref, "then": True},
    lambda ref: {"not": {"not": ref}},
    lambda ref: {"unknownKeyword": [{"deep": ref}], "type": "object"},
]


def _as_dict(value: JSON) -> dict[str, JSON]:
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("key", ["$ref", "$dynamicRef", "$recursiveRef"])
@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_64_no_reference_leaves_the_schema(key: str, place: Callable[[JSON], JSON], tmp_path: Path) -> None:
    local = tmp_path / "schema.json"
    local.write_text("{}")
    with Server(Answer(body=b"{}")) as server:
        for target in (
            server.origin,
            f"{server.origin}/x#/a",
            local.as_uri(),
            "other.json",
            "//127.0.0.1/x",
            "urn:x",
            "",
            "../x#",
        ):
            message = refusal(lambda target=target: schema_scorer(place({key: target})))  # type: ignore[misc]
            assert message.startswith("s.json:1: ")
            assert 'write references that start with "#"' in message
        for odd in (7, None, ["#"], {"a": "#"}):
            refusal(lambda odd=odd: schema_scorer(place({key: odd})))  # type: ignore[misc]
    assert server.connections == 0


def test_64_an_id_does_not_turn_a_local_reference_into_a_foreign_one() -> None:
    with Server(Answer(body=b'{"type": "string"}')) as server:
        for schema in (
            {"$id": f"{server.origin}/s", "$ref": "#/missing"},
            {"$id": f"{server.origin}/s", "$ref": "#anchor"},
            {"$id": f"{server.origin}/s", "properties": {"a": {"$id": "t", "$ref": "#/x"}}},
            {"id": f"{server.origin}/s", "$schema": "http://json-schema.org/draft-04/schema#", "$ref": "#/missing"},
            {"$schema": "https://json-schema.org/draft/2019-09/schema", "$id": server.origin, "$recursiveRef": "#x"},
        ):
            try:
                assert not schema_scorer(schema)
            except InputError:
                continue
    assert server.connections == 0


@pytest.mark.parametrize(
    "kind", ["http://127.0.0.1:{port}/meta", "https://json-schema.org/draft/2099-01/schema", "", 7, ["x"], None, {}]
)
def test_64_only_known_dialects(kind: object) -> None:
    with Server(Answer(body=b"{}")) as server:
        named = kind.format(port=server.port) if isinstance(kind, str) else kind
        message = refusal(lambda: schema_scorer({"$schema": named, "type": "object"}))
    assert message.startswith("s.json:1: ")
    assert server.connections == 0


def test_64_references_within_the_schema_are_followed() -> None:
    schema = {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    assert schema_scorer(schema)
    assert not schema_scorer(schema, '{"a": "x"}')


def test_the_project_itself_loads() -> None:
    """So what is refused above is not refused because nothing loads."""
    document = read_yaml((PROJECT / "ci-eval.yaml").read_bytes(), "ci-eval.yaml")
    assert validate(configs.Policy, document).suites
