"""The gate on the user's own service and code: the whole pipeline, with retrieval and parsing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command import Ran, ci_eval
from parcel_desk import Repository
from service import Handed, Service

DOCUMENTS = {"oven": "Bake at 230 degrees.", "roses": "Prune in March.", "visa": "Apply two weeks ahead."}
ROWS = [
    {"id": name, "input": {"question": f"What about the {name}?", "topic": name}, "expected": {"reply": text}}
    for name, text in DOCUMENTS.items()
]
SCORERS = "[{type: exact, field: reply}]"


def repository(folder: Path, target: str, files: Mapping[str, str], *, watch: str = "[]") -> Repository:
    policy = (
        f"version: 1\nsuites:\n  desk:\n    target: {target}\n    watch: {watch}\n    golden: golden.jsonl\n"
        f"    scorers: {SCORERS}\nbudget: {{seconds: 60}}\nbaseline: {{repeats: 1}}\n"
    )
    golden = "".join(f"{json.dumps(row)}\n" for row in ROWS)
    return Repository.create(folder / "desk", {"ci-eval.yaml": policy, "golden.jsonl": golden, **files})


def gate(repo: Repository) -> Ran:
    return repo.gate("--config", "ci-eval.yaml", "--json")


def records(repo: Repository, side: str = "candidate") -> list[dict[str, Any]]:
    (file,) = repo.folder.rglob(f"desk/{side}.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    return sorted((row for row in rows if "repeat" not in row), key=lambda row: list(DOCUMENTS).index(row["case"]))


# --- http -------------------------------------------------------------------------------------------------------------

HTTP_FILES = {
    "prompt.md": "Answer from the documents.\n",
    "retrieval.yaml": "k: 3\nmodel: house-1\n",
    "src/a.py": "1\n",
}


def pipeline(handed: Handed) -> dict[str, Any] | int:
    """Finds its document as long as it may look at three, and quotes it as long as the prompt says so."""
    found = list(DOCUMENTS)[: handed["config"]["k"]]
    topic = handed["input"]["topic"]
    reply = DOCUMENTS[topic] if topic in found and "from the documents" in handed["prompt"] else "Who knows?"
    steps = [{"tool": "search", "found": found}, {"tool": "answer"}]
    return {"output": {"reply": reply}, "tokens_in": 30, "tokens_out": 4, "steps": steps}


def service_repository(folder: Path, service: Service, more: str = "") -> Repository:
    target = f'{{http: "{service.url}", prompt: prompt.md, model: retrieval.yaml{more}}}'
    return repository(folder, target, HTTP_FILES, watch="[src/**]")


class TestAService:
    def test_is_handed_input_prompt_and_config(self, tmp_path: Path) -> None:
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service)
            repo.write({"prompt.md": "Answer from the documents. Be brief.\n"})

            ran = gate(repo)

        assert (ran.code, ran.json["verdict"]) == (0, "pass")
        assert len(service.handed) == 2 * len(ROWS)
        assert service.handed[-1].keys() == {"case", "input", "prompt", "config", "repeat"}
        prompts = {handed["prompt"] for handed in service.handed}
        assert prompts == {"Answer from the documents.\n", "Answer from the documents. Be brief.\n"}
        assert service.handed[0]["config"] == {"k": 3, "model": "house-1"}
        assert "Authorization" not in service.headers

    @pytest.mark.parametrize(
        ("path", "text", "words"),
        [("prompt.md", "Answer.\n", []), ("retrieval.yaml", "k: 1\nmodel: house-1\n", ["k 3 → 1"])],
    )
    def test_a_worse_prompt_or_config_fails(self, tmp_path: Path, path: str, text: str, words: list[str]) -> None:
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service)
            repo.write({path: text})

            ran = gate(repo)

        assert (ran.code, ran.json["verdict"]) == (1, "regression")
        assert ran.json["suites"][0]["notes"][0]["words"] == words

    def test_the_record_keeps_the_trajectory(self, tmp_path: Path) -> None:
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service)
            repo.write({"retrieval.yaml": "k: 2\nmodel: house-1\n"})
            gate(repo)

        (visa,) = [record for record in records(repo) if record["case"] == "visa"]
        assert visa["steps"] == [{"tool": "search", "found": ["oven", "roses"]}, {"tool": "answer"}]
        assert (visa["tokens_in"], visa["tokens_out"]) == (30, 4)

    def test_code_that_it_was_not_deployed_with_is_inconclusive(self, tmp_path: Path) -> None:
        """It has one deployment: whatever it answers says nothing of a change to its code."""
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service)
            repo.write({"src/a.py": "2\n"})

            ran = gate(repo)

        assert (ran.code, len(service.handed)) == (3, 0)
        assert "src/a.py changed, and the service has one deployment" in ran.err

    @pytest.mark.parametrize(
        ("status", "told"),
        [
            (500, "HTTP 500"),
            (401, "HTTP 401: the service refused the key; check the variable that key_env of the target names"),
            (404, "HTTP 404: nothing is at this address; check http: of the target"),
            (302, "redirect refused"),
        ],
    )
    def test_an_outage_is_no_verdict_and_says_what_to_look_at(self, tmp_path: Path, status: int, told: str) -> None:
        def serves(handed: Handed) -> dict[str, Any] | int:
            return status if "brief" in handed["prompt"] else pipeline(handed)

        with Service(serves) as service:
            repo = service_repository(tmp_path, service)
            repo.write({"prompt.md": "Answer from the documents. Be brief.\n"})

            ran = gate(repo)

        assert ran.code == 3
        assert {row["error"] for row in records(repo)} == {told}

    def test_a_case_that_it_cannot_answer_any_more_has_failed(self, tmp_path: Path) -> None:
        def serves(handed: Handed) -> dict[str, Any] | int:
            return {"error": True} if "brief" in handed["prompt"] else pipeline(handed)

        with Service(serves) as service:
            repo = service_repository(tmp_path, service)
            repo.write({"prompt.md": "Answer from the documents. Be brief.\n"})

            assert gate(repo).code == 1

    def test_it_gets_its_key_and_no_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DESK_TOKEN", "canary-4711")
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service, ", key_env: DESK_TOKEN")
            repo.write({"prompt.md": "Answer from the documents. Be brief.\n"})

            assert gate(repo).code == 0
        assert service.headers["Authorization"] == "Bearer canary-4711"

    def test_a_limit_in_dollars_cannot_be_kept(self, tmp_path: Path) -> None:
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service)
            repo.commit({"ci-eval.yaml": repo.read("ci-eval.yaml").replace("seconds: 60", "seconds: 60, usd: 1")})
            repo.write({"prompt.md": "Answer.\n"})

            ran = gate(repo)

        assert (ran.code, service.handed) == (3, [])
        assert "what its target costs is not known; remove budget.usd" in ran.err

    def test_without_its_key_nothing_is_sent(self, tmp_path: Path) -> None:
        with Service(pipeline) as service:
            repo = service_repository(tmp_path, service, ", key_env: DESK_TOKEN")
            repo.write({"prompt.md": "Answer.\n"})

            ran = gate(repo)

        assert (ran.code, service.handed) == (3, [])
        assert "DESK_TOKEN is not set" in ran.err


# --- code -------------------------------------------------------------------------------------------------------------

BOT = """\
import json, os, sys
from documents import DOCUMENTS

