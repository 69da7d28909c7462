"""A whole job on GitHub: the runner's environment, real merge commits, GitHub's API, and git over HTTP."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import webhooks
from github_hub import HARMLESS, NO_PARCELS, PULL, Hub, opened
from github_standin import DATA, TOKEN, Failure
from openai_server import Answer, Asked, fails, says
from parcel_desk import (
    CONFIG,
    FAQ_CASES,
    FILES,
    KEY,
    KEY_ENV,
    SETTLING,
    TRIAGE_CASES,
    TRIAGE_MODEL,
    TRIAGE_PROMPT,
    answers,
    edited,
)
from sums import CASES as SUMS
from sums import PROMPT as SUMS_PROMPT
from sums import sums

NO_RETURNS = edited(TRIAGE_PROMPT, "* parcels\n* invoices\n* returns\n", "* parcels\n* invoices\n")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        yield made


# --- a pull request ---------------------------------------------------------------------------------------------------


def test_a_damaged_prompt_is_red_and_answered_in_one_comment(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert job.code == 1
    [body] = hub.api.bodies(PULL)
    assert body.split("\n")[1] == "### ❌ Regression: `routing` fell by 50.0 points (limit 1)"
    assert "`lost-parcel`" in body
    assert "`front desk where parcels is right`" in body


def test_the_next_push_edits_the_same_comment(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    job = hub.pull_request(capsys, hub.push_head(HARMLESS), action="synchronize")

    assert job.code == 0
    [body] = hub.api.bodies(PULL)
    assert body.split("\n")[1].startswith("### ✅ Pass: no dimension fell by 1 point or more")
    assert hub.api.requests.count(f"POST /repos/{hub.api.repository}/issues/{PULL}/comments") == 1


def test_nothing_that_happens_to_a_pull_request_turns_a_regression_green(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """By GitHub's own payloads: the newest check of a head counts, whatever started it."""
    head = hub.push_head(NO_PARCELS)
    actions = {webhooks.kind_of("pull_request", payload) for payload in webhooks.real("pull_request")} - {"closed"}

    for action in sorted({*actions, "edited", "milestoned", "enqueued", "auto_merge_enabled"}):
        assert (action, hub.pull_request(capsys, head, action=action).code) == (action, 1)
    assert hub.pull_request(capsys, head, action="closed").out == "ci-eval: nothing to do: the pull request is closed\n"
    assert len(hub.api.bodies(PULL)) == 1


