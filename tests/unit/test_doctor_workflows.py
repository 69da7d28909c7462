"""What doctor says of workflows: one thing is changed in a good one, and that one thing is told."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from doctor_cases import EVAL, GOOD, ON, SHA, changed, of_files, of_workflows, told, wrong
from hypothesis import given
from hypothesis import strategies as st
from making import held

from ci_eval.doctor import gate_job, keys, protections, setup, strangers
from ci_eval.doctor.findings import Check, exit_code
from ci_eval.doctor.workflows import Start, Workflows

STEP = f"      - uses: octo/ci-eval@{SHA}\n"
JOB = "    name: ci-eval\n"
EXPORT = '      - {run: echo "A=$A" >> "$GITHUB_ENV", env: {A: "${{ secrets.A }}"}}\n'
RUN = "      - run: make test\n"


def test_an_event_that_a_job_does_not_answer_is_not_asked_to_reach_it() -> None:
    """A workflow for pull requests and for forks: each job answers one of both events."""
    events = f"{ON}  pull_request_target: {{types: [labeled]}}\n"
    found = of_workflows(changed((ON, events), (JOB, f"{JOB}    if: github.event_name != 'pull_request_target'\n")))
    assert wrong(found) == {("never-skipped", "problem")}


def test_nothing_is_wrong_with_a_good_workflow() -> None:
    assert wrong(of_workflows()) == set()


@pytest.mark.parametrize(
    ("old", "new", "check", "state"),
    [
        # events and filters
        (ON, f"{ON[:-2]}, paths: ['prompts/**']}}\n", "no-filters", "problem"),
        (ON, f"{ON[:-2]}, paths-ignore: ['*.md']}}\n", "no-filters", "problem"),
        (ON, "  pull_request: {types: [opened, edited]}\n", "no-filters", "problem"),
        (ON, "  pull_request: {types: [labeled, edited]}\n", "no-filters", "problem"),
        (ON, "  pull_request:\n", "retargeted", "problem"),
        (ON, "  pull_request: {types: [opened, synchronize, reopened]}\n", "retargeted", "problem"),
        (f"on:\n{ON}  merge_group:\n", "on: [pull_request, merge_group]\n", "retargeted", "problem"),
        ("  merge_group:\n", "", "merge-group", "warning"),
        # the job may be skipped, or be green whatever is found
        (JOB, f"{JOB}    if: github.actor != 'dependabot[bot]'\n", "never-skipped", "problem"),
        (JOB, f"{JOB}    if: ${{{{ !github.event.pull_request.draft }}}}\n", "never-skipped", "problem"),
        (JOB, f"{JOB}    needs: [changes]\n", "never-skipped", "problem"),
        (JOB, f"{JOB}    if: github.event_name == 'merge_group'\n", "never-skipped", "problem"),
        (JOB, f"{JOB}    continue-on-error: true\n", "verdict-counts", "problem"),
        (JOB, f"{JOB}    continue-on-error: ${{{{ inputs.x }}}}\n", "verdict-counts", "problem"),
        (STEP, f"{STEP}        continue-on-error: true\n", "verdict-counts", "problem"),
        (STEP, f"{STEP}        if: env.KEY != ''\n", "verdict-counts", "problem"),
        # the check's name
        (JOB, f"{JOB}    strategy: {{matrix: {{shard: [1, 2]}}}}\n", "check-name", "problem"),
        (JOB, "    name: ci-eval ${{ github.run_id }}\n", "check-name", "problem"),
        # pins
        (STEP, "      - uses: octo/ci-eval@v1\n", "pinned", "problem"),
        (STEP, f"      - uses: octo/ci-eval@{SHA[:12]}\n", "pinned", "problem"),
        (STEP, f"      - uses: actions/setup-node@main\n{STEP}", "pinned", "problem"),
        (STEP, f"      - uses: docker://alpine:3\n{STEP}", "pinned", "problem"),
        (f"actions/checkout@{SHA}", "actions/checkout@v7", "pinned", "problem"),
        (STEP, f"      - uses: OWNER/ci-eval@{'0' * 40}\n", "release-named", "warning"),
        # the keys that the config names
        ("KEY: ${{ secrets.KEY }}", "OTHER: ${{ secrets.OTHER }}", "keys-handed-over", "warning"),
        # permissions
        ("contents: read", "contents: write", "least-permissions", "problem"),
        ("{contents: read, pull-requests: write}", "write-all", "least-permissions", "problem"),
        ("pull-requests: write}", "pull-requests: write, id-token: write}", "least-permissions", "problem"),
        # the checkout
        (", persist-credentials: false", "", "no-credentials", "problem"),
        ("persist-credentials: false", "persist-credentials: true", "no-credentials", "problem"),
        ("fetch-depth: 0, ", "", "fetch-depth", "problem"),
        ("fetch-depth: 0", "fetch-depth: 2", "fetch-depth", "warning"),
        # the rest
        ("    timeout-minutes: 15\n", "", "timeout", "warning"),
        ('concurrency: {group: "eval-${{ github.ref }}", cancel-in-progress: true}\n', "", "concurrency", "warning"),
        # keys
        ("permissions: {}\n", "permissions: {}\nenv: {KEY: '${{ secrets.KEY }}'}\n", "keys-in-one-step", "problem"),
        (JOB, f"{JOB}    env: {{KEY: '${{{{ secrets.KEY }}}}'}}\n", "keys-in-one-step", "problem"),
        (JOB, f"{JOB}    env: {{KEY: \"${{{{ secrets['KEY'] }}}}\"}}\n", "keys-in-one-step", "problem"),
        (JOB, f"{JOB}    env: {{ALL: '${{{{ toJSON(secrets) }}}}'}}\n", "keys-in-one-step", "problem"),
        (JOB, f"{JOB}    container: {{env: {{KEY: '${{{{ secrets.KEY }}}}'}}}}\n", "keys-in-one-step", "problem"),
        (STEP, f"{RUN}        env: {{K: '${{{{ secrets.KEY }}}}'}}\n{STEP}", "keys-in-one-step", "problem"),
        (STEP, f"      - run: echo ${{{{ secrets.OTHER }}}}\n{STEP}", "keys-in-one-step", "problem"),
        (STEP, EXPORT + STEP, "keys-in-one-step", "problem"),
        ("${{ secrets.KEY }}", "sk-live-0123456789", "keys-in-one-step", "problem"),
        ("    environment: models\n", "", "who-reads-keys", "warning"),
    ],
)  # fmt: skip
def test_each_fault_is_told_once_and_nothing_else(old: str, new: str, check: str, state: str) -> None:
    assert wrong(of_workflows(changed((old, new)))) == {(check, state)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("on:\n", "'on':\n"),
        (ON, f"{ON[:-3]}, labeled, unlabeled]}}\n"),
        (ON, f"{ON[:-2]}, branches: [main]}}\n"),
        (JOB, f"{JOB}    if: always()\n"),
        (JOB, f"{JOB}    if: always()\n    needs: [changes]\n"),
        (JOB, f"{JOB}    if: ${{{{ github.event_name == 'pull_request' || github.event_name == 'merge_group' }}}}\n"),
        (JOB, f"{JOB}    continue-on-error: false\n"),
        ("persist-credentials: false", "persist-credentials: 'false'"),
        ("permissions: {}\n", "permissions: read-all\n"),
        ("permissions: {}\n", ""),
        ("{contents: read, pull-requests: write}", "{contents: read, pull-requests: write, models: read}"),
        (f"octo/ci-eval@{SHA}", f"octo/CI-Eval@{SHA}"),
        (f"octo/ci-eval@{SHA}", f"docker://ghcr.io/octo/ci-eval@sha256:{'0' * 64}"),
        (f"      - uses: octo/ci-eval@{SHA}", "      - run: pipx run ci-eval gate"),
        ("${{ secrets.KEY }}", "${{ secrets.GITHUB_TOKEN }}"),
        (STEP, f"{RUN}        env: {{TITLE: '${{{{ github.event.pull_request.title }}}}'}}\n{STEP}"),
        (STEP, f"      - run: echo ${{{{ github.event.pull_request.head.sha }}}} ${{{{ github.run_id }}}}\n{STEP}"),
        (STEP, f"      - run: git fetch origin main\n{STEP}"),  # no stranger starts this with main's secrets
    ],
)
def test_what_is_right_in_other_words_is_right(old: str, new: str) -> None:
    assert wrong(of_workflows(changed((old, new)))) == set()


@pytest.mark.parametrize("swallowed", ["|| true", "||true", "|| :", "|| exit 0"])
def test_a_script_that_goes_on_after_the_gate_is_told(swallowed: str) -> None:
    step = f"      - run: 'ci-eval gate {swallowed}'"
    assert wrong(of_workflows(changed((f"      - uses: octo/ci-eval@{SHA}", step)))) == {("verdict-counts", "problem")}


def test_a_string_is_an_event() -> None:
    """`on: pull_request`: YAML 1.1 would make the key true."""
    text = changed((f"on:\n{ON}  merge_group:\n", "on: pull_request\n"))
    assert wrong(of_workflows(text)) == {("merge-group", "warning"), ("retargeted", "problem")}


def test_no_permissions_anywhere_is_whatever_the_repository_says() -> None:
    text = changed(("permissions: {}\n", ""), ("    permissions: {contents: read, pull-requests: write}\n", ""))
    assert wrong(of_workflows(text)) == {("least-permissions", "warning")}


def test_all_secrets_handed_on_are_told() -> None:
    call = "on: pull_request\njobs:\n  call: {uses: ./.github/workflows/eval.yml, secrets: inherit}\n"
    text = changed((f"on:\n{ON}  merge_group:\n", "on: workflow_call\n"))
    assert ("keys-in-one-step", "warning") in wrong(of_workflows(text, call=call))


# --- jobs by other ways -----------------------------------------------------------------------------------------------


def test_a_called_workflow_is_judged_as_its_callers_start_it() -> None:
    """Its check has both names, and what may skip the caller skips it."""
    called = changed((f"on:\n{ON}  merge_group:\n", "on: workflow_call\n"))
    call = f"on:\n{ON}  merge_group:\npermissions: {{}}\njobs:\n  go: {{uses: ./.github/workflows/eval.yml}}\n"
    assert wrong(of_workflows(called, call=call)) == set()
    (start,) = [start for start in starts(called, call=call) if start.gates]
    assert start.check_name == "go / ci-eval"
    skipped = call.replace("{uses", "{if: github.actor == 'me', uses")
    assert wrong(of_workflows(called, call=skipped)) == {("never-skipped", "problem")}


def starts(text: str, **others: str) -> tuple[Start, ...]:
    files = {EVAL: text} | {f".github/workflows/{name}.yml": other for name, other in others.items()}
    return Workflows.read(held(files)).starts


def test_workflows_that_call_each_other_have_an_end() -> None:
    step = "steps: [{run: ci-eval gate}]"
    loop = (
        "on: [pull_request, workflow_call]\njobs:\n"
        + "".join(f"  j{n}: {{uses: ./.github/workflows/a{n}.yml}}\n" for n in range(8))
        + f"  own: {{{step}}}\n"
    )
    begin = time.process_time()
    of_files({f".github/workflows/a{n}.yml": loop for n in range(8)})
    assert time.process_time() - begin < 60


def test_the_steps_of_an_action_of_the_repository_are_looked_at_too() -> None:
    action = f"runs:\n  using: composite\n  steps:\n    - uses: octo/ci-eval@{SHA}\n    - uses: actions/cache@v4\n"
    text = changed((STEP, "      - uses: ./.github/actions/gate\n"))
    found = of_files({EVAL: text, ".github/actions/gate/action.yml": action})
    assert ("pinned", "problem") in wrong(found)
    assert "actions/cache@v4" in told(found)


def test_an_action_that_uses_itself_has_an_end() -> None:
    action = "runs:\n  using: composite\n  steps:\n" + "    - uses: ./a\n" * 50
    text = changed((STEP, f"      - uses: ./a\n{STEP}"))
    assert of_files({EVAL: text, "a/action.yml": action})


def test_a_gate_out_of_the_checkout_is_told() -> None:
    action = "name: ci-eval\nruns: {using: docker, image: Dockerfile}\n"
    found = of_files({EVAL: changed((STEP, "      - uses: ./\n")), "action.yml": action})
    assert wrong(found) == {("own-action", "warning")}


def test_the_job_that_remembers_main_may_write_contents_and_nothing_more() -> None:
    main = changed((f"on:\n{ON}  merge_group:\n", "on: {push: {branches: [main]}}\n"), (JOB, ""))
    right = changed(("pull-requests: write", "issues: write"), ("contents: read", "contents: write"), text=main)
    assert wrong(of_workflows(GOOD, main=right)) == set()
    more = changed(("contents: read", "packages: write"), text=main)
    assert wrong(of_workflows(GOOD, main=more)) == {("least-permissions", "problem")}


FORKS = Path(__file__).parents[2] / "examples/forks"


def test_nothing_is_wrong_with_the_example_for_forks() -> None:
    """Its gate is told by a second job, and leaves the repository's own pull requests to the other workflow."""
    files = {str(path.relative_to(FORKS)): path.read_text() for path in FORKS.rglob("*") if path.is_file()}
    assert "problem" not in {state for _, state in wrong(of_files(files))}
    del files[".github/workflows/forks.yml"]  # then nobody judges a fork's, and skipped is green
    assert ("never-skipped", "problem") in wrong(of_files(files))


