"""Fixtures that any test may use. Its being here also puts `tests/` on the path: `from repo import Repo`."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """An empty repository."""
    return Repo(tmp_path / "repository")