print("loading the index", flush=True)
reply_to = os.fdopen(int(os.environ["CI_EVAL_REPLY_FD"]), "w", encoding="utf-8")
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], "nonce": asked["nonce"], "output": "printed"}), flush=True)
    reply = DOCUMENTS.get(asked["input"]["topic"], "Who knows?")
    answer = {"id": asked["id"], "nonce": asked["nonce"], "output": {"reply": reply}}
    print(json.dumps(answer), file=reply_to, flush=True)
"""
PIPELINE = """\
from bot.documents import DOCUMENTS


def answer(asked):
    print("a library that talks")
    reply = DOCUMENTS.get(asked["input"]["topic"], "Who knows?")
    return {"output": {"reply": reply}, "steps": [{"looked up": asked["input"]["topic"]}]}
"""
CODE = {
    "bot/main.py": BOT,
    "bot/pipeline.py": PIPELINE,
    "bot/documents.py": f"DOCUMENTS = {DOCUMENTS!r}\n",
    "prompt.md": "Answer.\n",
}
COMMAND = f"{{command: [{json.dumps(sys.executable)}, bot/main.py], files: [bot/**], prompt: prompt.md}}"
PYTHON = '{python: "bot.pipeline:answer", files: [bot/**], prompt: prompt.md, max_concurrency: 2}'
WORSE = {"bot/documents.py": 'DOCUMENTS = {"oven": "Bake at 230 degrees."}\n'}


@pytest.mark.parametrize("target", [COMMAND, PYTHON], ids=["command", "python"])
class TestCode:
    def test_base_and_candidate_run_apart(self, tmp_path: Path, target: str) -> None:
        repo = repository(tmp_path, target, CODE)
        repo.write(WORSE)

        ran = gate(repo)

        assert (ran.code, ran.json["verdict"]) == (1, "regression")
        (dimension,) = ran.json["suites"][0]["dimensions"]
        assert dimension["base"] == "100.0000", "base ran its own documents"
        assert dimension["broke"] >= 1, "and is believed as soon as enough of what broke stayed broken"
        (note,) = ran.json["suites"][0]["notes"]
        assert (note["role"], note["path"], note["words"]) == ("code", "bot/documents.py", ["changed"])

    def test_a_change_that_breaks_no_answer_passes(self, tmp_path: Path, target: str) -> None:
        repo = repository(tmp_path, target, CODE)
        repo.write({"bot/documents.py": CODE["bot/documents.py"] + "# the same\n"})

        assert gate(repo).code == 0

    def test_code_that_does_not_load_any_more_is_no_pass(self, tmp_path: Path, target: str) -> None:
        repo = repository(tmp_path, target, CODE)
        repo.write({"bot/documents.py": "import nothing_of_that_name\n"})

        assert gate(repo).code == (2 if target == PYTHON else 3)

    def test_code_that_is_the_same_is_handed_the_changed_prompt(self, tmp_path: Path, target: str) -> None:
        repo = repository(tmp_path, target, CODE)
        repo.write({"prompt.md": "Answer briefly.\n"})

        ran = gate(repo)

        assert (ran.code, ran.json["suites"][0]["calls"]) == (0, 2 * len(ROWS))


def test_a_case_of_a_service_is_shown_without_a_model(tmp_path: Path) -> None:
    with Service(pipeline) as service:
        repo = service_repository(tmp_path, service)
        shown = ci_eval("show", "oven", "--repo", str(repo.folder))
    assert shown.out.count("\na target of your own: http\n") == 2
    assert " of provider " not in shown.out


def test_showing_a_case_of_a_commit_runs_no_strangers_code(tmp_path: Path) -> None:
    """One's own working tree is one's own; a branch may be anybody's."""
    repo = repository(tmp_path, PYTHON, CODE)
    repo.git("checkout", "--quiet", "-b", "theirs")
    repo.commit(WORSE)

    theirs = ci_eval("show", "oven", "--run", "--head", "theirs", "--repo", str(repo.folder))
    mine = ci_eval("show", "oven", "--run", "--repo", str(repo.folder))

    assert (theirs.code, mine.code) == (3, 0)
    assert "bot/documents.py changed, and a pull request's code is run only where" in theirs.err
    assert "Bake at 230 degrees." in mine.out


