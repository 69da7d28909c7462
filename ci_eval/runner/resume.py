"""What an interrupted run file still holds, so that nothing is asked or paid for twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ci_eval.errors import InputError
from ci_eval.records import Header, Key, Record, read_interrupted


def resumed(path: Path, header: Header, wanted: Mapping[Key, str]) -> tuple[Header, dict[Key, Record]]:
    """The header to go on with, and the answers that need no asking; `wanted` holds the digest of every request.

    A last line that was torn when the run was stopped is dropped, and so is what was lost to infrastructure. Raises
    InputError when the file is of other inputs, or no run at all.
    """
    run = read_interrupted(path) if path.exists() else None
    if run is None:
        return header, {}
    others = _differences(run.header, header)
    if others:
        remedy = "leave --resume out to start anew, or name another file with -o"
        raise InputError(f"cannot be resumed: it has {', '.join(others)}", remedy=remedy, file=str(path))
    kept = {
        record.key: record for record in run.records if not record.lost and wanted.get(record.key) == record.request
    }
    # As old as its oldest answer: main's memory is aged by this time.
    return header.model_copy(update={"time": run.header.time}), kept


def _differences(found: Header, now: Header) -> list[str]:
    pairs = {
        "another suite": (found.suite, now.suite),
        "other repeats": (found.repeats, now.repeats),
        "another shard": (found.shard, now.shard),
        **found.fingerprint.differences(now.fingerprint),
    }
    return [words for words, (mine, theirs) in pairs.items() if mine != theirs]
