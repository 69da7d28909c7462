"""Who stands on whom, and who may touch the outside. The code is read as a tree, not as text."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from repo import Repo

import ci_eval

PACKAGE = Path(ci_eval.__file__).parent

FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        "cli container",
        "doctor",
        "github",
        "gate",
        "lint",
        "gating report scaffold",
        "outcome",
        "evaluation compare_runs",
        "naive",
        "runner figures verdict",
        "targets baseline comparison",
        "scorers records datasets prices",
        "changes providers judge_agreement",
        "config golden sides",
        "transport snapshot",
        "git reader origin secrets plan",
        "child errors confirm",
        "text stats deadline purse kernel",
    )
)
"""From the roof to the ground. A room is a module of `ci_eval`, or a package of it."""


def modules() -> dict[str, ast.Module]:
    """Every module by its name below `ci_eval`, as in `github.event`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in a file: at its top, in a function, or for types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner.removeprefix("ci_eval.") in MODULES else module


def ours(name: str) -> set[str]:
    return {other.removeprefix("ci_eval.") for other in imported(MODULES[name]) if other.startswith("ci_eval.")}


def room(name: str) -> str:
    return name.partition(".")[0]


def floor(name: str) -> int:
    """Counted from the ground."""
    return len(FLOORS) - next(number for number, rooms in enumerate(FLOORS) if room(name) in rooms)


NAMES = [name for name in MODULES if name]


def test_every_room_is_on_one_floor() -> None:
    """A new module belongs somewhere: say where."""
    placed = [name for rooms in FLOORS for name in rooms]
    assert len(placed) == len(set(placed))
    assert {room(name) for name in NAMES} <= set(placed)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_imports_from_lower_floors_or_its_own_room(name: str) -> None:
    assert {other for other in ours(name) if room(other) != room(name) and floor(other) >= floor(name)} == set()


def test_there_is_no_circle() -> None:
    TopologicalSorter({name: ours(name) for name in NAMES}).prepare()


# --- the map ----------------------------------------------------------------------------------------------------------

REPOSITORY = Path(__file__).parents[2]
MAP = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_map_names_files_that_are_there() -> None:
    named = set(re.findall(r"`([a-z_/]+(?:/|\.py|\.md))`", MAP))
    assert len(named) > 50
    assert {name for name in named if not any((root / name).exists() for root in (PACKAGE, REPOSITORY))} == set()


def test_the_map_has_the_floors_from_the_roof_to_the_ground() -> None:
    table = MAP.partition("| rooms | what they are |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert tuple(frozenset(re.findall(r"`([a-z_]+)`", row)) for row in rows) == FLOORS


# --- doors ------------------------------------------------------------------------------------------------------------


def users(*packages: str) -> set[str]:
    """The modules that import one of these, or a part of it."""
    return {
        name
        for name, tree in MODULES.items()
        if any(other == package or other.startswith(f"{package}.") for other in imported(tree) for package in packages)
    }


def callers(*names: str) -> set[str]:
    """The modules that call something by one of these names, as a function or as a method."""
    found = set()
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in names:
                    found.add(module)
    return found


def test_two_doors_start_processes() -> None:
    """git's, and the one for the code that a `command` or `python` target of main's policy names, and for workers."""
    assert users("subprocess", "multiprocessing", "pty", "asyncio") == {"git", "child"}
    assert callers("Popen") == {"child"}
    assert callers("system", "popen", "execv", "spawnv", "posix_spawn") == set()
    assert callers("execve", "fork") == {"container"}  # which starts nothing but ci-eval itself
    assert {name for name in NAMES if "child" in ours(name)} == {
        "runner.answering",
        "providers.pipe",
        "scorers.aside",
        "scorers.schema_check",
    }


def test_what_runs_in_the_users_process_is_ours_in_nothing_else() -> None:
    """It is started by its path, beside the user's own packages."""
    assert ours("targets.python_runner") == set()
    assert {name for name in NAMES if "targets.python_runner" in ours(name)} == set()


def test_one_door_sends() -> None:
    """PyGithub is the named exception, and what it raises comes from requests."""
    assert users("urllib3", "http", "httpx", "urllib.request", "ftplib", "smtplib") == {"transport.send"}
    assert users("requests") == {"transport.send", "github.client"}
    assert users("github") == {"github.client"}
    assert users("socket", "ssl") <= {"transport.send"}
    assert users("genai_prices") == {"prices"}  # it could fetch newer prices, and is never asked to
    assert callers("urlopen") == {"transport.send"}


def test_one_door_reads_and_writes_files() -> None:
    names = ("open", "read_text", "read_bytes", "write_text", "write_bytes", "fdopen", "memmap", "load_file")
    assert callers(*names) - {"cli.main", "container", "kernel"} == {"reader.files"}
    assert opened_in("cli.main") == ["os.open(os.devnull, os.O_WRONLY)"]
    assert opened_in("container") == ["os.open(environ[name], flags | os.O_NOFOLLOW)"]
    assert opened_in("kernel") == ["open(f'/proc/{name}/stat', 'rb')"]


def opened_in(module: str) -> list[str]:
    calls = [node for node in ast.walk(MODULES[module]) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if ast.unparse(call.func).endswith("open")]


def test_one_door_keeps_a_database() -> None:
    assert users("sqlite3", "dbm") == {"runner.cache"}


def test_nothing_is_executed_or_unpickled() -> None:
    assert users("pickle", "marshal", "shelve", "dill", "jinja2", "runpy", "code", "imp") == set()
    assert users("ctypes") == {"kernel"}  # Python has no prctl(2)
    assert callers("eval", "exec", "compile_command", "__import__", "literal_eval") == set()
    builtin_compile = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "compile"
    }
    assert builtin_compile == set()


