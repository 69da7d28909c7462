"""One job on GitHub: the event decides what to do, the gate does it, the pull request is answered.

What is decided is never changed by whether it could be posted: results are written first, and a comment that GitHub
refuses is a warning.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from ci_eval import sides
from ci_eval.errors import EXIT_REFUSED, CiEvalError, Inconclusive
from ci_eval.evaluation.suite import Progress
from ci_eval.gate import Gate, Tighter
from ci_eval.github import event as events
from ci_eval.github import forks
from ci_eval.github.client import GitHub, GitHubUnavailable
from ci_eval.github.commands import Annotation
from ci_eval.github.environment import Environment
from ci_eval.github.event import (
    Activity,
    FullEvaluation,
    GateGroup,
    GatePull,
    GatePullAsData,
    GatePullByNumber,
    Ignored,
    NothingToDo,
    UpdateBaseline,
)
from ci_eval.github.forks import ANYBODY, Terms
from ci_eval.github.main_runs import MainRuns
from ci_eval.github.publish import Marker, config_id, cost, posting, upsert_comment, write_outputs, write_summary
from ci_eval.github.workplace import Connect, Workplace
from ci_eval.outcome.model import GateOutcome
from ci_eval.reader import write_file
from ci_eval.report.files import form_of, of_gate
from ci_eval.report.markdown import comment, summary
from ci_eval.report.model import build
from ci_eval.secrets import take
from ci_eval.sides import Sides
from ci_eval.text import Untrusted, log
from ci_eval.verdict import Verdict

REPORT_FILES = {
    "report-path": "report.html",
    "results-path": "results.json",
    "junit-path": "junit.xml",
    "sarif-path": "report.sarif",
}
"""What every gate writes down, by the output that tells of it.

They lie apart from the run files, which hold what models said also where reports hide it.
"""


def run_on_github(
    environ: MutableMapping[str, str], progress: Progress, connect: Connect = GitHub, reports: Sequence[Path] = ()
) -> int:
    """Do what the event asks for; returns the exit code. A gate's report goes to further files, too, by their ends."""
    environment = Environment.from_environ(environ)
    place = Workplace(environment, environ, progress, connect)
    try:
        return _Job(place, tuple(reports)).do(events.activity(environment, events.read_payload(environment)))
    except CiEvalError as error:
        place.tell_error(error)
        write_outputs(environment.output_path, {"verdict": str(Verdict.INCONCLUSIVE)})
        return error.exit_code


