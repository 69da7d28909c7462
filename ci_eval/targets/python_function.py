"""Whether some files can hold `module:function`, by their names and words alone: for whoever may not run them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import PurePosixPath

from ci_eval.errors import InputError
from ci_eval.snapshot import Snapshot

# A name that a module makes some other way than by writing it down.
_MADE = re.compile(rb"import\s*\*|\b(__getattr__|__dict__|globals|vars|locals|setattr|exec|eval|sys\.modules)\b")


def refuse_missing(named: str, snapshot: Snapshot, code: Mapping[str, str]) -> None:
    """Raises InputError where there is surely none. Nothing is imported; what this lets pass, an import will tell."""
    module, _, name = named.partition(":")
    parts = module.split(".")
    of_the_files = {PurePosixPath(path).parts[0].partition(".")[0] for path in code}
    if parts[0] in of_the_files:
        _refuse_in_files(named, parts, name, snapshot, code)
    elif not _is_installed(parts[0]):
        remedy = f"write files that hold {'/'.join(parts)}.py, or correct the module's name"
        raise InputError(f"{named} is in none of its files, and no such module is installed", remedy=remedy)


def _refuse_in_files(named: str, parts: list[str], name: str, snapshot: Snapshot, code: Mapping[str, str]) -> None:
    if not any(parts[-1] in re.split("[/.]", path) for path in code):
        remedy = f"write files that hold {'/'.join(parts)}.py, or correct the module's name"
        raise InputError(f"{named} is in none of its files", remedy=remedy)
    stem = "/".join(parts)
    path = next((path for path in (f"{stem}/__init__.py", f"{stem}.py") if path in code), None)
    if path is None or not name.isascii():
        return
    text = snapshot.read(path)
    if not re.search(rb"\b%s\b" % re.escape(name.encode()), text) and not _MADE.search(text):
        raise InputError(f"has no function {name}", remedy=f"correct the name in {named}, or add it", file=path)


def _is_installed(top: str) -> bool:
    """Finding a top-level module imports nothing."""
    try:
        return find_spec(top) is not None
    except (ImportError, ValueError):  # one that is there, in a way that nobody can say how
        return True
