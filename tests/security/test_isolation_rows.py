"""Rows 51, 52, 63, 65, 109, 110, 113 and 133 of the threat model: what runs beside the keys, and what holds it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from making import held, resources
from repo import Repo

from ci_eval import container
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import ProviderError
from ci_eval.reader import Document, append_lines, read_file
from ci_eval.scorers import schema_check
from ci_eval.scorers.base import Answer, Scoring
from ci_eval.scorers.json_schema import JsonSchema, problem_of, validator_of
from ci_eval.scorers.schema_size import expanded_size

PATIENT = 60.0
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) and /proc are Linux's")
KEY = "canary-of-the-job-4711"

# --- 51: a target's program looks for keys ----------------------------------------------------------------------------

SNOOP = """\
import ctypes, glob, json, os, sys

def attempt(read):
    try:
        return read()
    except OSError as error:
        return error.strerror

def holds(path):
    return b"canary-of-the-job" in open(path, "rb").read()

def memory():
    parent = f"/proc/{os.getppid()}"
    spans = [line.split()[0].split("-") for line in open(f"{parent}/maps") if "[heap]" in line or "[stack]" in line]
    with open(f"{parent}/mem", "rb", 0) as mem:
        for start, end in spans:
            mem.seek(int(start, 16))
            if b"canary-of-the-job" in mem.read(int(end, 16) - int(start, 16)):
                return True
    return False

def attach():
    libc = ctypes.CDLL(None, use_errno=True)
    seize = 0x4206  # which does not stop it
    return libc.ptrace(seize, os.getppid(), None, None) == 0 or os.strerror(ctypes.get_errno())

def anywhere():
    return any(attempt(lambda: holds(path)) is True for path in glob.glob("/proc/[0-9]*/task/*/environ"))

