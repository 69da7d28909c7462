"""Rows 67, 99 and 102 of the threat model over a whole run: the demo, with a canary in every place where a secret
could be. Nothing that it writes or says holds one, it speaks to nobody, and starts nothing but git."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

WATCHED = Path(__file__).parent.parent / "integration" / "watched.py"
CANARY = 'c4n4ry-"s+/%e<c>r\\et-3f1b'
NAMES = (
    *("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "GEMINI_API_KEY", "GITHUB_TOKEN", "GH_TOKEN"),
    *("ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "MY_PASSWORD"),
)


def forms() -> dict[str, bytes]:
    """The canary, as it could be hidden from an eye and from a mask."""
    raw = CANARY.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[shift + 2 : -4] for shift in range(3)]
    told = {"as it is": raw, "in a URL": quote(CANARY, safe="").encode(), "in JSON": json.dumps(CANARY)[1:-1].encode()}
    return told | {f"in base64, {number}": text for number, text in enumerate(shifted)}


@dataclass(frozen=True)
class Left:
    """What a run left behind."""

    code: int
    said: bytes
    folder: Path
    events: list[list[str]]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    place = tmp_path_factory.mktemp("canary")
    home = place / "home"
    home.mkdir()
    (place / "tmp").mkdir()
    (home / ".netrc").write_text(f"default login x password {CANARY}\n")
    (home / ".git-credentials").write_text(f"https://x:{quote(CANARY, safe='')}@github.com\n")
    (home / ".env").write_text(f"OPENAI_API_KEY={CANARY}\n")
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(place / "cache")}
    environ["TMPDIR"] = str(place / "tmp")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(WATCHED), str(place / "events"), "demo", "--dir", str(place / "demo")],
        cwd=home,
        env=environ | dict.fromkeys(NAMES, CANARY),
        capture_output=True,
        check=False,
    )
    events = [json.loads(line) for line in (place / "events").read_text(encoding="utf-8").splitlines()]
    return Left(done.returncode, done.stdout + done.stderr, place, events)


def written(left: Left) -> list[Path]:
    mine = {left.folder / "home" / name for name in (".netrc", ".git-credentials", ".env")}
    return [path for path in left.folder.rglob("*") if path.is_file() and path not in mine]


def test_the_demo_went_well(left: Left) -> None:
    """And was watched: what follows says something."""
    assert left.code == 0, left.said.decode(errors="replace")
    assert len(written(left)) > 50
    assert len([event for event in left.events if event[0] == "process"]) > 10
    assert len([event for event in left.events if event[0] == "write"]) > 10


@pytest.mark.parametrize("form", forms())
def test_99_no_canary_is_written_or_said(left: Left, form: str) -> None:
    canary = forms()[form]
    assert canary not in left.said
    assert [path for path in written(left) if canary in path.read_bytes()] == []


def test_67_it_speaks_to_nobody(left: Left) -> None:
    assert [event for event in left.events if event[0].startswith("socket.")] == []


def test_67_it_starts_nothing_but_git(left: Left) -> None:
    processes = [event for event in left.events if event[0] == "process"]
    assert {Path(event[1]).name for event in processes} == {"git"}
    assert [event for event in left.events if event[0].startswith(("os.", "pty."))] == []


def test_102_no_canary_is_an_argument(left: Left) -> None:
    assert CANARY not in json.dumps(left.events, ensure_ascii=False)
    assert not any(canary.decode() in word for canary in forms().values() for event in left.events for word in event)


def test_it_writes_where_it_was_told_and_into_its_cache(left: Left) -> None:
    elsewhere = {event[1] for event in left.events if event[0] == "write" and not event[1].startswith(str(left.folder))}
    assert {path for path in elsewhere if not path.isdigit() and "__pycache__" not in path} <= {"/dev/null", "-1"}
