"""The report's figures for programs: groups of cases, all traffic, latency, tokens and cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ci_eval.figures.confidence import Calibration
from ci_eval.figures.costs import SideCost
from ci_eval.figures.failures import Failures
from ci_eval.figures.ranks import Quantile, quantile
from ci_eval.figures.ratio import Ratio
from ci_eval.figures.traffic import Traffic
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.outcome.slices import Passes, Slice, slices
from ci_eval.report.figures import traffic_of
from ci_eval.report.numbers import decimal
from ci_eval.report.performance import QUANTILES, Records, times, total
from ci_eval.text import log


def figures(suite: SuiteOutcome) -> dict[str, Any]:
    """What is told of a suite beside its verdict; None where it is not known."""
    costs, latency = suite.costs, suite.latency
    return {
        "slices": [_slice(one) for one in slices(suite)],
        "traffic": [_traffic(one) for one in traffic_of(suite)],
        "failures": _failures(suite.failures),
        "confidence": [_calibration(one) for one in suite.calibrations or ()] or None,
        "latency": {
            "pairs": latency.pairs,
            "ratio": _ratio(latency.ratio),
            "slower": latency.slower,
        },
        "cost": {
            "pairs": costs.compared.pairs,
            "unpriced_pairs": costs.compared.unpriced,
            "per_case_ratio": _ratio(costs.compared.ratio),
            "per_correct_ratio": _ratio(costs.compared.per_correct),
        },
    }


def sides(suite: SuiteOutcome) -> Iterator[dict[str, Any]]:
    """What base took, and then the candidate."""
    yield _side(suite.comparison.base, suite.costs.base)
    yield _side(suite.comparison.candidate, suite.costs.candidate)


def _slice(one: Slice) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": log(one.name),
        "cases": one.cases,
        "base": _passes(one.base),
        "candidate": _passes(one.candidate),
        "broke": [log(case) for case in one.broke],
        "repaired": [log(case) for case in one.repaired],
        "pattern": one.pattern,
        "p": _significant(one.p),
    }


def _passes(passes: Passes) -> dict[str, Any]:
    shares = [round(end, 4) for end in passes.interval] if passes.known else None
    return {"passed": passes.passed, "known": passes.known, "interval": shares}


def _traffic(one: Traffic) -> dict[str, Any]:
    return {
        "dimension": log(one.dimension),
        "cases": one.cases,
        "clusters": one.clusters,
        "change": decimal(one.change, 4),
        "interval": [f"{end:.4f}" for end in one.interval] if one.interval else None,
    }


def _failures(found: Failures) -> dict[str, Any]:
    base, candidate = found.counts
    return {
        "cases": len(found.base),
        "base": dict(base),
        "candidate": dict(candidate),
        "became_silent": [log(case) for case in found.became_silent],
        "ceased_to_be_silent": [log(case) for case in found.ceased],
        "silent_change": round(found.change, 4),
        "interval": [round(end, 4) for end in found.interval] if found.interval else None,
        "p": _significant(found.p),
        "more_silent": found.more_silent,
    }


def _calibration(found: Calibration) -> dict[str, Any]:
    best = found.threshold
    return {
        "answers": len(found.said),
        "without": found.silent,
        "right": found.right,
        "calibration_error": _significant(found.error),
        "bins": [[one.answers, _significant(one.confidence), _significant(one.right)] for one in found.bins],
        "wanted_precision": float(found.wanted),
        "threshold": best.confidence if best else None,
        "escalated": best.escalated if best else None,
        "precision": _significant(best.right / best.kept) if best else None,
    }


def _ratio(ratio: Ratio | None) -> dict[str, float] | None:
    """None also of an answer that was free on base: JSON has no infinity."""
    if ratio is None or math.isinf(ratio.value):
        return None
    return {"value": round(ratio.value, 4), "low": round(ratio.low, 4), "high": round(ratio.high, 4)}


def _side(records: Records, cost: SideCost) -> dict[str, Any]:
    latencies, every = times(records), list(records.values())
    quantiles = {f"p{100 * q:.0f}": quantile(latencies, q) for q in QUANTILES} if latencies else {}
    return {
        "timed": len(latencies),
        "latency_ms": {name: found.value for name, found in quantiles.items()},
        "latency_interval_ms": {name: _ends(found) for name, found in quantiles.items()},
        "tokens_in": total(every, lambda one: one.tokens_in),
        "tokens_out": total(every, lambda one: one.tokens_out),
        "tokens_cached": total(every, lambda one: one.tokens_cached),
        "tokens_reasoning": total(every, lambda one: one.tokens_reasoning),
        "answers": cost.answers,
        "priced": cost.priced,
        "cost_usd": _significant(cost.dollars) if cost.priced else None,
        "cost_per_case_usd": _significant(cost.per_case),
        "cost_per_correct_usd": _significant(cost.per_correct),
    }


def _ends(found: Quantile) -> list[float | None]:
    return [found.low, found.high]


def _significant(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
