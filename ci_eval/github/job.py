"""One job on GitHub: the event decides what to do, the gate does it, the pull request is answered.

What is decided is never changed by whether it could be posted: results are written first, and a comment that GitHub
refuses is a warning.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click

from ci_eval import config as configs
from ci_eval import sides, snapshot
from ci_eval.anchored import missing_anchors
from ci_eval.base_run import Baselines
from ci_eval.baseline import WRITERS, Store, Trust
from ci_eval.cache import ResponseCache
from ci_eval.config import Config
from ci_eval.deadline import Deadline
from ci_eval.errors import EXIT_REFUSED, CiEvalError, Inconclusive, InputError
from ci_eval.evaluation import Origin, Progress, Session, Suite, required_keys, to_store
from ci_eval.full_run import evaluate_all
from ci_eval.gate import Gate, Tighter
from ci_eval.git import Git, Remote
from ci_eval.github import event as events
from ci_eval.github.client import GitHub, GitHubUnavailable
from ci_eval.github.commands import Annotation, annotate
from ci_eval.github.event import (
    Activity,
    Environment,
    FullEvaluation,
    GatePull,
    GatePullByNumber,
    Ignored,
    NothingToDo,
    Token,
    UpdateBaseline,
)
from ci_eval.github.publish import Marker, config_id, posting, upsert_comment, write_outputs, write_summary
from ci_eval.outcome import GateOutcome
from ci_eval.reader import write_file
from ci_eval.records import Run
from ci_eval.report.json_report import to_json
from ci_eval.report.markdown import comment, summary
from ci_eval.report.model import build
from ci_eval.secrets import take
from ci_eval.sides import Sides
from ci_eval.tally import Tally
from ci_eval.text import Untrusted, log
from ci_eval.verdict import Verdict

_FULL_SECONDS = 6 * 3600.0


Connect = Callable[[str, str, Token], GitHub]


def run_on_github(environ: MutableMapping[str, str], progress: Progress, connect: Connect = GitHub) -> int:
    """Do what the event asks for; returns the exit code."""
    environment = Environment.from_environ(environ)
    job = _Job(environment, environ, progress, connect)
    try:
        return job.do(events.activity(environment, events.read_payload(environment)))
    except CiEvalError as error:
        job.tell_error(error)
        write_outputs(environment.output_path, {"verdict": str(Verdict.INCONCLUSIVE)})
        return error.exit_code


@dataclass(frozen=True)
class _Job:
    environment: Environment
    environ: MutableMapping[str, str]
    progress: Progress
    connect: Connect

    def do(self, activity: Activity) -> int:
        match activity:
            case GatePull() as pull:
                return self.gate(pull.number, pull.head_sha, partial(self._sides_of_merge, pull))
            case GatePullByNumber(number):
                return self.gate_by_number(number)
            case UpdateBaseline(sha, branch):
                return self.evaluate(sha, branch, store=True)
            case FullEvaluation(sha, ref, on_default_branch):
                return self.evaluate(sha, ref.removeprefix("refs/heads/"), store=on_default_branch)
            case NothingToDo(reason):
                click.echo(f"ci-eval: nothing to do: {log(reason)}")
                return 0
            case Ignored(reason):
                click.echo(f"ci-eval: {log(reason)}", err=True)
                return EXIT_REFUSED

    # --- gate ---------------------------------------------------------------------------------------------------------

    def _sides_of_merge(self, pull: GatePull) -> Sides:
        return sides.of_merge_commit(self._git(), pull.merge_sha, pull.head_sha)

    def gate_by_number(self, number: int) -> int:
        """A pull request that somebody named: its head is fetched as objects, and merged without a checkout."""
        try:
            with self._github() as github:
                pull = github.pull(number)
        except GitHubUnavailable as error:
            remedy = "check the number, and that the token may read pull requests"
            raise Inconclusive(f"pull request {number} cannot be read: {error}; {remedy}") from None
        return self.gate(number, pull.head_sha, partial(self._sides_of_heads, pull.base_ref, pull.head_sha))

    def _sides_of_heads(self, base_ref: str, head_sha: str) -> Sides:
        git = self._git()
        git.fetch(self._remote(), [f"+refs/heads/{base_ref}:refs/ci-eval/base", head_sha])
        return sides.of_merge(git, git.commit("refs/ci-eval/base"), head_sha)

    def gate(self, number: int, head_sha: str, choose: partial[Sides]) -> int:
        """Judge one pull request and answer it, also when it cannot be judged."""
        out = self._fresh_folder()
        try:
            outcome = self._prepared(choose(), number, out).run()
            code = outcome.verdict.exit_code
        except CiEvalError as error:
            self.tell_error(error)
            outcome, code = _stopped(error, head_sha), error.exit_code
        self._publish(outcome, number, head_sha, out)
        return code

    def _prepared(self, chosen: Sides, number: int, out: Path) -> Gate:
        inputs = self.environment.inputs
        seconds = float(inputs.budget_seconds) if inputs.budget_seconds else None
        return Gate(
            base=chosen.base,
            candidate=chosen.candidate,
            config_path=inputs.config,
            keys=partial(take, self.environ),
            progress=self.progress,
            out=out,
            origin=self._origin(""),
            baselines=self._baselines,
            pull=number,
            tighter=Tighter(inputs.max_drop, seconds),
        )

    def _baselines(self, main: Config) -> Baselines | None:
        if self.environment.token is None:
            return None
        policy = main.policy.baseline
        age = timedelta(days=policy.max_age_days)
        trust = Trust(WRITERS, self.environment.repository, age, datetime.now(UTC))
        return Baselines(self._store(main), trust)

    # --- main's own runs ----------------------------------------------------------------------------------------------

    def evaluate(self, sha: str, branch: str, *, store: bool) -> int:
        """Evaluate every suite of a commit, and remember it where the event may write baselines."""
        at = snapshot.at_commit(self._git(), sha)
        path = self.environment.inputs.config
        if not at.has(path):
            click.echo(f"ci-eval: nothing to do: no {log(path)} in this commit")
            return 0
        config = configs.load(at, path)
        keys = take(self.environ, required_keys(config))
        session = Session(
            keys, self.progress, self._fresh_folder(), self._origin(branch), Deadline.after(_FULL_SECONDS)
        )
        with self._cache(wanted=store) as cache:
            session = replace(session, cache=cache)
            done = evaluate_all(config, at, session, config.policy.suites, repeats=config.policy.baseline.repeats)
        counted = [(suite, Tally.of(run.records)) for suite, run in done]
        lost = sum(tally.lost for _, tally in counted)
        if store and not lost:
            self._remember(config, done)
            self._remember_anchors(config, [suite for suite, _ in done], session)
        self._tell(write_summary(self.environment.summary_path, _scores_in_markdown(counted, lost, stored=store)))
        write_outputs(self.environment.output_path, {"verdict": "inconclusive" if lost else "pass"})
        return Verdict.INCONCLUSIVE.exit_code if lost else 0

    def _remember(self, config: Config, done: Iterable[tuple[Suite, Run]]) -> None:
        run_id = f"{self.environment.run_id}.{self.environment.run_attempt}"
        for _, run in done:
            self._store(config).add(to_store(config, run), run_id)

    def _remember_anchors(self, config: Config, suites: Iterable[Suite], session: Session) -> None:
        baselines = self._baselines(config)
        if baselines:
            repeats = config.policy.baseline.repeats
            made = missing_anchors(suites, self._git(), baselines, replace(session, cache=None), repeats=repeats)
            self._remember(config, [(suite, run) for suite, run in made if not any(r.lost for r in run.records)])

    @contextmanager
    def _cache(self, *, wanted: bool) -> Iterator[ResponseCache | None]:
        """Main's, where its workflow names a folder to keep it in; what is done by the clock asks everything anew."""
        folder = self.environ.get("XDG_CACHE_HOME", "")
        if not wanted or self.environment.event_name not in {"push", "workflow_dispatch"} or not folder.startswith("/"):
            yield None
            return
        cache = ResponseCache(Path(folder, "ci-eval", "responses.sqlite"), self._tell, private=False)
        try:
            yield cache
        finally:
            cache.close()

    def _store(self, config: Config) -> Store:
        return Store(self._remote(), config.policy.baseline.branch)

    # --- the pull request is answered ---------------------------------------------------------------------------------

    def _publish(self, outcome: GateOutcome, number: int, head_sha: str, out: Path) -> None:
        report = build(outcome)
        write_file(out / "report.md", summary(report).encode())
        write_file(out / "results.json", json.dumps(to_json(outcome), indent=2).encode())
        self._annotate(_annotations(outcome))
        self._tell(write_summary(self.environment.summary_path, summary(report)))
        url = self._comment(comment(report), outcome, number, head_sha)
        self._tell(write_outputs(self.environment.output_path, self._outputs(outcome, out, url)))
        click.echo(f"ci-eval: {outcome.verdict}")

    def _comment(self, body: str, outcome: GateOutcome, number: int, head_sha: str) -> str | None:
        environment = self.environment
        if environment.token is None:
            self._tell("no github-token, so no comment was posted; the verdict stands, and is in the summary")
            return None
        own = config_id(environment.workflow, environment.inputs.config)
        marker = Marker(own, head_sha, environment.run_id, environment.run_attempt)
        relevant = outcome.reason not in {"nothing relevant changed", "only policy changed"}
        how = posting(environment.inputs.comment, relevant=relevant, green=outcome.verdict is Verdict.PASS)
        with self._github() as github:
            posted = upsert_comment(github, number, body, marker, how)
        self._tell(posted.warning)
        return posted.url

    def _outputs(self, outcome: GateOutcome, out: Path, url: str | None) -> dict[str, str]:
        folder = out.relative_to(self.environment.workspace).as_posix()
        outputs = {
            "verdict": str(outcome.verdict),
            "report-path": f"{folder}/report.md",
            "results-path": f"{folder}/results.json",
        }
        worst = outcome.worst_dimension()
        if worst:
            outputs |= {"worst-dimension": worst.name, "worst-drop": f"{float(worst.drop):.4f}"}
        return outputs | ({"comment-url": url} if url else {})

    def _annotate(self, wanted: Sequence[Annotation]) -> None:
        for line in annotate(wanted):
            click.echo(line)

    def tell_error(self, error: CiEvalError) -> None:
        """In the log, and as an annotation: at the line that is wrong, where there is one."""
        click.echo(f"ci-eval: {log(str(error), limit=2000)}", err=True)
        file, line = (error.file, error.line) if isinstance(error, InputError) and error.file else (None, None)
        self._annotate([Annotation("error", str(error), file, line)])

    def _tell(self, warning: str | None) -> None:
        if warning:
            self._annotate([Annotation("warning", warning)])

    # --- what the environment brings ----------------------------------------------------------------------------------

    def _git(self) -> Git:
        return Git(self.environment.workspace / ".git", self.environment.workspace)

    def _github(self) -> GitHub:
        if self.environment.token is None:
            raise InputError("github-token is empty", remedy="pass ${{ github.token }}")
        return self.connect(self.environment.api_url, self.environment.repository, self.environment.token)

    def _remote(self) -> Remote:
        url = f"{self.environment.server_url}/{self.environment.repository}"
        protocols = url.partition(":")[0]  # http only for private hosts: the environment was checked for that
        token = self.environment.token
        return Remote.with_token(url, token.reveal(), protocols) if token else Remote(url, protocols)

    def _origin(self, branch: str) -> Origin:
        environment = self.environment
        return Origin(environment.event_name, environment.repository, branch, environment.run_url)

    def _fresh_folder(self) -> Path:
        """A folder that did not exist: the checkout may hold a link of any name that we could think of."""
        folder = Path(tempfile.mkdtemp(prefix=".ci-eval-", dir=self.environment.workspace))
        folder.chmod(0o755)  # later steps run as another user
        return folder