@dataclass(frozen=True)
class _Job:
    place: Workplace
    reports: tuple[Path, ...]

    def do(self, activity: Activity) -> int:
        match activity:
            case GatePull() | GatePullAsData() as pull:
                terms = forks.terms(self.place, pull)
                return self.gate(pull.number, pull.head_sha, partial(self._sides_of_pull, pull), terms)
            case GatePullByNumber(number):
                return self.gate_by_number(number)
            case GateGroup() as group:
                return self.gate(None, group.head_sha, partial(self._sides_of_group, group))
            case UpdateBaseline(sha, branch):
                return MainRuns(self.place).evaluate(sha, branch, store=True)
            case FullEvaluation(sha, ref, on_default_branch):
                return MainRuns(self.place).evaluate(sha, ref.removeprefix("refs/heads/"), store=on_default_branch)
            case NothingToDo(reason) | Ignored(reason):
                refused = isinstance(activity, Ignored)
                click.echo(f"ci-eval: {'' if refused else 'nothing to do: '}{log(reason)}", err=refused)
                return EXIT_REFUSED if refused else 0

    # --- gate ---------------------------------------------------------------------------------------------------------

    def _sides_of_pull(self, pull: GatePull | GatePullAsData) -> Sides:
        if isinstance(pull, GatePullAsData):
            return forks.heads_beside_main(self.place, pull.base_ref, pull.head_sha)
        return sides.of_merge_commit(self.place.git(), pull.merge_sha, pull.head_sha)

    def _sides_of_group(self, group: GateGroup) -> Sides:
        return sides.of_merge_group(self.place.git(), group.base_sha, group.head_sha)

    def gate_by_number(self, number: int) -> int:
        """A pull request that somebody with write access named, so that its run needs no other approval."""
        try:
            with self.place.github() as github:
                pull = github.pull(number)
        except GitHubUnavailable as error:
            remedy = "check the number, and that the token may read pull requests"
            raise Inconclusive(f"pull request {number} cannot be read: {error}; {remedy}") from None
        choose = forks.heads_beside_main if pull.fork else forks.heads
        terms = Terms(fork=pull.fork)
        return self.gate(number, pull.head_sha, partial(choose, self.place, pull.base_ref, pull.head_sha), terms)

    def gate(self, number: int | None, head_sha: str, choose: partial[Sides], terms: Terms = ANYBODY) -> int:
        """Judge one pull request and answer it, also when it cannot be judged. A merge group has no number."""
        out = self.place.fresh_folder()
        try:
            outcome = self._prepared(choose(), number, out, terms).run()
            code = outcome.verdict.exit_code
        except CiEvalError as raised:
            error = terms.explain(raised)
            self.place.tell_error(error)
            outcome, code = _stopped(error, head_sha), error.exit_code
        self._publish(outcome, number, head_sha, out)
        return code

    def _prepared(self, chosen: Sides, number: int | None, out: Path, terms: Terms) -> Gate:
        """A merge group is judged on every golden case: it is the last look before main."""
        inputs = self.place.environment.inputs
        seconds = float(inputs.budget_seconds) if inputs.budget_seconds else None
        usd = float(inputs.budget_usd) if inputs.budget_usd else None
        return Gate(
            base=chosen.base,
            candidate=chosen.candidate,
            config_path=inputs.config,
            keys=partial(take, self.place.environ),
            progress=self.place.progress,
            out=out,
            origin=self.place.origin(""),
            baselines=self.place.baselines,
            pull=number or 0,
            fork=terms.fork,
            admit=terms.admit,
            tighter=Tighter(inputs.max_drop, seconds, usd),
            whole=number is None or inputs.mode == "full",
        )

    # --- the pull request is answered ---------------------------------------------------------------------------------

    def _publish(self, outcome: GateOutcome, number: int | None, head_sha: str, out: Path) -> None:
        report = build(outcome)
        for path in (*(out / "report" / name for name in REPORT_FILES.values()), *self.reports):
            write_file(path, of_gate(outcome, form_of(path)).encode())
        self.place.annotate(_annotations(outcome))
        self.place.tell(write_summary(self.place.environment.summary_path, summary(report)))
        url = self._comment(comment(report), outcome, number, head_sha) if number else None
        self.place.tell(write_outputs(self.place.environment.output_path, self._outputs(outcome, out, url)))
        click.echo(f"ci-eval: {outcome.verdict}")

    def _comment(self, body: str, outcome: GateOutcome, number: int, head_sha: str) -> str | None:
        environment = self.place.environment
        if environment.token is None:
            self.place.tell("no github-token, so no comment was posted; the verdict stands, and is in the summary")
            return None
        own = config_id(environment.workflow, environment.inputs.config)
        marker = Marker(own, head_sha, environment.run_id, environment.run_attempt)
        relevant = outcome.reason not in {"nothing relevant changed", "only policy changed"}
        how = posting(environment.inputs.comment, relevant=relevant, green=outcome.verdict is Verdict.PASS)
        with self.place.github() as github:
            posted = upsert_comment(github, number, body, marker, how)
        self.place.tell(posted.warning)
        return posted.url

    def _outputs(self, outcome: GateOutcome, out: Path, url: str | None) -> dict[str, str]:
        folder = out.relative_to(self.place.environment.workspace).as_posix()
        files = {output: f"{folder}/report/{name}" for output, name in REPORT_FILES.items()}
        outputs = {"verdict": str(outcome.verdict), **files}
        worst = outcome.worst_dimension()
        if worst:
            outputs |= {"worst-dimension": worst.name, "worst-drop": f"{float(worst.drop):.4f}"}
        return outputs | cost(outcome.usd) | ({"comment-url": url} if url else {})


def _stopped(error: CiEvalError, head_sha: str) -> GateOutcome:
    """What was spent until then is not known."""
    return GateOutcome(Verdict.INCONCLUSIVE, "stopped", None, head_sha, problem=Untrusted(str(error)), usd=None)


def _annotations(outcome: GateOutcome) -> list[Annotation]:
    """One line a changed file of a suite that regressed, so that it shows where the change was made."""
    found = []
    for suite in outcome.suites:
        fell = [dimension for dimension in suite.dimensions if dimension.verdict is Verdict.REGRESSION]
        if fell:
            words = ", ".join(f"{dimension.name} fell by {float(dimension.drop):.2f} points" for dimension in fell)
            found += [Annotation("error", f"ci-eval: {words}", note.path) for note in suite.notes]
    return found
