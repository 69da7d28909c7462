"""Rows 43, 45, 47, 48, 50 to 52, 55 and 58 of the threat model, for targets that are the user's own service or code."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gated import Silent, rows
from http_server import Answer, Server
from making import held
from repo import Repo

from ci_eval import config as configs
from ci_eval.child import Child, ChildError
from ci_eval.config import Subject, TargetPolicy
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation.session import Origin
from ci_eval.gate import Gate
from ci_eval.git import Git
from ci_eval.outcome.model import GateOutcome
from ci_eval.providers.base import ProviderError, Reply, Request
from ci_eval.providers.own_reply import to_reply
from ci_eval.providers.pipe import OnEnd, OnLine, Pipe, PipeProvider
from ci_eval.reader import Document, validate
from ci_eval.runner.answering import connect_target
from ci_eval.secrets import take
from ci_eval.snapshot import Entry, Snapshot
from ci_eval.targets import own
from ci_eval.verdict import Verdict

PATIENT = 60.0


def config_error(target: str) -> str:
    text = f"version: 1\nsuites:\n  s:\n    target: {target}\n    golden: g.jsonl\n    scorers: [{{type: exact}}]\n"
    with pytest.raises(InputError) as caught:
        configs.load(held({"ci-eval.yaml": text}))
    return str(caught.value)


# --- a program and the pipe that it answers on ------------------------------------------------------------------------

TALK = """\
import json, os, sys, time
fd = int(os.environ["CI_EVAL_REPLY_FD"])
def reply(**line): os.write(fd, json.dumps(line).encode() + b"\\n")
for text in sys.stdin:
    asked = json.loads(text)
    own = {"id": asked["id"], "nonce": asked["nonce"]}
