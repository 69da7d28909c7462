"""A gate's outcome as a page."""

from __future__ import annotations

from collections.abc import Sequence

from ci_eval.outcome.model import GateOutcome, SuiteOutcome
from ci_eval.report.document import Text, calling
from ci_eval.report.gallery import STATUSES, Card, cards, tiles
from ci_eval.report.html.page import Page, Pictures, render
from ci_eval.report.model import build
from ci_eval.report.plots import plots
from ci_eval.text import Untrusted


def to_html(outcome: GateOutcome) -> str:
    """One file, the same for the same outcome."""
    told = cards(outcome)
    pictures = tuple(_pictures(suite, told, named=len(outcome.suites) > 1) for suite in outcome.suites)
    return render(calling(outcome.called, Page(build(outcome), pictures, told, STATUSES)))


def _pictures(suite: SuiteOutcome, told: Sequence[Card], *, named: bool) -> Pictures:
    heading: Text = ("Pictures of ", Untrusted(suite.suite)) if named else ("Pictures",)
    return Pictures(heading, tuple(plots(suite)), tiles(suite, told))