def test_the_changed_file_is_annotated(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert f"::error file={TRIAGE_PROMPT},line=3::ci-eval: routing fell by 50.00 points" in job.out.split("\n")


def test_the_changed_line_of_a_model_config_is_annotated(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    wordless = '{"provider": "desk",\n "model": "house-1",\n "temperature": 0,\n "max_tokens": 50}\n'
    hub.push_main({TRIAGE_MODEL: wordless})
    hub.model.behaviour = lambda asked: says("no idea") if asked.body["temperature"] else answers(asked)

    job = hub.pull_request(capsys, hub.push_head({TRIAGE_MODEL: wordless.replace(": 0,", ": 1,")}))

    assert job.code == 1
    assert f"::error file={TRIAGE_MODEL},line=3::ci-eval: " in job.out


def test_summary_and_outputs_tell_what_the_comment_tells(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert job.summary.startswith("### ❌ Regression: `routing` fell by 50.0 points (limit 1)")
    assert {name: value for name, value in job.outputs.items() if not name.endswith("-path")} == {
        "verdict": "regression",
        "worst-dimension": "routing",
        "worst-drop": "50.0000",
        "comment-url": f"https://github.com/octo-org/shop/pull/{PULL}#issuecomment-1001",
    }


def test_the_reports_lie_in_one_folder_apart_from_the_run_files(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a step may upload what is told, and leave what is not."""
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    workspace = hub.folder / f"workspace-{hub.runs}"
    files = {name: workspace / value for name, value in job.outputs.items() if name.endswith("-path")}
    assert {name: file.name for name, file in files.items()} == {
        "report-path": "report.html",
        "results-path": "results.json",
        "junit-path": "junit.xml",
        "sarif-path": "report.sarif",
    }
    [folder] = {file.parent for file in files.values()}
    assert sorted(folder.iterdir()) == sorted(files.values())
    assert "✕ Regression" in files["report-path"].read_text(encoding="utf-8")
    assert json.loads(files["results-path"].read_bytes())["verdict"] == "regression"
    assert 'name="verdict">\n      <failure' in files["junit-path"].read_text(encoding="utf-8")
    assert TRIAGE_PROMPT in files["sarif-path"].read_text(encoding="utf-8")


def test_an_unrelated_change_is_green_without_asking_the_model(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head({"src/checkout.ts": "export const vat = 0.07\n"}))

    assert (job.code, hub.model.calls) == (0, 0)
    assert hub.api.bodies(PULL)[0].split("\n")[1] == "### ✅ Pass: nothing that ci-eval watches changed"
    assert not hub.remote.requests, "and without reading main's baselines"


def test_commits_of_main_that_the_branch_lacks_are_not_held_against_it(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    fork_point = hub.developer.git("rev-parse", "main")
    hub.push_main(NO_PARCELS)

    job = hub.pull_request(capsys, hub.push_head({"src/checkout.ts": "export const vat = 0.07\n"}, base=fork_point))

    assert (job.code, hub.model.calls) == (0, 0)


@pytest.mark.parametrize("mode", ["off", "failures"])
def test_a_workflow_may_ask_for_silence_on_green(mode: str, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(HARMLESS), INPUT_COMMENT=mode)

    assert job.code == 0
    assert hub.api.bodies(PULL) == []
    assert job.summary.startswith("### ✅ Pass")


def test_a_workflow_may_be_stricter_than_the_policy(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.push_main({CONFIG: hub.developer.read(CONFIG).replace("max_drop: 1,", "max_drop: 60,")})
    head = hub.push_head(NO_PARCELS)

    assert hub.pull_request(capsys, head).code == 0
    assert hub.pull_request(capsys, head, INPUT_MAX__DROP="50").code == 1
    assert hub.pull_request(capsys, head, INPUT_MAX__DROP="70").code == 0


# --- the plan and its budget ------------------------------------------------------------------------------------------

PRICED = ", prices: {house-1: {input: 0, output: 100000}}"
"""A dime for each token of an answer."""


def _priced(hub: Hub) -> None:
    """Main with a price for its model."""
    policy = hub.developer.read(CONFIG)
    hub.push_main({CONFIG: policy.replace(", max_concurrency: 8", f"{PRICED}, max_concurrency: 8")})


def test_what_a_gate_cost_is_an_output(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    _priced(hub)

    job = hub.pull_request(capsys, hub.push_head(HARMLESS))

    results = json.loads((hub.folder / f"workspace-{hub.runs}" / job.outputs["results-path"]).read_bytes())
    assert job.code == 0
    assert float(job.outputs["cost-usd"]) == pytest.approx(results["usd"])
    assert results["usd"] > 0


def test_a_gate_that_asks_nothing_costs_nothing(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head({"src/checkout.ts": "export const vat = 0.07\n"}))

    assert float(job.outputs["cost-usd"]) == 0


def test_what_main_s_evaluation_cost_is_an_output(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    _priced(hub)

    assert float(hub.dispatch(capsys).outputs["cost-usd"]) > 0


def _main_of_sums(hub: Hub, capsys: pytest.CaptureFixture[str], budget: str) -> str:
    """Main is a hundred cases with a stored run, where an answer costs a dime."""
    hub.model.behaviour = lambda _: says("right")
    dime = ", prices: {coin: {input: 0, output: 100000}}"
    written = sums(hub.folder / "sums", hub.model, budget=budget, provider=dime)
    base = hub.push_main({name: written.read(name) for name in written.git("ls-files").split("\n")})
    assert hub.push(capsys, base, INPUT_CONFIG="ci-eval.yaml").code == 0
    return base


@pytest.mark.parametrize(
    ("policy", "usd", "mode", "part"),
    [
        pytest.param("seconds: 600", "", "auto", False, id="no limit of money"),
        pytest.param("seconds: 600", "11", "auto", True, id="a limit where main has none"),
        pytest.param("seconds: 600, usd: 1000", "11", "auto", True, id="a smaller limit than main's"),
        pytest.param("seconds: 600, usd: 11", "1000", "auto", True, id="a larger limit than main's"),
        pytest.param("seconds: 600, usd: 11", "", "full", False, id="all cases, whatever confirming them may cost"),
    ],
)
def test_a_workflow_may_spend_less_than_main_allows_or_run_more_but_not_the_other_way_round(
    policy: str, usd: str, mode: str, part: bool, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    _main_of_sums(hub, capsys, policy)
    head = hub.push_head({SUMS_PROMPT: "candidate\n"})
    before = hub.model.calls

    job = hub.pull_request(capsys, head, INPUT_CONFIG="ci-eval.yaml", INPUT_BUDGET__USD=usd, INPUT_MODE=mode)

    asked = hub.model.calls - before
    assert (job.code, asked < SUMS, "on a subset of" in job.summary) == (0, part, part)
    assert float(job.outputs["cost-usd"]) == pytest.approx(asked / 10)


def test_a_merge_queue_runs_every_case_where_a_pull_request_runs_a_part(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    base = _main_of_sums(hub, capsys, "seconds: 600, usd: 11")
    hub.push_head({SUMS_PROMPT: "candidate\n"})
    before = hub.model.calls

    job = hub.merge_group(capsys, base, INPUT_CONFIG="ci-eval.yaml")

    assert (job.code, hub.model.calls - before) == (0, SUMS)


def test_money_that_reaches_for_nothing_is_inconclusive_and_its_cost_is_not_claimed(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    _priced(hub)

    job = hub.pull_request(capsys, hub.push_head(HARMLESS), INPUT_BUDGET__USD="0.1")

    assert (job.code, job.outputs["verdict"], hub.model.calls) == (3, "inconclusive", 0)
    assert "cost-usd" not in job.outputs
    assert "more than the budget; raise the budget" in hub.api.bodies(PULL)[0]


# --- a merge queue ----------------------------------------------------------------------------------------------------


def test_a_harmless_merge_group_is_green_by_main_s_stored_run(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    base = hub.push_main({})
    hub.push(capsys, base)
    before = hub.model.calls
    hub.push_head(HARMLESS)

    job = hub.merge_group(capsys, base)

    assert (job.code, hub.model.calls - before) == (0, TRIAGE_CASES)
    assert f"The base's answers are main's stored baseline of `{base[:12]}`" in job.summary
    assert len(hub.baselines()) == 2, "and it stores nothing itself"


@pytest.mark.parametrize("what", ["depth", "stranger"])
def test_a_merge_group_whose_base_is_not_below_it_is_refused(
    what: str, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    base = hub.developer.git("rev-parse", "main")
    hub.push_head(NO_PARCELS)

    job = hub.merge_group(capsys, base, depth=1) if what == "depth" else hub.merge_group(capsys, "0123456789" * 4)

    assert (job.code, hub.model.calls, job.outputs["verdict"]) == (2, 0, "inconclusive")
    assert "fetch-depth: 0" in job.out
    assert "fetch-depth: 0" in job.summary


# --- what goes wrong is not a verdict ---------------------------------------------------------------------------------


def test_no_token_is_a_warning_and_the_verdict_stands(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS), INPUT_GITHUB__TOKEN="")

    assert (job.code, job.outputs["verdict"]) == (1, "regression")
    assert "::warning::no github-token" in job.out
    assert hub.api.requests == []


def test_a_head_that_is_not_the_merge_commits_is_refused_and_answered(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.push_head(HARMLESS)
    _open_pull(hub, "0123456789" * 4)

    job = hub.pull_request(capsys, "0123456789" * 4)

    assert (job.code, hub.model.calls) == (2, 0)
    assert "the merge commit does not belong to the pull request's head" in job.out
    assert job.outputs["verdict"] == "inconclusive"
    assert "⚠️ Inconclusive: the gate ended before it could judge" in hub.api.bodies(PULL)[0]


def test_a_shallow_checkout_is_told_how_to_be_whole(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS), depth=1)

    assert (job.code, hub.model.calls) == (2, 0)
    assert "fetch-depth: 0" in job.out
    assert "fetch-depth: 0" in hub.api.bodies(PULL)[0]


def test_depth_two_is_enough_for_a_verdict(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert hub.pull_request(capsys, hub.push_head(NO_PARCELS), depth=2).code == 1


def test_no_key_is_inconclusive_and_answered(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS), DESK_KEY="")

    assert (job.code, hub.model.calls, job.outputs["verdict"]) == (3, 0, "inconclusive")
    assert f"{KEY_ENV} is not set" in hub.api.bodies(PULL)[0]


def test_a_broken_policy_is_annotated_at_its_line(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    config = hub.developer.read(CONFIG)
    line = config.split("\n").index("    gate: {max_drop: 1, per_dimension: {courtesy: any}}") + 1

    job = hub.pull_request(capsys, hub.push_head({CONFIG: config.replace("{max_drop: 1,", "{max_dorp: 1,")}))

    assert job.code == 2
    assert re.search(rf'^::error file={CONFIG},line={line}::.*unknown key "max_dorp".*write "max_drop"', job.out, re.M)
    assert 'write "max_drop"' in hub.api.bodies(PULL)[0]


def test_no_config_on_main_is_inconclusive_and_says_what_to_do(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    config = hub.developer.read(CONFIG)
    hub.push_main({CONFIG: None})

    job = hub.pull_request(capsys, hub.push_head({CONFIG: config}))

    assert (job.code, hub.model.calls) == (3, 0)
    assert "nothing on main to compare with; merge, then require the check" in hub.api.bodies(PULL)[0]


def test_an_event_that_is_not_supported_is_refused(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.push_head(HARMLESS)
    job = hub.run(capsys, "issue_comment", {}, hub.checkout("refs/heads/main"), "refs/heads/main")

    assert job.code == 2
    assert (
        "the event issue_comment is not supported; "
        "use pull_request, pull_request_target, merge_group, push, schedule or workflow_dispatch" in job.out
    )


# --- main's baseline --------------------------------------------------------------------------------------------------


def test_a_push_to_main_stores_a_baseline_that_the_next_pull_request_uses(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    sha = hub.push_main({})

    stored = hub.push(capsys, sha)
    before = hub.model.calls
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert stored.code == 0
    assert "| triage  | routing     | 100.00  |" in stored.summary
    assert "Stored as main's baseline." in stored.summary
    assert before == TRIAGE_CASES + FAQ_CASES
    assert [path.split("/")[1] for path in hub.baselines()] == ["faq", "triage"]
    assert job.code == 1
    assert hub.model.calls - before == TRIAGE_CASES + 2 * SETTLING, "main was not asked for a first look"
    assert f"The base's answers are main's stored baseline of `{sha[:12]}`" in hub.api.bodies(PULL)[0]


def test_a_baseline_of_other_inputs_does_not_serve(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.push(capsys, hub.push_main(HARMLESS))
    hub.push_main({TRIAGE_PROMPT: FILES[TRIAGE_PROMPT]})
    before = hub.model.calls

    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert job.code == 1
    assert hub.model.calls - before == 2 * TRIAGE_CASES + 2 * SETTLING


def test_baselines_that_cannot_be_read_cost_a_run_of_main_and_a_warning(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.remote.refused = {"git-upload-pack"}

    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert job.code == 1
    assert hub.model.calls == 2 * TRIAGE_CASES + 2 * SETTLING
    assert "main's stored runs cannot be read" in hub.api.bodies(PULL)[0]


def test_answers_that_are_lost_are_not_stored(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.model.behaviour = lambda asked: fails(500, "no") if "return" in asked.user else answers(asked)

    job = hub.push(capsys, hub.push_main({}))

    assert (job.code, job.outputs["verdict"]) == (3, "inconclusive")
    assert "Answers lost to infrastructure: 2, so nothing was stored." in job.summary
    assert hub.baselines() == []


def test_a_job_that_may_not_write_the_baseline_says_so(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.remote.refused = {"git-receive-pack"}

    job = hub.push(capsys, hub.push_main({}))

    assert (job.code, job.outputs) == (3, {"verdict": "inconclusive"})
    assert re.search(
        r"^::error::the baseline branch ci-eval-baselines cannot be written; .*contents: write", job.out, re.M
    )


# --- by the clock -----------------------------------------------------------------------------------------------------


def test_a_schedule_asks_everything_anew_and_stores_it(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever main's workflow kept: a provider that changed its model is only seen by asking it."""
    kept = str(hub.folder / "kept")
    hub.push(capsys, hub.push_main({}), XDG_CACHE_HOME=kept)
    files, before = _kept(hub), hub.model.calls

    job = hub.schedule(capsys, XDG_CACHE_HOME=kept)

    assert (job.code, job.outputs["verdict"]) == (0, "pass")
    assert hub.model.calls - before == TRIAGE_CASES + FAQ_CASES
    assert "Stored as main's baseline." in job.summary
    assert len(hub.baselines()) == 2 * 2
    assert files
    assert _kept(hub) == files


def test_a_pull_request_is_compared_with_what_the_clock_stored(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.push_main({})
    hub.schedule(capsys)
    before = hub.model.calls

    job = hub.pull_request(capsys, hub.push_head(HARMLESS))

    assert (job.code, hub.model.calls - before) == (0, TRIAGE_CASES)
    assert "main's stored baseline" in hub.api.bodies(PULL)[0]


def _forgetful(asked: Asked) -> Answer:
    """The same model by its name, and another one behind it."""
    return says("no idea") if asked.user.startswith("case 1") else says("right")


def test_a_model_that_changed_behind_its_name_is_told_in_one_issue_until_it_is_back(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    _main_of_sums(hub, capsys, "seconds: 600")
    own = {"INPUT_CONFIG": "ci-eval.yaml"}
    quiet = hub.schedule(capsys, **own)
    hub.model.behaviour = _forgetful

    changed, still = hub.schedule(capsys, **own), hub.schedule(capsys, **own)
    (issue,) = hub.api.opened
    told = issue["body"]
    hub.model.behaviour = lambda _: says("right")
    back = hub.schedule(capsys, **own)

    assert [job.code for job in (quiet, changed, still, back)] == [0, 0, 0, 0]
    assert "::warning::main answers differently than before" not in quiet.out + back.out
    assert "::warning::main answers differently than before" in changed.out
    assert "| `sums`  | `task_accuracy` | 100.00 | 89.00 | −11.00   |" in told
    assert "−11.00" in still.summary
    assert issue["state"] == "closed"
    assert len(hub.api.opened) == 1


def test_other_events_open_no_issue(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    _main_of_sums(hub, capsys, "seconds: 600")
    hub.model.behaviour = _forgetful

    job = hub.dispatch(capsys, INPUT_CONFIG="ci-eval.yaml")

    assert (job.code, hub.api.requests) == (0, [])


def test_a_job_that_may_not_open_an_issue_says_so(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    _main_of_sums(hub, capsys, "seconds: 600")
    hub.model.behaviour = _forgetful
    hub.api.failures = [Failure("POST", 1, 403)]

    job = hub.schedule(capsys, INPUT_CONFIG="ci-eval.yaml")

    assert (job.code, job.outputs["verdict"], hub.api.opened) == (0, "pass", [])
    assert "−11.00" in job.summary
    assert re.search(r"^::warning::the issue about changed scores could not be kept: .*issues: write", job.out, re.M)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_dispatch_evaluates_everything_and_stores_it(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.dispatch(capsys)

    assert (job.code, job.outputs) == (0, {"verdict": "pass"})
    assert hub.model.calls == TRIAGE_CASES + FAQ_CASES
    assert len(hub.baselines()) == 2


def test_a_dispatch_gates_the_pull_request_that_it_names(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    _open_pull(hub, hub.push_head(NO_PARCELS))

    job = hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL))

    assert (job.code, job.outputs["verdict"]) == (1, "regression")
    assert hub.api.bodies(PULL)[0].split("\n")[1] == "### ❌ Regression: `routing` fell by 50.0 points (limit 1)"


def test_a_named_pull_request_that_conflicts_is_inconclusive(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    head = hub.push_head(NO_PARCELS)
    hub.push_main({TRIAGE_PROMPT: FILES[TRIAGE_PROMPT].replace("* parcels", "* packages")})
    _open_pull(hub, head)

    job = hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL))

    assert job.code == 3
    assert "base and head conflict" in hub.api.bodies(PULL)[0]


def test_a_dispatch_elsewhere_does_not_put_a_check_on_another_pull_request_s_head(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job's name is the required check's: on a damaged branch it would be green by a harmless pull request."""
    hub.push_head(NO_PARCELS, branch="damaged")
    harmless = hub.push_head(HARMLESS)
    _open_pull(hub, harmless)

    elsewhere = hub.dispatch(capsys, "damaged", INPUT_PR__NUMBER=str(PULL))
    own = hub.dispatch(capsys, "feature", INPUT_PR__NUMBER=str(PULL))

    assert (elsewhere.code, own.code) == (2, 0)
    assert "start the workflow on the default branch, or on the pull request's own" in elsewhere.out
    assert len(hub.api.bodies(PULL)) == 1


def test_a_named_pull_request_that_is_not_there_is_said(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL))

    assert (job.code, job.outputs) == (3, {"verdict": "inconclusive"})
    assert re.search(r"^::error::pull request 7 cannot be read: .*HTTP 404.*check the number", job.out, re.M)


def _open_pull(hub: Hub, head: str) -> None:
    opened = json.loads((DATA / "webhooks/pull_request.opened.json").read_text(encoding="utf-8"))["pull_request"]
    hub.api.add_pull(PULL, head=opened["head"] | {"sha": head}, base=opened["base"] | {"ref": "main"})


# --- the token --------------------------------------------------------------------------------------------------------


def test_the_token_is_in_no_file_no_log_and_no_argument(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = _record_git(hub.folder / "shim", monkeypatch)
    (hub.folder / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(hub.folder / "tmp"))
    hub.push(capsys, hub.push_main({}))
    _open_pull(hub, hub.push_head(NO_PARCELS))

    jobs = [hub.pull_request(capsys, hub.push_head(NO_PARCELS)), hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL))]

    assert all(KEY_ENV not in job.environ for job in jobs)
    said = (
        "".join(job.out for job in jobs)
        + arguments.read_text(encoding="utf-8", errors="replace")
        + "".join(hub.api.bodies(PULL))
    )
    assert [job.code for job in jobs] == [1, 1]
    assert "push --quiet --force-with-lease" in said, "the shim saw what git was asked"
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    for secret in (TOKEN, basic, KEY):
        assert secret not in said
        assert secret.encode() not in _everything_under(hub.folder)


def _record_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `git` before the real one in PATH, which writes down its arguments and what lies in the temporary folder."""
    real, temporary = shutil.which("git"), folder.parent / "tmp"
    folder.mkdir()
    record = folder / "arguments"
    shim = folder / "git"
    script = f"""\
#!/bin/sh
echo "$@" >> {record}
cat $(find {temporary} -type f) /dev/null >> {record}
exec {real} "$@"
"""
    shim.write_text(script, encoding="utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return record


def _everything_under(folder: Path) -> bytes:
    """The bytes of all files, and of all git objects, which lie compressed."""
    found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    stores = [path.parent for path in folder.rglob("objects") if (path.parent / "HEAD").exists()]
    command = ["git", "cat-file", "--batch", "--batch-all-objects"]
    found += [subprocess.run(command, cwd=store, capture_output=True, check=True).stdout for store in stores]
    return b"\0".join(found)


# --- the response cache (rows 41 and 107 of the threat model) ---------------------------------------------------------


def _kept(hub: Hub) -> dict[str, bytes]:
    folder = hub.folder / "kept"
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_main_does_not_ask_again_what_its_workflow_kept(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    kept = str(hub.folder / "kept")
    hub.push(capsys, hub.push_main({}), XDG_CACHE_HOME=kept)
    before = hub.model.calls

    pushed = hub.push(capsys, hub.push_main({"src/other.ts": "unrelated\n"}), XDG_CACHE_HOME=kept)
    dispatched = hub.dispatch(capsys, XDG_CACHE_HOME=kept)

    assert (pushed.code, dispatched.code, hub.model.calls - before) == (0, 0, 0)
    assert "Stored as main's baseline." in pushed.summary
    assert len(hub.baselines()) == 3 * 2


def test_main_keeps_nothing_that_nobody_asked_it_to_keep(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        hub.push(capsys, hub.push_main({}), HOME=str(hub.folder / "kept"))
    assert hub.model.calls == 2 * (TRIAGE_CASES + FAQ_CASES)
    assert _kept(hub) == {}


@pytest.mark.parametrize("how", ["pull_request", "dispatch"])
def test_a_gate_on_github_neither_reads_nor_writes_a_cache(
    how: str, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even one that holds all of main's answers, and that this job could read."""
    kept = str(hub.folder / "kept")
    hub.dispatch(capsys, XDG_CACHE_HOME=kept, INPUT_GITHUB__TOKEN="")
    files = _kept(hub)
    head = hub.push_head(NO_PARCELS)
    _open_pull(hub, head)

    def calls(**changes: str) -> int:
        before = hub.model.calls
        if how == "dispatch":
            job = hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL), **changes)
        else:
            job = hub.pull_request(capsys, head, depth=None, **changes)
        assert job.code == 1
        return hub.model.calls - before

    assert calls(XDG_CACHE_HOME=kept) == calls()
    assert files
    assert _kept(hub) == files


def test_without_a_key_that_could_seal_it_main_keeps_nothing(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    policy = hub.developer.read(CONFIG).replace(", key_env: DESK_KEY", "")
    for number in range(2):
        sha = hub.push_main({CONFIG: policy, "src/other.ts": str(number)})
        assert hub.push(capsys, sha, XDG_CACHE_HOME=str(hub.folder / "kept")).code == 0
    assert hub.model.calls == 2 * (TRIAGE_CASES + FAQ_CASES)
    assert _kept(hub) == {}