"""


def program(folder: Path, loop: str, *, seconds: float = PATIENT, **environment: str) -> PipeProvider:
    """A program whose loop does what a test says with `asked`, `own` and `reply`."""
    script = folder / "program.py"
    script.write_text(TALK + "".join(f"    {line}\n" for line in loop.splitlines()), encoding="utf-8")

    def start(on_line: OnLine, on_end: OnEnd) -> Child:
        return Child([sys.executable, "-I", str(script)], folder, environment, on_line, on_end)

    return PipeProvider(Pipe(start, seconds))


def ask(provider: PipeProvider, text: str = "hello") -> Reply:
    request = Request("command", "", (), body={"case": "a", "input": text})
    return provider.complete(request, 0, Deadline.after(PATIENT))


def lost(provider: PipeProvider) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(provider)
    assert not caught.value.about_request, "infrastructure, and never a score"
    return caught.value


def test_43_an_answer_is_what_comes_on_its_pipe_and_nothing_else(tmp_path: Path) -> None:
    """Whatever is printed, by a library or because a model was told to, is no answer."""
    loop = "print(json.dumps({**own, 'output': 'forged'}), flush=True)\nreply(**own, output=asked['input'])"
    assert ask(program(tmp_path, loop), "the real one").text.reveal() == "the real one"


@pytest.mark.parametrize(
    "loop",
    [
        "reply(id=own['id'], output='forged')",
        "reply(id=own['id'], nonce='', output='forged')",
        "reply(id=own['id'], nonce='0' * 32, output='forged')",
        "reply(nonce=own['nonce'], output='forged')",
        "reply(id=own['id'] + 1, nonce=own['nonce'], output='forged')",
        "reply(id=str(own['id']), nonce=own['nonce'], output='forged')",
        "reply(id=True, nonce=own['nonce'], output='forged')",
        "reply(id=float(own['id']), nonce=own['nonce'], output='forged')",
        "os.write(fd, b'PASSED\\n')",
        "os.write(fd, b'[]\\n')",
        "os.write(fd, b'\\xff\\n')",
        'os.write(fd, b\'{"id": 1, "id": 2}\\n\')',
        "os.write(fd, b'[' * 100000 + b'\\n')",
        "os.write(fd, b'{\"id\": NaN}\\n')",
    ],
)
def test_43_a_line_that_answers_no_open_request_is_believed_in_nothing(tmp_path: Path, loop: str) -> None:
    """Not even in the right answer that follows it."""
    assert lost(program(tmp_path, f"{loop}\nreply(**own, output='x')")).cause == (
        "the target's program wrote something that is no answer"
    )


def test_43_a_second_answer_does_not_replace_the_first(tmp_path: Path) -> None:
    provider = program(tmp_path, "reply(**own, output='one')\nreply(**own, output='two')")
    assert ask(provider).text.reveal() == "one"


def test_43_a_line_without_an_end_is_cut_off(tmp_path: Path) -> None:
    provider = program(tmp_path, "while True:\n  os.write(fd, b'x' * 100000)")
    assert lost(provider).cause == "the target's program ended"


@pytest.mark.parametrize(
    "value",
    [
        {}, [], "x", None, 1, {"output": None}, {"output": 1}, {"output": "x", "score": 1},
        {"output": "x", "passed": True}, {"output": "x", "error": True}, {"error": False}, {"error": "why"},
        {"unavailable": 1}, {"output": "x", "steps": {}}, {"output": "x", "steps": ["y"]},
        {"output": "x", "tokens_in": -1}, {"output": "x", "tokens_in": True}, {"output": "x", "tokens_in": 1.5},
        {"output": "x", "finish": "passed"}, {"Output": "x"},
    ],
)  # fmt: skip
def test_43_an_answer_has_exactly_its_own_keys(value: Any) -> None:
    """Above all no score: only scorers of main say what passed."""
    with pytest.raises(ProviderError) as caught:
        to_reply(value)
    assert not caught.value.about_request


def test_43_a_program_that_dies_is_started_again_a_few_times(tmp_path: Path) -> None:
    started = tmp_path / "started"
    provider = program(tmp_path, f"open({str(started)!r}, 'a').write('x')\nos._exit(1)")
    causes = {lost(provider).cause for _ in range(7)}
    assert causes == {"the target's program ended", "the target's program ended too often"}
    assert started.read_text(encoding="utf-8") == "xxxx"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text(encoding="utf-8")


def gone(pid: int) -> bool:
    """Killing takes the kernel a moment."""
    until = time.monotonic() + PATIENT
    while alive(pid) and time.monotonic() < until:
        os.sched_yield()
    return not alive(pid)


def test_129_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """It takes no signal that it could ignore, and its own children go with it."""
    pids = tmp_path / "pids"
    loop = (
        "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "inner = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{inner.pid}}')\n"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r})\ntime.sleep(600)"
    )
    provider = program(tmp_path, loop, seconds=2)
    assert lost(provider).cause == "timeout"
    assert all(gone(int(pid)) for pid in pids.read_text(encoding="utf-8").split())


def test_129_a_program_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """A request larger than the pipe would wait for ever."""
    (tmp_path / "deaf.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    lines: list[bytes] = []
    child = Child([sys.executable, "-I", "deaf.py"], tmp_path, {}, lines.append, lambda: None)
    with pytest.raises(ChildError, match="takes no more requests"):
        child.send(b"x" * 4_000_000, Deadline.after(0.5))
    child.kill()


def test_a_program_ends_with_whoever_asked_it(tmp_path: Path) -> None:
    provider = program(tmp_path, "reply(**own, output=str(os.getpid()))")
    pid = int(ask(provider).text.reveal())
    assert alive(pid)
    del provider
    gc.collect()
    assert gone(pid)


# --- 45, 47, 48: a service of one's own -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://attacker.example/x", "https://attacker.example\\\\@localhost/", "https://a@attacker.example/",
        "http://134744072/", "https://x/?to=y", "https://x/#y", "ftp://localhost/", "localhost:8080", "//localhost/",
        "file:///etc/passwd", "",
    ],
)  # fmt: skip
def test_45_a_service_has_an_origin_that_cannot_be_misread(url: str) -> None:
    assert "ci-eval.yaml:4: " in config_error(f'{{http: "{url}"}}')


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "RUNNER_TEMP", "INPUT_GITHUB_TOKEN", "key", ""]
)
def test_47_no_target_is_given_a_variable_of_the_runner(name: str) -> None:
    assert "ci-eval.yaml:4: " in config_error(f'{{http: "http://localhost/", key_env: "{name}"}}')
    assert "ci-eval.yaml:4: " in config_error(f'{{command: [x], files: [x], env: ["{name}"]}}')


def test_48_a_redirect_carries_nothing_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Server(Answer()) as thief:
        with Server(Answer(307, b"", {"Location": thief.origin})) as service:
            target = {"http": f"{service.origin}/answer", "key_env": "DESK_KEY"}
            monkeypatch.setenv("DESK_KEY", "canary-1")
            provider = connected(target, tmp_path).provider
            with pytest.raises(ProviderError, match="redirect refused"):
                provider.complete(Request("http", "", (), body={"case": "a"}), 0, Deadline.after(PATIENT))
        assert thief.received == []


def connected(target: Mapping[str, Any], folder: Path, files: Mapping[str, str] | None = None) -> Any:
    """A target of a policy, ready to be asked."""
    text = {"version": 1, "suites": {"s": {"target": dict(target), "golden": "g", "scorers": [{"type": "exact"}]}}}
    at = held({"ci-eval.json": json.dumps(text), **(files or {})})
    policy = validate(TargetPolicy, Document("ci-eval.yaml", dict(target)))
    names = [*policy.env, *([policy.key_env] if policy.key_env else [])]
    main = configs.load(held({"ci-eval.yaml": json.dumps(text)}))
    loaded = own.load(at, Subject(None, None, None, ()), policy)
    return connect_target(main, "s", loaded, take(dict(os.environ), names))


# --- 50: whose code is run --------------------------------------------------------------------------------------------

POLICY = """\
version: 1
suites:
  s:
    target: {command: [PYTHON, bot/main.py], files: [bot/**], prompt: prompt.mdMORE}
    golden: golden.jsonl
    scorers: [{type: exact}]
budget: {seconds: 600}
"""
MAIN = TALK.replace('    own = {', "    open(MARKER, 'a').write('main')\n    own = {").replace(
    "import json", "MARKER = '{marker}'\nimport json"
) + "    reply(**own, output='yes')\n"  # fmt: skip


@dataclass(frozen=True)
class Product:
    """A repository whose target is code that leaves a mark when it runs."""

    repo: Repo
    folder: Path

    @classmethod
    def new(cls, repo: Repo, folder: Path, more: str = "") -> Product:
        product = cls(repo, folder)
        policy = POLICY.replace("PYTHON", json.dumps(sys.executable)).replace("MORE", more)
        repo.write("ci-eval.yaml", policy)
        repo.write("bot/main.py", product.main)
        repo.write("prompt.md", "Be kind.\n")
        repo.write("golden.jsonl", rows({"id": "a", "input": "q", "expected": "yes"}))
        repo.commit("main")
        repo.branch("change")
        return product

    @property
    def marker(self) -> Path:
        return self.folder / "ran"

    @property
    def main(self) -> str:
        return MAIN.replace("{marker}", str(self.marker))

    @property
    def theirs(self) -> str:
        return self.main.replace("write('main')", "write('HEAD')")

    def gate(self, event: str, memory: Any = None, *, fork: bool = False) -> GateOutcome:
        from ci_eval.snapshot import at_commit

        base = at_commit(self.repo.git, self.repo.git.commit("main"))
        head = self.repo.at("a pull request")
        out = self.folder / "out"
        gate = Gate(base, head, "ci-eval.yaml", lambda _: {}, Silent(), out, Origin(event), lambda _: memory, fork=fork)
        return gate.run()

    def ran(self) -> set[str]:
        text = self.marker.read_text(encoding="utf-8") if self.marker.exists() else ""
        return {text[at : at + 4] for at in range(0, len(text), 4)}


PULLS = ["pull_request", "merge_group", "workflow_dispatch", "local"]
"""A commit that somebody names on a laptop is as much of a stranger as a pull request's."""


@pytest.mark.parametrize("event", PULLS)
def test_50_changed_code_of_a_pull_request_does_not_run(repo: Repo, tmp_path: Path, event: str) -> None:
    product = Product.new(repo, tmp_path)
    repo.write("bot/main.py", product.theirs)
    with pytest.raises(Inconclusive, match=r"^bot/main\.py changed, and a pull request's code is run only where main"):
        product.gate(event)
    assert product.ran() == set()


@pytest.mark.parametrize("event", PULLS)
def test_50_code_that_is_as_on_main_runs_for_a_changed_prompt(repo: Repo, tmp_path: Path, event: str) -> None:
    product = Product.new(repo, tmp_path)
    repo.write("prompt.md", "Be brief.\n")
    assert product.gate(event).verdict is Verdict.PASS
    assert product.ran() == {"main"}


@pytest.mark.parametrize("event", PULLS)
def test_50_where_mains_policy_trusts_it_changed_code_runs(repo: Repo, tmp_path: Path, event: str) -> None:
    product = Product.new(repo, tmp_path, ", code: trusted")
    repo.write("bot/main.py", product.theirs)
    assert product.gate(event).verdict is Verdict.PASS
    assert product.ran() == {"main", "HEAD"}


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment"])
@pytest.mark.parametrize("more", ["", ", code: trusted"])
@pytest.mark.parametrize("path", ["prompt.md", "bot/main.py"])
def test_50_on_a_privileged_event_no_code_runs_at_all(
    repo: Repo, tmp_path: Path, event: str, more: str, path: str
) -> None:
    product = Product.new(repo, tmp_path, more)
    repo.write(path, product.theirs if path.endswith("py") else "Be brief.\n")
    with pytest.raises(Inconclusive, match=f"^on {event} no code of the repository is run"):
        product.gate(event)
    assert product.ran() == set()


@pytest.mark.parametrize("more", ["", ", code: trusted"])
@pytest.mark.parametrize("path", ["prompt.md", "bot/main.py"])
def test_50_for_a_fork_no_code_runs_where_there_are_secrets(repo: Repo, tmp_path: Path, more: str, path: str) -> None:
    product = Product.new(repo, tmp_path, more)
    repo.write(path, product.theirs if path.endswith("py") else "Be brief.\n")
    with pytest.raises(Inconclusive, match=r"^on workflow_dispatch no code is run for a pull request from a fork"):
        product.gate("workflow_dispatch", fork=True)
    assert product.ran() == set()


def trusts_itself(product: Product) -> None:
    text = (product.repo.folder / "ci-eval.yaml").read_text(encoding="utf-8")
    product.repo.write("ci-eval.yaml", text.replace("prompt: prompt.md", "code: trusted, prompt: prompt.md"))
    product.repo.write("bot/main.py", product.theirs)


def narrows_files(product: Product) -> None:
    text = (product.repo.folder / "ci-eval.yaml").read_text(encoding="utf-8")
    product.repo.write("ci-eval.yaml", text.replace("files: [bot/**]", "files: [prompt.md]"))
    product.repo.write("bot/main.py", product.theirs)


def adds_a_file(product: Product) -> None:
    product.repo.write("bot/json.py", f"open({str(product.marker)!r}, 'a').write('HEAD')\n")


def links_away(product: Product) -> None:
    product.repo.write("evil.py", product.theirs)
    product.repo.symlink("bot/main.py", "../evil.py")


def removes_a_file(product: Product) -> None:
    product.repo.delete("bot/main.py")
    product.repo.write("bot/other.py", "1\n")


def sets_a_mode(product: Product) -> None:
    (product.repo.folder / "bot/main.py").chmod(0o755)


@pytest.mark.parametrize("does", [trusts_itself, narrows_files, adds_a_file, links_away, removes_a_file, sets_a_mode])
def test_50_no_way_round_it(repo: Repo, tmp_path: Path, does: Callable[[Product], None]) -> None:
    """Whether the code changed is said by main's patterns, over names, modes, links and contents."""
    product = Product.new(repo, tmp_path)
    does(product)
    with pytest.raises(Inconclusive, match="changed, and a pull request's code is run only"):
        product.gate("pull_request")
    assert product.ran() == set()


def test_50_a_command_of_head_does_not_run(repo: Repo, tmp_path: Path) -> None:
    product = Product.new(repo, tmp_path)
    text = (repo.folder / "ci-eval.yaml").read_text(encoding="utf-8")
    touch = f'["touch", {json.dumps(str(tmp_path / "hacked"))}]'
    repo.write("ci-eval.yaml", text.replace(f"[{json.dumps(sys.executable)}, bot/main.py]", touch))
    repo.write("prompt.md", "Be brief.\n")
    assert product.gate("pull_request").verdict is Verdict.PASS
    assert not (tmp_path / "hacked").exists()


def test_50_a_chat_that_head_turns_into_code_stays_a_chat(repo: Repo, tmp_path: Path) -> None:
    product = Product.new(repo, tmp_path)
    code = (repo.folder / "ci-eval.yaml").read_text(encoding="utf-8")
    repo.checkout("main")
    chat = code.replace("version: 1\n", "version: 1\nproviders: {local: {api: local}}\n").replace(
        f"command: [{json.dumps(sys.executable)}, bot/main.py], files: [bot/**], prompt: prompt.md",
        "prompt: prompt.md, model: model.yaml",
    )
    repo.write("ci-eval.yaml", chat)
    repo.write("model.yaml", "provider: local\nmodel: minilm\n")
    repo.commit("a chat")
    repo.branch("again")
    repo.write("ci-eval.yaml", code)
    with pytest.raises(InputError, match="merge another kind of target first"):
        product.gate("pull_request")
    assert product.ran() == set()


def test_118_a_service_that_was_deployed_anew_is_asked_for_main_too(repo: Repo, tmp_path: Path) -> None:
    """What main's stored runs asked may have been another deployment, under the same prompt and config."""
    with Server(Answer(200, b'{"output": "yes"}')) as service:
        product = Product.new(repo, tmp_path)
        repo.checkout("main")
        text = (repo.folder / "ci-eval.yaml").read_text(encoding="utf-8")
        command = f"command: [{json.dumps(sys.executable)}, bot/main.py], files: [bot/**]"
        repo.write("ci-eval.yaml", text.replace(command, f'http: "{service.origin}/answer"'))
        repo.commit("a service")
        repo.branch("again")
        repo.write("prompt.md", "Be brief.\n")
        assert product.gate("pull_request", Unread()).verdict is Verdict.PASS
        assert len(service.received) == 2


class Unread:
    """A memory of main that nobody may look into."""

    def recall(self, *_: object) -> Any:
        pytest.fail("main's stored runs were read")

    def history(self, *_: object) -> Any:
        """They may say which cases are telling."""
        return ()


# --- 51, 52, 55, 58: what a program finds when it starts --------------------------------------------------------------


def test_51_a_program_has_no_variable_that_main_did_not_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "OPENAI_API_KEY", "INPUT_GITHUB-TOKEN", "ACTIONS_RUNTIME_TOKEN", "LD_PRELOAD_X",
                 "PYTHONPATH", "PYTHONSTARTUP", "HTTPS_PROXY"):  # fmt: skip
        monkeypatch.setenv(name, "canary")
    provider = program(tmp_path, "reply(**own, output=json.dumps(dict(os.environ)))", DESK_KEY="listed")
    seen = json.loads(ask(provider).text.reveal())
    assert seen.keys() - {"LC_CTYPE"} == {"PATH", "HOME", "LANG", "PYTHONUTF8", "CI_EVAL_REPLY_FD", "DESK_KEY"}
    assert "canary" not in json.dumps(seen)
    assert seen["HOME"] == str(tmp_path)


def test_51_a_program_has_no_file_of_ours_open(tmp_path: Path) -> None:
    secret = (tmp_path / "secret").open("w")
    os.set_inheritable(secret.fileno(), True)
    loop = (
        "found = []\nfor number in os.listdir('/proc/self/fd'):\n  try:\n    found.append("
        "os.readlink('/proc/self/fd/' + number))\n  except OSError:\n    pass\nreply(**own, output=' '.join(found))"
    )
    provider = program(tmp_path, loop)
    with secret:
        assert "secret" not in ask(provider).text.reveal()


def test_51_a_variable_that_is_listed_and_not_set_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive, match="DESK_KEY is not set"):
        connected({"command": ["x"], "files": ["x.py"], "env": ["DESK_KEY"]}, tmp_path, {"x.py": "1"})


HIJACK = "import os\nos.write(int(os.environ['CI_EVAL_REPLY_FD']), b'hijacked\\n')\n"


def test_52_nothing_in_the_folder_is_imported_before_the_function_is(tmp_path: Path) -> None:
    """The program starts in a folder of the repository's files, and isolated."""
    names = ("json", "os", "threading", "importlib", "sitecustomize", "usercustomize", "concurrent", "sys")
    files = {f"{name}.py": HIJACK for name in names}
    app = "import sys\n\ndef answer(asked):\n    return ' '.join(sys.path[:2])\n"
    answerer = connected(
        {"python": "app.pipeline:answer", "files": ["**"]},
        tmp_path,
        {**files, "app/__init__.py": "", "app/pipeline.py": app},
    )
    reply = answerer.provider.complete(Request("python", "", (), body={"case": "a"}), 0, Deadline.after(PATIENT))
    first, second = reply.text.reveal().split(" ")
    assert "ci-eval-target-" in first
    assert "ci_eval" not in second


def test_55_a_command_is_a_list_of_words_and_no_shell_reads_it(tmp_path: Path) -> None:
    script = f"{TALK}    reply(**own, output=sys.argv[1])\n"
    word = "$(touch hacked); `id` > x && $HOME *"
    target = {"command": [sys.executable, "-I", "a.py", word], "files": ["a.py"]}
    provider = connected(target, tmp_path, {"a.py": script}).provider
    reply = provider.complete(Request("command", "", (), body={"case": "a"}), 0, Deadline.after(PATIENT))
    assert reply.text.reveal() == word
    assert "must be a list" in config_error('{command: "python a.py", files: [a.py]}')


@pytest.mark.parametrize(
    "path", ["../evil.py", "a/../../evil.py", "/etc/evil.py", ".git/config", "a/.git/hooks/x", "a//b"]
)
def test_58_a_tree_that_names_a_place_outside_is_refused(path: str) -> None:
    """No checkout would write it, and neither do we."""
    at = Snapshot(Git(Path("/nowhere")), {path: Entry("100644", "1" * 40)}, None, {"1" * 40: b"x"})
    with pytest.raises(InputError, match="not a path that can be written"):
        own.code_files(at, ["**"])


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_58_links_out_of_the_repository_and_submodules_are_no_code(mode: str) -> None:
    at = Snapshot(Git(Path("/nowhere")), {"a": Entry(mode, "1" * 40)}, None, {"1" * 40: b"/etc/passwd"})
    with pytest.raises(InputError, match=r"submodule|leaves the repository"):
        own.code_files(at, ["**"])
