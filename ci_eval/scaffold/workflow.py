"""The workflow that a repository starts with: the gate on pull requests, and the job that remembers main."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PATH = ".github/workflows/ci-eval.yml"
CHECK = "ci-eval"
"""The job's name, which is the check to require."""
NO_RELEASE = f"OWNER/ci-eval@{'0' * 40}"
"""A package cannot know the commit that it was released at: whoever copies the workflow names it."""

_TEXT = """\
# The gate answers pull requests and the merge queue; the baseline job remembers BRANCH. To have a pull request judged
# by hand: Actions, eval, Run workflow, its number.
name: eval

on:
  pull_request:
    types: [opened, synchronize, reopened, edited, labeled, unlabeled]
    branches: [BRANCH] # a check is the head's, whichever branch it was judged for
  merge_group:
  push:
    branches: [BRANCH]
  schedule:
    - cron: "17 3 * * *"
  workflow_dispatch:
    inputs:
      pr-number:
        description: Gate this pull request; empty evaluates everything.
        required: false

permissions: {}

concurrency:
  group: eval-${{ github.event.pull_request.number || github.run_id }}
  cancel-in-progress: true

jobs:
  gate:
    name: CHECK # the check to require
    if: github.event_name == 'pull_request' || github.event_name == 'merge_group' || inputs.pr-number != ''
    runs-on: ubuntu-24.04
    timeout-minutes: MINUTES
    permissions:
      contents: read # to check out, and to read BRANCH's baselines and the list of pushes
      pull-requests: write # to answer in the pull request, and to take the label ci-eval: accept off
MODELS
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          fetch-depth: 0
          persist-credentials: false
      - uses: ACTION
        id: gate
        with:
          pr-number: ${{ inputs.pr-number }}
KEYS
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        if: always() && steps.gate.outputs.report-path != ''
        with:
          name: report
          path: |
            ${{ steps.gate.outputs.report-path }}
            ${{ steps.gate.outputs.results-path }}
            ${{ steps.gate.outputs.junit-path }}
          include-hidden-files: true # they are in a folder whose name begins with a dot

  baseline:
    name: baseline
    if: >-
      github.event_name == 'push' || github.event_name == 'schedule' ||
      (github.event_name == 'workflow_dispatch' && inputs.pr-number == '')
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    permissions:
      contents: write # to push to the branch ci-eval-baselines
      issues: write # to tell when a scheduled evaluation scores differently than before
MODELS
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          fetch-depth: 0
          persist-credentials: false
      - uses: ACTION
KEYS
"""
_ACTIONS_OWN = "GITHUB_TOKEN"
_MODELS = "      models: read # to ask GitHub Models with the workflow's own token"


@dataclass(frozen=True)
class Job:
    """What differs from one repository to the next."""

    keys: Sequence[str] = ()
    """Variables that ci-eval is given: secrets of the same names, and `GITHUB_TOKEN` where GitHub Models is asked."""
    branch: str = "main"
    """A name that YAML and GitHub's patterns take as it stands."""
    action: str = NO_RELEASE
    minutes: int = 15
    """The gate's end, with room over `budget.seconds` to start and to report."""


def render(job: Job) -> str:
    """The whole file."""
    note = " # the commit of the release that you use" if job.action == NO_RELEASE else ""
    filled = {
        "MODELS": _MODELS if _ACTIONS_OWN in job.keys else None,
        "KEYS": "\n".join(_keys(job.keys)) or None,
    }
    lines = [filled.get(line, line) for line in _TEXT.split("\n")]
    text = "\n".join(line for line in lines if line is not None)
    words = {"BRANCH": job.branch, "ACTION": f"{job.action}{note}", "CHECK": CHECK, "MINUTES": str(job.minutes)}
    return re.sub("|".join(words), lambda match: words[match.group()], text)


def _keys(names: Sequence[str]) -> list[str]:
    lines = [f"          {name}: ${{{{ {_source(name)} }}}}" for name in names]
    return ["        env:", *lines] if lines else []


def _source(name: str) -> str:
    return "github.token" if name == _ACTIONS_OWN else f"secrets.{name}"