def _stopped(error: CiEvalError, head_sha: str) -> GateOutcome:
    return GateOutcome(Verdict.INCONCLUSIVE, "stopped", None, head_sha, problem=Untrusted(str(error)))


def _annotations(outcome: GateOutcome) -> list[Annotation]:
    """One line a changed file of a suite that regressed, so that it shows where the change was made."""
    found = []
    for suite in outcome.suites:
        fell = [dimension for dimension in suite.dimensions if dimension.verdict is Verdict.REGRESSION]
        if fell:
            words = ", ".join(f"{dimension.name} fell by {float(dimension.drop):.2f} points" for dimension in fell)
            found += [Annotation("error", f"ci-eval: {words}", note.path) for note in suite.notes]
    return found


def _scores_in_markdown(done: Sequence[tuple[Suite, Tally]], lost: int, *, stored: bool) -> str:
    from tabulate import tabulate  # noqa: PLC0415 - only a full evaluation prints this table

    rows = [
        [suite.name, name, f"{float(score):.2f}"]
        for suite, tally in done
        for name, score in tally.scores(suite.scorers).items()
    ]
    table = tabulate(rows, headers=["suite", "dimension", "score"], tablefmt="github", disable_numparse=True)
    ending = f"Answers lost to infrastructure: {lost}, so nothing was stored." if lost else ""
    kept = "Stored as main's baseline." if stored and not lost else ending
    return f"## ci-eval: full evaluation\n\n{table}\n\n{kept}\n"
