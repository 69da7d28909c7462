"""`ci-eval.yaml`: the policy. Read from the base commit for everything but the names of the subject's files.

Two kinds of thing stand in this file. The *subject* is what a pull request may change and is judged for: the prompt,
model config, few-shot and dataset files. The *policy* is the rest: providers, golden set, scorers, thresholds.
"""

from __future__ import annotations

from ci_eval.config.policy import (
    DEFAULT_PATH,
    BaselinePolicy,
    BudgetPolicy,
    Config,
    Policy,
    Subject,
    calibration_path,
    load,
    watched,
)
from ci_eval.config.providers import Api, Price, ProviderPolicy
from ci_eval.config.suites import ConfidencePolicy, GatePolicy, NaivePolicy, NaiveRule, SuitePolicy
from ci_eval.config.targets import Examples, Kind, TargetPolicy
from ci_eval.config.values import NAME, FieldPath, Function, Name, RepoPath

__all__ = [
    "DEFAULT_PATH",
    "NAME",
    "Api",
    "BaselinePolicy",
    "BudgetPolicy",
    "ConfidencePolicy",
    "Config",
    "Examples",
    "FieldPath",
    "Function",
    "GatePolicy",
    "Kind",
    "NaivePolicy",
    "NaiveRule",
    "Name",
    "Policy",
    "Price",
    "ProviderPolicy",
    "RepoPath",
    "Subject",
    "SuitePolicy",
    "TargetPolicy",
    "calibration_path",
    "load",
    "watched",
]
