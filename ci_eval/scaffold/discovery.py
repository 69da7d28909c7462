"""What a repository holds already that a config could name: prompts, model configs, fine-tune rows, keys, a gate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from pydantic import TypeAdapter, ValidationError

from ci_eval.config import RepoPath
from ci_eval.datasets import rows
from ci_eval.errors import InputError
from ci_eval.reader import CONFIG_LIMIT, MIB, Document, each_row, read_document, validate
from ci_eval.scaffold.providers import KNOWN
from ci_eval.snapshot import Snapshot
from ci_eval.targets import prompt_file
from ci_eval.targets.model_config import ModelConfig
from ci_eval.targets.prompt import Prompt

_WITH_MESSAGES = (".prompt.yml", ".prompt.yaml", ".prompty")
_TEXT = (".md", ".txt")
_SYSTEM = re.compile(r"system|prompt|.*system.*prompt.*")
_NOT_PROMPTS = frozenset({"readme", "changelog", "license", "contributing", "index"})
_ELSEWHERE = frozenset(
    {"build", "dist", "docs", "fixtures", "golden", "node_modules", "site-packages", "test", "testdata", "tests"}
    | {"third_party", "vendor", "venv"}
)
"""Folders whose prompts are somebody else's, or examples, or what judges."""
_MOST_LOOKED_AT = 100
_MOST_ROWS_FILE = 8 * MIB

_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_SECRET = re.compile(rb"secrets\.([A-Z][A-Z0-9_]{0,63})\b")
_GATE = re.compile(rb"/ci-eval@|\bci-eval gate\b")
_PATH: TypeAdapter[str] = TypeAdapter(RepoPath)


@dataclass(frozen=True)
class ModelFile:
    """A model config that loads, of a provider that is known by its name."""

    path: str
    provider: str
    model: str


@dataclass(frozen=True)
class Passed:
    """A file that looked like one of ours and is not used. The path is as git has it: encode it before it is shown."""

    path: str
    why: str


@dataclass(frozen=True)
class Found:
    """What a repository holds already that a config could name."""

    prompts: tuple[Prompt, ...] = ()
    models: tuple[ModelFile, ...] = ()
    datasets: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()
    """Every path."""
    keys: frozenset[str] = frozenset()
    """Secrets that the workflows name."""
    gates: str | None = None
    """The workflow that uses ci-eval already."""
    passed: tuple[Passed, ...] = ()


@dataclass
class _Look:
    snapshot: Snapshot
    passed: list[Passed] = field(default_factory=list)

    def prompts(self) -> Iterator[Prompt]:
        for path in self._usable(_is_prompt):
            try:
                prompt = prompt_file.load(self.snapshot, path)
            except InputError as error:
                self.passed.append(Passed(path, f"{error.problem}; {error.remedy}"))
                continue
            if prompt.own_messages and prompt.turns[-1].role == "user" and not prompt.variables():
                self.passed.append(Passed(path, "its messages leave no place for a case's input; write {{input}}"))
            else:
                yield prompt

    def models(self) -> Iterator[ModelFile]:
        for path in self._usable(_may_be_model):
            document = self._document(path)
            if not (document and isinstance(document.value, dict) and {"provider", "model"} <= document.value.keys()):
                continue
            try:
                model = validate(ModelConfig, document)
            except InputError as error:
                self.passed.append(Passed(path, f"{error.problem}; {error.remedy}"))
                continue
            if model.provider in KNOWN:
                yield ModelFile(path, model.provider, model.model)
            else:
                self.passed.append(Passed(path, "its provider is not one that init knows; add it to ci-eval.yaml"))

    def datasets(self) -> Iterator[str]:
        return (path for path in self._usable(lambda place: place.suffix == ".jsonl") if self._trains(path))

    def _usable(self, wanted: Callable[[PurePosixPath], bool]) -> Iterator[str]:
        """Files by their names, at most so many; of names that no config can hold it is told."""
        found = (path for path in sorted(self.snapshot.entries) if not _is_elsewhere(path))
        for path in islice((path for path in found if wanted(PurePosixPath(path))), _MOST_LOOKED_AT):
            if _fits_a_config(path):
                yield path
            else:
                self.passed.append(Passed(path, "a name that a config cannot hold; rename the file"))

    def _document(self, path: str) -> Document | None:
        """None for what is too large or no YAML: not every file in such a folder is a model config."""
        try:
            return read_document(self.snapshot.read(path, limit=CONFIG_LIMIT), path)
        except InputError:
            return None

    def _trains(self, path: str) -> bool:
        """Whether the first row is one of a fine-tune dataset, and no case that judges."""
        try:
            first = next(iter(each_row(self.snapshot.read(path, limit=_MOST_ROWS_FILE), path)), None)
            value = first.value if first else None
            judges = isinstance(value, dict) and ("expected" in value or {"id", "input"} <= value.keys())
            return isinstance(value, dict) and not judges and rows.is_row(value)
        except InputError:
            return False


def look(snapshot: Snapshot) -> Found:
    """Reads what it names; raises nothing for what it cannot read."""
    looking = _Look(snapshot)
    prompts, models, datasets = tuple(looking.prompts()), tuple(looking.models()), tuple(looking.datasets())
    texts = dict(_workflows(snapshot))
    return Found(
        prompts,
        models,
        datasets,
        frozenset(snapshot.entries),
        frozenset(key.decode() for text in texts.values() for key in _SECRET.findall(text)),
        next((path for path, text in texts.items() if _GATE.search(text)), None),
        tuple(looking.passed),
    )


def _workflows(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    for path in sorted(snapshot.entries):
        if _WORKFLOW.fullmatch(path):
            try:
                yield path, snapshot.read(path, limit=MIB)
            except InputError:
                continue


def _is_elsewhere(path: str) -> bool:
    folders = path.lower().split("/")[:-1]
    return any(folder in _ELSEWHERE or folder.startswith(".") for folder in folders)


def _is_prompt(path: PurePosixPath) -> bool:
    name = path.name.lower()
    if name.endswith(_WITH_MESSAGES):
        return True
    stem = name.partition(".")[0]
    if not name.endswith(_TEXT) or stem in _NOT_PROMPTS:
        return False
    in_folder = any(folder.lower() in {"prompt", "prompts"} for folder in path.parts[:-1])
    return in_folder or _SYSTEM.fullmatch(stem) is not None


def _may_be_model(path: PurePosixPath) -> bool:
    name = path.name.lower()
    if not name.endswith((".yaml", ".yml", ".json")) or name.endswith(_WITH_MESSAGES):
        return False
    stem = name.partition(".")[0]
    return "model" in stem or any(folder.lower() in {"model", "models"} for folder in path.parts[:-1])


def _fits_a_config(path: str) -> bool:
    try:
        return _PATH.validate_python(path) == path
    except ValidationError:
        return False