found = {
    "environment": attempt(lambda: holds(f"/proc/{os.getppid()}/environ")),
    "memory": attempt(memory),
    "descriptors": attempt(lambda: bool(os.readlink(f"/proc/{os.getppid()}/fd/0"))),
    "debugger": attach(),
    "any process": anywhere(),
    "own environment": "canary-of-the-job" in repr(os.environ),
}
with open(sys.argv[1] + ".part", "w") as file:
    json.dump(found, file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


def without_debugging(command: list[str]) -> list[str]:
    """As a user's process, or as root's in a container: root itself may debug whatever it likes."""
    return ["setpriv", "--bounding-set=-sys_ptrace", *command] if os.geteuid() == 0 else command


def desk(folder: Path, program: str, *arguments: str) -> Repo:
    """A suite of one case whose target is a program."""
    repo = Repo(folder)
    command = json.dumps([sys.executable, "app.py", *arguments])
    repo.write(
        "ci-eval.yaml",
        f"version: 1\nsuites:\n  desk:\n    target: {{command: {command}, files: [app.py], timeout_seconds: 20}}\n"
        "    golden: golden.jsonl\n    scorers: [{type: exact}]\n",
    )
    repo.write("golden.jsonl", '{"id": "one", "input": "x", "expected": "y"}\n')
    repo.write("app.py", program)
    repo.commit()
    return repo


def run_desk(repo: Repo, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ci_eval.cli.main", "run", "-q", "--no-cache", "--repo", str(repo.folder), *more]
    environ = {"PATH": os.environ["PATH"], "HOME": str(repo.folder), "OTHER_KEY": KEY, "GITHUB_TOKEN": KEY}
    return subprocess.run(
        without_debugging(command), env=environ, capture_output=True, text=True, check=False, timeout=PATIENT
    )


def told(file: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found


@LINUX
def test_51_a_program_finds_no_key_in_the_process_that_started_it(tmp_path: Path) -> None:
    """Nor in any other process of its user that is ours: by environment, memory, open files or as a debugger."""
    repo = desk(tmp_path / "desk", SNOOP, str(tmp_path / "found"))

    run_desk(repo)

    found = told(tmp_path / "found")
    assert {where for where, answer in found.items() if answer is True} == set()
    assert (found["memory"], found["debugger"]) == ("Permission denied", "Operation not permitted")


@LINUX
def test_51_the_same_program_finds_them_in_a_process_that_does_not_hide(tmp_path: Path) -> None:
    """So that the test above would see it."""
    (tmp_path / "app.py").write_text(SNOOP)
    parent = (
        "import os, subprocess, sys\n"
        "kept = os.environ.pop('OTHER_KEY')\n"
        "subprocess.run([sys.executable, 'app.py', 'found'], env={})\n"
    )
    command = without_debugging([sys.executable, "-c", parent])
    subprocess.run(
        command, cwd=tmp_path, env={"OTHER_KEY": KEY, "PATH": os.environ["PATH"]}, check=True, timeout=PATIENT
    )

    found = told(tmp_path / "found")
    assert (found["environment"], found["descriptors"], found["any process"]) == (True, True, True)


HIDDEN = """\
import os, subprocess, time
from ci_eval import kernel
kernel.hide()
kernel.hide()
print(os.environ["OTHER_KEY"], subprocess.run(["printenv", "OTHER_KEY"], capture_output=True, text=True).stdout.strip())
print(time.tzname[0])
print(open(f"/proc/{os.getpid()}/environ", "rb").read().strip(b"\\0"))
"""


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may still look")
def test_51_even_root_sees_no_key_in_the_first_environment(tmp_path: Path) -> None:
    """And the process itself, and what it hands its variables on to, still have them."""
    environ = {"PATH": os.environ["PATH"], "OTHER_KEY": KEY, "TZ": "Canary-2", "EMPTY": ""}
    command = [sys.executable, "-c", HIDDEN]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [f"{KEY} {KEY}", "Canary", "b''"]


DAEMON = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(3, 99)
        with open(sys.argv[1], "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
    time.sleep(0.01)
"""


@LINUX
def test_51_what_a_program_left_behind_in_a_session_of_its_own_ends_with_the_run(tmp_path: Path) -> None:
    """Forked twice: it is no child of the program any more, and not in its session."""
    repo = desk(tmp_path / "desk", DAEMON, str(tmp_path / "pid"))

    run_desk(repo)

    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + PATIENT
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        os.sched_yield()
    assert not Path(f"/proc/{pid}").exists()


BREEDER = """\
import os, sys, time
def breed():
    os.closerange(3, 99)
    for _ in range(500):
        if os.fork() == 0:
            os.setsid()
        else:
            time.sleep(0.02)
            os._exit(0)
if os.fork() == 0:
    os.setsid()
    breed()
"""


@LINUX
def test_51_a_program_that_keeps_moving_on_is_caught(tmp_path: Path) -> None:
    """Each of its processes starts the next one, in a new session, and ends; after ten seconds it gives up, so that a
    test that fails leaves nothing behind."""
    marker = f"breeder-{os.getpid()}"
    repo = desk(tmp_path / "desk", BREEDER, marker)

    run_desk(repo)

    lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    assert [line for line in lines if marker.encode() in line] == []


# --- 52, 113: what the container's first process does and does not do -------------------------------------------------

TRAP = "import pathlib; pathlib.Path('sprung').touch()\n"


def test_52_nothing_in_the_folder_where_it_starts_is_imported(tmp_path: Path) -> None:
    """GitHub starts a container inside the workspace, which a pull request fills."""
    for name in ("requests", "click", "json", "signal", "sitecustomize", "usercustomize", "ci_eval/__init__"):
        (tmp_path / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(TRAP)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "click.py")}
    for module in ("ci_eval.cli.main", "ci_eval.container"):
        code = f"import sys, {module}; print(*sys.path, sep='\\n')"
        command = [sys.executable, "-I", "-B", "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
        assert str(tmp_path) not in done.stdout.splitlines()
        assert "" not in done.stdout.splitlines()
    assert not (tmp_path / "sprung").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_113_what_is_given_to_another_user_is_what_lies_there_and_no_link_s_target(tmp_path: Path) -> None:
    folder, outside = tmp_path / "report", tmp_path / "outside"
    (folder / "suite").mkdir(parents=True)
    (folder / "suite/run.jsonl").touch()
    (outside / "inner").mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    (folder / "suite/link").symlink_to(outside / "inner")
    (folder / "suite/theirs").touch()
    os.chown(folder / "suite/theirs", 4711, 4711)

    container._change_owner(folder, {0}, 65532, 65532)

    owners = {path.relative_to(tmp_path).as_posix(): path.lstat().st_uid for path in tmp_path.rglob("*")}
    assert {name for name, owner in owners.items() if owner == 0} == {"outside", "outside/inner"}
    assert owners["report/suite/theirs"] == 4711


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_113_a_folder_that_is_a_link_is_not_given_away(tmp_path: Path) -> None:
    """A pull request could leave one where main's cache is looked for."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "inner")

    container._change_owner(tmp_path / "cache", {0}, 65532, 65532)

    assert (tmp_path / "inner").stat().st_uid == 0


@LINUX
def test_113_a_file_of_the_runner_is_used_through_what_was_opened(tmp_path: Path) -> None:
    """Its folder may be closed by then, and somebody may have put another in its place."""
    file = tmp_path / "output"
    file.write_text("{}")
    with file.open("rb") as reading, file.open("ab") as writing:
        file.rename(tmp_path / "moved")
        file.write_text("not ours")
        assert read_file(Path(f"/dev/fd/{reading.fileno()}")) == b"{}"
        append_lines(Path(f"/dev/fd/{writing.fileno()}"), ["verdict=pass"])
        append_lines(Path(f"/dev/fd/{writing.fileno()}"), ["cost-usd=0"])

    assert (tmp_path / "moved").read_text() == "{}verdict=pass\ncost-usd=0\n"
    assert file.read_text() == "not ours"


@pytest.mark.parametrize(("mode", "user"), [(0o755, container.NOBODY), (0o700, 4711), (0o750, 4711)])
@pytest.mark.parametrize("closed", ["", ".git", ".git/objects"])
def test_113_only_a_checkout_that_is_closed_to_others_is_read_as_its_owner(
    tmp_path: Path, mode: int, user: int, closed: str
) -> None:
    (tmp_path / ".git/objects").mkdir(parents=True)
    tmp_path.chmod(0o755)
    (tmp_path / closed).chmod(mode)
    owner = 4711 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, owner, -1)

    assert container._Step.of(tmp_path).user == (owner if user == 4711 else user)


EARLY = """\
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
os.kill(os.getpid(), signal.{name})
os.execv(sys.executable, [sys.executable, "-I", "-m", "ci_eval.cli.main", "--version"])
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_113_who_cancels_while_ci_eval_starts_is_heard_and_nothing_exits_as_a_regression(name: str) -> None:
    """The container's first process holds signals back; Python's own start would end with 1."""
    command = [sys.executable, "-c", EARLY.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.strip()) == (130, "ci-eval: cancelled")


# --- 133: memory ------------------------------------------------------------------------------------------------------


@LINUX
def test_133_the_process_that_checks_schemas_has_a_limit_of_memory() -> None:
    reading, replies = os.pipe()
    worker = [sys.executable, "-I", str(Path(schema_check.__file__).with_name("schema_worker.py"))]
    environ = {"CI_EVAL_REPLY_FD": str(replies)}
    with subprocess.Popen(worker, env=environ, pass_fds=[replies], stdin=subprocess.PIPE) as running:
        assert running.stdin
        running.stdin.write(b'{"type": "object"}\n')
        running.stdin.flush()
        assert os.read(reading, 100) == b"null\n"
        limits = resource.prlimit(running.pid, resource.RLIMIT_AS)
        running.stdin.close()
    os.close(reading)
    os.close(replies)
    assert 0 < limits[0] <= 2 * 1024**3


# --- 63, 65: a check that would not end -------------------------------------------------------------------------------

Json = Any


def doubling(levels: int, leaf: Json) -> Json:
    """Each part reaches the next one twice."""
    parts = {f"l{level}": {"allOf": [{"$ref": f"#/$defs/l{level - 1}"}] * 2} for level in range(1, levels + 1)}
    return {"$defs": {"l0": leaf, **parts}, "$ref": f"#/$defs/l{levels}"}


TREE_OF_TWINS = {"type": "array", "items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}
"""Legal, and for a value of depth n it takes 2 to the n looks: no count of the schema alone could tell."""


def judge(schema: Json) -> Scoring:
    at = held({"s.json": json.dumps(schema)})
    return JsonSchema.model_validate({"type": "json_schema", "schema": "s.json"}).bind(resources(at))


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


CASE = Case.model_validate({"id": "one", "input": "x"})


@pytest.mark.parametrize("leaf", [True, {"type": "string"}, {"$anchor": "here"}])
def test_65_a_schema_that_multiplies_is_refused_when_it_is_loaded(leaf: Json) -> None:
    with pytest.raises(InputError, match=r"^s\.json:1: references that lead to the same parts again and again"):
        judge(doubling(24, leaf))


@pytest.mark.parametrize("items", [[{"a": number} for number in range(10_000)], ["a", 1] * 10_000])
def test_65_a_schema_that_would_be_compared_with_itself_for_hours_is_refused(items: list[Json]) -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"enum": items}}}
    with pytest.raises(InputError, match="more than 500 items"):
        judge(schema)


def test_65_a_value_that_takes_too_long_has_no_score_and_the_next_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "MOST_SECONDS", 1.0)
    score = judge(TREE_OF_TWINS)

    assert score(Answer(nested(3)), CASE).passed
    with pytest.raises(ProviderError, match="took more than 1 s"):
        score(Answer(nested(40)), CASE)
    assert score(Answer(nested(3)), CASE).passed
    assert not score(Answer("[[1]]"), CASE).passed


def test_65_what_takes_too_long_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or each of a thousand answers would hold up the run for as long."""
    monkeypatch.setattr(schema_check, "MOST_SECONDS", 0.2)
    score = judge(TREE_OF_TWINS)
    for _ in range(schema_check.MOST_TIMEOUTS):
        with pytest.raises(ProviderError, match="took more than 0 s"):
            score(Answer(nested(40)), CASE)

    with pytest.raises(ProviderError, match="is given up"):
        score(Answer("[]"), CASE)


def test_65_an_endless_check_is_a_lost_case_of_a_run_that_ends(tmp_path: Path) -> None:
    """Never a score, so never a pass."""
    repo = desk(tmp_path / "desk", ECHO)
    repo.write("s.json", json.dumps(TREE_OF_TWINS))
    policy = (repo.folder / "ci-eval.yaml").read_text().replace("type: exact", "type: json_schema, schema: s.json")
    repo.write("ci-eval.yaml", policy)
    row = {"id": "deep", "input": nested(40)}
    repo.write("golden.jsonl", json.dumps(row) + "\n" + json.dumps({"id": "flat", "input": "[[]]"}) + "\n")
    repo.commit()

    done = run_desk(repo, "-o", str(tmp_path / "run.jsonl"))

    assert done.returncode == 3, done.stderr
    records = {row["case"]: row for row in map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines()[1:])}
    assert (records["deep"]["error_kind"], records["deep"].get("cells", [])) == ("infrastructure", [])
    assert "json_schema took more than 5 s" in records["deep"]["error"]
    assert records["flat"]["cells"][0]["passed"] is True


ECHO = """\
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    reply = {"id": asked["id"], "nonce": asked["nonce"], "output": asked["input"]}
    os.write(int(os.environ["CI_EVAL_REPLY_FD"]), json.dumps(reply).encode() + b"\\n")
"""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)
SHAPES: list[Json] = [
    {"type": "array", "items": {"$ref": "#"}},
    {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/l"}]}, "l": {"items": {"$ref": "#/$defs/n"}}},
    },
    {"properties": {"a": {"type": "integer"}}, "unevaluatedProperties": False},
    {"properties": {"a": {"$ref": "#"}, "b": {"const": None}}, "additionalProperties": False, "type": "object"},
]


@pytest.mark.parametrize("schema", SHAPES)
def test_65_a_check_in_another_process_says_the_same(schema: Json) -> None:
    """Which of the two did it is nothing that a score may depend on."""
    here = partial(problem_of, validator_of(Document("s.json", schema)))
    check = schema_check.BoundedCheck(schema, fail)

    @given(VALUES)
    @settings(max_examples=60, deadline=None)  # the first of them starts the process
    def same(value: Json) -> None:
        assert check(value, 1) == here(value)

    same()


def fail(value: Json) -> str | None:
    raise AssertionError(f"{value} was checked in this process")


PARTS = st.recursive(
    st.booleans()
    | st.sampled_from([{"type": "integer"}, {"minimum": 1}, {"$ref": "#/$defs/d"}, {"$ref": "#/$defs/e"}]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"allOf": parts})
        | inner.map(lambda part: {"items": part})
        | inner.map(lambda part: {"not": part})
    ),
    max_leaves=8,
)


