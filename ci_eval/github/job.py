"""One job on GitHub: the event decides what to do, the gate does it, the pull request is answered.

What is decided is never changed by whether it could be posted: results are written first, and a comment that GitHub
refuses is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import click

from ci_eval import sides
from ci_eval.errors import EXIT_REFUSED, CiEvalError, Inconclusive, InputError
from ci_eval.evaluation.session import Progress
from ci_eval.gate import Gate, Tighter
from ci_eval.github import event as events
from ci_eval.github import forks
from ci_eval.github.acceptance import PullReview, Superseded
from ci_eval.github.client import GitHub, GitHubUnavailable
from ci_eval.github.commands import Annotation, Level
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
from ci_eval.github.queue import GroupReview
from ci_eval.github.workplace import Connect, Workplace
from ci_eval.outcome.model import Called, GateOutcome, Reason, SuiteOutcome
from ci_eval.purse import Purse
from ci_eval.reader import write_file
from ci_eval.report.files import form_of, of_gate
from ci_eval.report.markdown import comment, summary
from ci_eval.report.model import build
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
    purse: Purse = field(default_factory=Purse)

    def do(self, activity: Activity) -> int:
        match activity:
            case GatePull() | GatePullAsData() as pull:
                review, terms = PullReview.of(self.place, pull), forks.terms(self.place, pull)
                return self.gate(partial(self._sides_of_pull, pull), review, terms)
            case GatePullByNumber() as named:
                return self.gate_by_number(named)
            case GateGroup() as group:
                return self.gate(partial(self._sides_of_group, group), GroupReview(self.place, group, self._again))
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
            forks.refuse_other_target(self.place, pull)
            return forks.heads_beside_main(self.place, pull.base_ref, pull.head_sha)
        return sides.of_merge_commit(self.place.git(), pull.merge_sha, pull.head_sha)

    def _sides_of_group(self, group: GateGroup) -> Sides:
        return sides.of_merge_group(self.place.git(), group.base_sha, group.head_sha)

    def gate_by_number(self, named: GatePullByNumber) -> int:
        """A pull request that somebody with write access named, so that its run needs no other approval."""
        number = named.number
        try:
            with self.place.github() as github:
                pull = github.pull(number)
        except GitHubUnavailable as error:
            remedy = "check the number, and that the token may read pull requests"
            raise Inconclusive(f"pull request {number} cannot be read: {error}; {remedy}") from None
        if not named.on_default_branch and self.place.environment.sha != pull.head_sha:
            raise InputError(
                f"pull request {number} would be judged by a check of another branch's newest commit",
                remedy="start the workflow on the default branch, or on the pull request's own",
            )
        choose = forks.heads_beside_main if pull.fork else forks.heads
        review = PullReview(self.place, number, pull.head_sha, wears_accept=pull.wears_accept)
        return self.gate(partial(choose, self.place, pull.base_ref, pull.head_sha), review, Terms(fork=pull.fork))

    def gate(self, choose: partial[Sides], review: PullReview | GroupReview, terms: Terms = ANYBODY) -> int:
        """Judge one pull request and answer it, also when it cannot be judged. A merge group has no number."""
        out, acceptance = self.place.fresh_folder(), None
        try:
            try:
                acceptance = review.before()
                outcome = self._prepared(choose(), out, terms, pull=review.number, whole=review.whole).run()
            except CiEvalError as raised:
                error = terms.explain(raised)
                self.place.tell_error(error)
                outcome = _stopped(error, review.head_sha)
            outcome = review.after(outcome, acceptance)  # a queue may judge once more what was accepted
        except KeyboardInterrupt:  # there are some seconds; whoever asks to end again is obeyed at once
            self._publish(review.after(_not_judged("cancelled", review.head_sha), acceptance), review, out)
            raise
        self._publish(outcome, review, out)
        return outcome.exit_code

    def _prepared(
        self, chosen: Sides, out: Path, terms: Terms = ANYBODY, *, pull: int | None = None, whole: bool = True
    ) -> Gate:
        inputs = self.place.environment.inputs
        seconds = float(inputs.budget_seconds) if inputs.budget_seconds else None
        usd = float(inputs.budget_usd) if inputs.budget_usd else None
        return Gate(
            base=chosen.base,
            candidate=chosen.candidate,
            config_path=inputs.config,
            keys=self.place.keys,
            progress=self.place.progress,
            out=out,
            origin=self.place.origin(""),
            baselines=self.place.baselines,
            pull=pull or 0,
            fork=terms.fork,
            admit=terms.admit,
            tighter=Tighter(inputs.max_drop, seconds, usd),
            purse=self.purse,
            whole=whole or inputs.mode == "full",
        )

    def _again(self, chosen: Sides) -> Gate:
        """Another gate of a merge group, after its own. In the container both have one folder."""
        return self._prepared(chosen, self.place.fresh_folder() / "accepted")

    # --- the pull request is answered ---------------------------------------------------------------------------------

    def _publish(self, judged: GateOutcome, review: PullReview | GroupReview, out: Path) -> None:
        called: Called = "this PR" if review.number else "this group"
        outcome = replace(judged, attempt=self.place.environment.run_attempt, called=called)
        report = build(outcome)
        for path in (*(out / "report" / name for name in REPORT_FILES.values()), *self.reports):
            write_file(path, of_gate(outcome, form_of(path)).encode())
        self.place.annotate(_annotations(outcome))
        self.place.tell(write_summary(self.place.environment.summary_path, summary(report)))
        url = self._comment(comment(report), outcome, review)
        self.place.tell(write_outputs(self.place.environment.output_path, self._outputs(outcome, out, url)))
        click.echo(f"ci-eval: {outcome.verdict}")

    def _comment(self, body: str, outcome: GateOutcome, review: PullReview | GroupReview) -> str | None:
        environment = self.place.environment
        if review.number is None or outcome.reason == "superseded":  # the newer head's run has the comment
            return None
        if environment.token is None:
            self.place.tell("no github-token, so no comment was posted; the verdict stands, and is in the summary")
            return None
        own = config_id(environment.workflow, environment.inputs.config)
        marker = Marker(own, review.head_sha, environment.run_id, environment.run_attempt)
        relevant = outcome.reason not in {"nothing relevant changed", "only policy changed"}
        how = posting(environment.inputs.comment, relevant=relevant, green=outcome.verdict is Verdict.PASS)
        with self.place.github() as github:
            posted = upsert_comment(github, review.number, body, marker, how)
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
    outcome = _not_judged("superseded" if isinstance(error, Superseded) else "stopped", head_sha)
    return replace(outcome, problem=Untrusted(str(error)), refused=error.exit_code == EXIT_REFUSED)


def _not_judged(reason: Reason, head_sha: str) -> GateOutcome:
    """What was spent until then is not known."""
    return GateOutcome(Verdict.INCONCLUSIVE, reason, None, head_sha, usd=None)


def _annotations(outcome: GateOutcome) -> list[Annotation]:
    """One line a changed file of a suite that regressed, at the line where it begins to differ."""
    level: Level = "warning" if outcome.verdict is Verdict.ACCEPTED else "error"
    found = []
    for suite in outcome.suites:
        if words := ", ".join(_falls(suite)):
            found += [Annotation(level, f"ci-eval: {words}", note.path, note.line) for note in suite.notes]
    return found


def _falls(suite: SuiteOutcome) -> Iterator[str]:
    """What regressed, beside main or beside the anchor."""
    for one in suite.dimensions:
        if one.verdict is Verdict.REGRESSION:
            yield f"{one.name} fell by {float(one.drop):.2f} points"
    anchor = suite.anchor
    for one in anchor.dimensions if anchor else ():
        if anchor and one.verdict is Verdict.REGRESSION and one.name in anchor.blamed:
            yield f"{one.name} is {float(one.drop):.2f} points below the anchor"
    for more in suite.increases:
        if more.verdict is Verdict.REGRESSION:
            yield f"{more.name} rose by its limit or more"