@pytest.mark.parametrize(
    ("side", "code", "told"),
    [("candidate", 2, "ci-eval: bot/documents.py:1: bot.pipeline:answer cannot be imported: there is no module"),
     ("base", 3, "main itself cannot be evaluated: bot/documents.py:1: bot.pipeline:answer cannot be imported")],
)  # fmt: skip
def test_code_that_cannot_be_imported_is_told_before_either_side_is_asked(
    tmp_path: Path, side: str, code: int, told: str
) -> None:
    broken, whole = (
        {"bot/documents.py": "import nothing_of_that_name\n"},
        {"bot/documents.py": CODE["bot/documents.py"]},
    )
    repo = repository(tmp_path, PYTHON, {**CODE, **(broken if side == "base" else whole)})
    repo.write(broken if side == "candidate" else whole)
    ran = gate(repo)
    assert (ran.code, told in ran.err) == (code, True), ran.err
    assert not list(repo.folder.rglob("*/desk/*.jsonl"))


def test_a_plan_says_that_a_change_takes_the_function_away(tmp_path: Path) -> None:
    repo = repository(tmp_path, PYTHON, CODE)
    repo.write({"bot/pipeline.py": "def reply(asked): ...\n"})
    ran = ci_eval("plan", "--repo", str(repo.folder))
    assert (ran.code, "bot/pipeline.py: has no function answer" in ran.err) == (2, True)