def test_a_second_job_speaks_for_the_gate_only_where_it_looks_at_its_result() -> None:
    gate = changed((JOB, "    name: x ${{ github.sha }}\n"))
    second = "  verdict:\n    name: ci-eval\n    needs: gate\n    if: always()\n    steps: [{run: %s}]\n"
    assert wrong(of_workflows(gate + second % "'test ${{ needs.gate.result }} = success'")) == set()
    assert wrong(of_workflows(gate + second % "'true'")) == {("check-name", "problem")}
    without = second.replace("    if: always()\n", "")
    looking = without % "'test ${{ needs.gate.result }} = success'"
    assert wrong(of_workflows(gate + looking)) == {("never-skipped", "problem")}


# --- hostile and odd files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x 1\nb: *x\n", "an anchor"),
        ("<<: {on: push}\n", "a merge key"),
        ("on: push\non: pull_request\n", "stands here twice"),
        ("on: !!python/object:os.system push\n", "a tag"),
        ("\tx", "a tab"),
        ("a: 1\u2028on: pull_request_target\n", "not seen"),
        ("x: [" * 60, "nested deeper"),
        ("# " + "x" * 300_000, "larger than"),
    ],
)
def test_what_cannot_be_read_is_never_called_harmless(text: str, why: str) -> None:
    found = of_workflows(GOOD, odd=text)
    assert wrong(found) == {("workflow-readable", "unknown")}
    assert why in told(found)
    assert exit_code(found, strict=False) == 0
    assert exit_code(found, strict=True) == 3


