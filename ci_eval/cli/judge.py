"""`ci-eval judge`: how good is the judge, and what does it say of two runs?"""

from __future__ import annotations

import click

from ci_eval.cli.lazy import LazyGroup

_LAZY = {
    "calibrate": "ci_eval.cli.judge_calibrate:calibrate",
    "compare": "ci_eval.cli.judge_compare:compare",
}


@click.group(cls=LazyGroup, lazy=_LAZY)
def judge() -> None:
    """Compare a judge with people, and let it compare runs."""
