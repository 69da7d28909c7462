"""Runs: what one suite did on one snapshot, as records, and the JSON lines in which they are stored.

Aggregates are never stored; whoever reads a run counts its records again.
"""

from __future__ import annotations

from ci_eval.records.record import CallMade, CellResult, Hex, Key, Record, Scoring, Time, Word, scoring_calls
from ci_eval.records.run import Fingerprint, Header, Run, missing_answers, safe_word
from ci_eval.records.run_file import RunFile, parse, parse_header, read, read_interrupted, to_bytes, to_line
from ci_eval.records.stored import kept_calls, kept_output, kept_reason, kept_steps

__all__ = [
    "CallMade",
    "CellResult",
    "Fingerprint",
    "Header",
    "Hex",
    "Key",
    "Record",
    "Run",
    "RunFile",
    "Scoring",
    "Time",
    "Word",
    "kept_calls",
    "kept_output",
    "kept_reason",
    "kept_steps",
    "missing_answers",
    "parse",
    "parse_header",
    "read",
    "read_interrupted",
    "safe_word",
    "scoring_calls",
    "to_bytes",
    "to_line",
]