def test_without_a_gate_an_unreadable_file_may_be_the_gate() -> None:
    assert ("gate-job", "unknown") in wrong(of_workflows("a: &x 1\n"))
    assert ("gate-job", "problem") in wrong(of_workflows("on: push\n"))
    assert ("gate-job", "problem") in wrong(of_files({"README.md": "no workflows"}))


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "[]",
        "on: 1\njobs: 1\n",
        "on: [1, {a: b}]\njobs: {a: null, b: [], c: {steps: {}}, d: {steps: [1, null, []]}}\n",
        "on: {pull_request: 1}\njobs: {g: {steps: [{uses: 1, run: [], with: 3, env: 4}], permissions: 5, env: 6}}\n",
        "on: {pull_request: {types: {}}}\njobs: {g: {if: [], strategy: 1, steps: [{run: ci-eval gate}]}}",
        "on: pull_request\njobs: {'::error::x': {name: '##[group]', steps: [{run: ci-eval gate}]}}\n",
    ],
)
def test_shapes_that_github_would_refuse_do_no_harm(text: str) -> None:
    assert "::error::" not in told(of_workflows(text))
    assert "##[" not in told(of_workflows(text))


def test_a_name_is_encoded_wherever_it_is_told() -> None:
    name = "\u202e\x1b[31m::error::"
    text = changed((STEP, f'      - uses: "o/{name}@v1"\n{STEP}'))
    shown = told(of_workflows(text.replace("\x1b", "\\e")))
    assert "\\u{202e}" in shown
    assert "\x1b" not in shown
    assert "::error::" not in shown