@given(PARTS, PARTS, st.lists(st.integers(0, 2), max_size=4))
def test_65_no_value_is_looked_at_more_often_than_was_counted(part: Json, other: Json, value: Json) -> None:
    schema = {"$defs": {"d": {"allOf": [other]} if "$ref" not in json.dumps(other) else {}, "e": {}}, "allOf": [part]}
    looks: list[int] = []

    def look(*_: object) -> Iterator[ValidationError]:
        looks.append(1)
        yield from ()

    counted = expanded_size(schema)
    keywords = dict.fromkeys(("type", "minimum"), look)
    list(extend(Draft202012Validator, keywords)(schema).iter_errors(value))  # type: ignore[no-untyped-call]
    assert counted is not None
    assert len(looks) <= counted * (len(value) + 1)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"items": {"$ref": "#"}},
        {"$ref": "#/nowhere"},
        {"$ref": "#named"},
        {"$defs": {"a": {"$id": "x", "$ref": "#/$defs/b"}}},
        {"unevaluatedItems": False},
        {"allOf": [{"$dynamicRef": "#a"}]},
    ],
)
def test_65_what_has_no_end_or_is_not_known_is_not_counted(schema: Json) -> None:
    assert expanded_size(schema) is None


@pytest.mark.parametrize(("schema", "size"), [({}, 1), ({"type": "object"}, 2), (doubling(1, True), 20)])
def test_65_each_part_counts_as_often_as_references_lead_to_it(schema: Json, size: int) -> None:
    assert expanded_size(schema) == size