def test_modules_that_are_imported_by_name_are_named_in_the_code() -> None:
    """And by the function's own name in the process that a `python` target gets."""
    assert callers("import_module") == {
        "cli.lazy",
        "providers.registry",
        "scorers.registry",
        "targets.python_runner",
    }


def test_yaml_is_parsed_and_never_loaded() -> None:
    assert users("yaml") == {"reader.yaml_text"}
    assert callers("safe_load", "full_load", "unsafe_load", "load_all", "safe_load_all") == set()
    used = {ast.unparse(node) for node in ast.walk(MODULES["reader.yaml_text"]) if isinstance(node, ast.Attribute)}
    assert not {"yaml.load", "yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader"} & used
    assert "yaml.CSafeLoader" in used


def test_no_shell_and_no_templates() -> None:
    keywords = {
        keyword.arg
        for tree in MODULES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    }
    assert "shell" not in keywords
    assert (
        callers("format", "format_map", "vformat", "Template", "substitute", "safe_substitute", "expandvars") == set()
    )


def test_the_environment_is_read_at_the_roof_only() -> None:
    """And by the doors that start programs, which hand on PATH, and in the user's own process.

    Nothing expands `${VAR}` in what it reads.
    """
    users_of_environ = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
        and ast.unparse(node.value) == "os"
    }  # fmt: skip
    assert {name for name in users_of_environ if room(name) not in {"cli", "container"}} <= {
        "git",
        "child",
        "kernel",
        "providers.minilm",
        "scorers.aside_worker",
        "scorers.schema_worker",
        "targets.python_runner",
    }


# --- what is loaded ---------------------------------------------------------------------------------------------------

HEAVY = (
    "github",
    "numpy",
    "requests",
    "urllib3",
    "jsonschema",
    "tokenizers",
    "safetensors",
    "scipy",
    "rich.console",
    "genai_prices",
    "sacrebleu",
    "py3langid",
)


def loaded_by(*arguments: str, cwd: Path) -> set[str]:
    """Which of the heavy libraries a command has imported when it ends."""
    return loaded_after(
        f"from ci_eval.cli.main import _exit_code\ncode = _exit_code({list(arguments)!r})\nassert code == 0, code\n",
        cwd,
    )


def loaded_after(script: str, cwd: Path) -> set[str]:
    script += f"import sys\nprint('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_help_waits_for_nothing(tmp_path: Path) -> None:
    assert loaded_by("--help", cwd=tmp_path) == set()


def test_a_gate_with_nothing_to_do_waits_for_nothing(repo: Repo) -> None:
    """Most pull requests of a repository touch no prompt."""
    repo.write(
        "ci-eval.yaml",
        "version: 1\nproviders: {house: {api: openai, key_env: KEY}}\nsuites:\n  s:\n"
        "    target: {prompt: p.md, model: m.yaml}\n    golden: g.jsonl\n    scorers: [{type: exact}]\n",
    )
    repo.commit()
    repo.branch("topic")
    repo.write("README.md", "unrelated")
    assert loaded_by("gate", "--json", "--quiet", cwd=repo.folder) == set()
    assert loaded_by("gate", "--quiet", cwd=repo.folder) <= {"rich.console"}


def loaded_to_score_by(scorer: str, cwd: Path) -> set[str]:
    """Which of the heavy libraries are there when a scorer has scored."""
    return loaded_after(
        f"import sys\nsys.path.append({str(Path(__file__).parents[1])!r})\n"
        "from making import case, held, resources\n"
        "from ci_eval.scorers.base import Answer\n"
        "from ci_eval.reader import Document, validate\n"
        "from ci_eval.scorers.registry import policy_class\n"
        f"entry = {scorer}\n"
        "policy = validate(policy_class(entry['type']), Document('ci-eval.yaml', entry))\n"
        "said = Answer('Where are the notes that I deleted yesterday?')\n"
        "policy.bind(resources(held({})))(said, case(expected={'reply': 'in the bin'}))\n",
        cwd,
    )


@pytest.mark.parametrize(
    ("scorer", "loaded"),
    [
        ("{'type': 'exact', 'normalise': ['unicode']}", set()),
        ("{'type': 'fields'}", set()),
        ("{'type': 'rouge', 'variant': 'rougeLsum', 'pass_at': 0.5}", set()),
        ("{'type': 'token_f1', 'pass_at': 0.5}", set()),
        ("{'type': 'bleu', 'pass_at': 0.5}", {"sacrebleu"}),
        ("{'type': 'chrf', 'pass_at': 0.5}", {"sacrebleu"}),
        ("{'type': 'language', 'language': 'en'}", {"py3langid", "numpy"}),
    ],
)
def test_a_library_of_metrics_is_loaded_when_a_suite_names_its_scorer(
    tmp_path: Path, scorer: str, loaded: set[str]
) -> None:
    assert loaded_to_score_by(scorer, tmp_path) == loaded
    assert users("sacrebleu") == {"scorers.bleu"}
    assert users("py3langid") == {"scorers.language"}
    assert users("rouge_score", "sklearn", "scipy", "nltk") == set()