@given(
    st.recursive(
        st.sampled_from(["pull_request", "ci-eval gate", "${{ secrets.K }}", "always()", "./a", 1, None, True, "${{"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["on", "jobs", "a", "steps", "uses", "run", "with", "env", "if", "needs", "permissions"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_document_breaks_it(value: object) -> None:
    assert of_workflows(json.dumps(value))


@pytest.mark.parametrize("filler", ["${{ ", "github.event.", "git ", "\n", "|| ", "[[ ", "secrets.", "gh "])
def test_no_script_makes_it_slow(filler: str) -> None:
    """250 KB of what each search begins with."""
    text = GOOD.replace("  pull_request:", "  pull_request_target:")
    script = filler * (200_000 // len(filler))
    body = (
        "".join(f"          {line}\n" for line in script.split("\n"))
        if filler != "\n"
        else "\n" * 200_000 + "          x\n"
    )
    begin = time.process_time()
    of_workflows(changed((STEP, f"      - run: |\n{body}{STEP}"), text=text))
    assert time.process_time() - begin < 20


def test_everything_that_is_looked_at_is_in_the_documentation() -> None:
    checks = {
        check.id
        for module in (gate_job, keys, protections, setup, strangers)
        for check in vars(module).values()
        if isinstance(check, Check)
    }
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text(encoding="utf-8")
    assert {f"`{name}`" for name in checks} <= set(re.findall(r"`[a-z-]+`", page))