def test_a_command_that_is_not_there_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    repo = repository(tmp_path, COMMAND.replace(json.dumps(sys.executable), "nobody-has-this"), CODE)
    ran = ci_eval("run", "-q", "--no-cache", "--repo", str(repo.folder))
    assert ran.code == 2
    assert "ci-eval.yaml: the target's program cannot be started: is it installed in this job?; correct" in ran.err
    assert not list(repo.folder.rglob("*/desk/*.jsonl"))


def test_a_python_function_has_a_trajectory_too(tmp_path: Path) -> None:
    repo = repository(tmp_path, PYTHON, CODE)
    repo.write(WORSE)
    gate(repo)
    assert [record["steps"] for record in records(repo)] == [[{"looked up": name}] for name in DOCUMENTS]


@pytest.mark.parametrize(
    ("raises", "code"),
    [("ValueError('no JSON')", 1), ("KeyError('reply')", 1), ("ConnectionError('gone')", 3), ("Exception('429')", 3),
     ("__import__('io').UnsupportedOperation('both a ValueError and an OSError')", 3),
     ("SystemExit(1)", 3)],
)  # fmt: skip
def test_what_a_python_function_raises(tmp_path: Path, raises: str, code: int) -> None:
    """It could not make sense of what the model wrote: failed. Something was not there: no score."""
    repo = repository(tmp_path, PYTHON, CODE)
    repo.write({"bot/pipeline.py": f"def answer(asked):\n    raise {raises}\n"})

    assert gate(repo).code == code


@pytest.mark.parametrize(
    ("again", "code"),
    [("raise ValueError('no answer')", 3), ("raise ValueError('no answer') from error", 3),
     ("raise ValueError('no JSON') from None", 1), ("raise KeyError('reply') from KeyError('a')", 1)],
)  # fmt: skip
def test_an_outage_that_a_python_function_raises_as_something_else(tmp_path: Path, again: str, code: int) -> None:
    """A library wraps a timeout in an exception of its own; `from` says what it came of."""
    outage = f"try:\n        raise TimeoutError\n    except TimeoutError as error:\n        {again}"
    repo = repository(tmp_path, PYTHON, CODE)
    repo.write({"bot/pipeline.py": f"def answer(asked):\n    {outage}\n"})

    assert gate(repo).code == code


def test_an_exception_that_comes_of_itself_is_a_failed_case(tmp_path: Path) -> None:
    repo = repository(tmp_path, PYTHON, CODE)
    repo.write({"bot/pipeline.py": "def answer(asked):\n    error = ValueError('x')\n    raise error from error\n"})

    assert gate(repo).code == 1


@pytest.mark.parametrize(
    ("returns", "code"),
    [("None", 1), ("7", 1), ("{'output': float('nan')}", 1), ("{'output': object()}", 1), ("{'reply': 'x'}", 3),
     ("{'output': 'x', 'tokens_in': -1}", 3), ("{'output': 'x', 'error': True}", 3)],
)  # fmt: skip
def test_what_a_python_function_may_not_return(tmp_path: Path, returns: str, code: int) -> None:
    repo = repository(tmp_path, PYTHON, CODE)
    repo.write({"bot/pipeline.py": f"def answer(asked):\n    return {returns}\n"})

    assert gate(repo).code == code
