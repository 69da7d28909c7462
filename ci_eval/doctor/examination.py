"""Everything that doctor looks at, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ci_eval import sides, snapshot
from ci_eval.config import Config
from ci_eval.doctor import gate_job, keys, owners, protections, setup, strangers
from ci_eval.doctor.findings import Finding
from ci_eval.doctor.workflows import FOLDER, Start, Workflows, mapping
from ci_eval.errors import CiEvalError, InputError
from ci_eval.evaluation.suite import required_keys
from ci_eval.git import Git
from ci_eval.github.client import GitHub
from ci_eval.github.repository import Protections, Unseen
from ci_eval.snapshot import Snapshot


@dataclass(frozen=True)
class Examination:
    """A clone at one commit, and the way to GitHub where there is one."""

    git: Git
    commit: str
    config_path: str
    environ: Mapping[str, str]
    github: GitHub | str
    """Or why it cannot be asked, and what to do."""

    @cached_property
    def _files(self) -> Snapshot:
        return snapshot.at_commit(self.git, self.commit)

    @cached_property
    def _config(self) -> tuple[Config | None, list[Finding]]:
        return setup.check_config(self._files, self.config_path)

    @property
    def key_names(self) -> set[str]:
        """The environment variables that hold keys."""
        found = self._config[0]
        return required_keys(found) if found else set()

    def findings(self) -> Iterator[Finding]:
        at = self._files
        found, told = self._config
        yield from told
        if found:
            yield from setup.check_keys_here(found, self.environ)
            yield from setup.check_local_model(found)
        yield from setup.check_clone(self.git, found.policy.baseline.branch if found else None)
        yield from setup.check_remote(setup.origin_url(self.git))
        workflows = Workflows.read(at)
        yield from gate_job.check_workflows(workflows)
        yield from keys.check_keys(workflows, self.key_names)
        yield from strangers.check_strangers(workflows)
        yield from self._protections(at, found, workflows)

    def _protections(self, at: Snapshot, found: Config | None, workflows: Workflows) -> Iterator[Finding]:
        try:
            owned = owners.load(self._main(at))
        except InputError as error:
            owned = None
            yield protections.unreadable_owners(error)
        else:
            yield protections.check_owners(owned, _guarded(at, self.config_path, found))
        if isinstance(self.github, str):
            why, _, remedy = self.github.partition("; ")
            yield protections.unseen(why, remedy)
            return
        baseline = found.policy.baseline.branch if found else None
        with self.github as github:
            seen = protections.look(Protections(github), baseline, sorted(_environments(workflows.gates)))
        if isinstance(seen, Unseen):
            remedy = "give a token that may read the repository (GITHUB_TOKEN), or the right --repository"
            yield protections.unseen(f"the repository is not to be seen: {seen.why}", remedy)
        else:
            yield from protections.check_protections(
                seen, [workflows.reporter(gate) for gate in workflows.gates], owned
            )

    def _main(self, at: Snapshot) -> Snapshot:
        """Main's files, whose CODEOWNERS is the one that counts; those at hand where no main is known."""
        try:
            return snapshot.at_commit(self.git, sides.base_commit(self.git, None))
        except CiEvalError:
            return at


def _guarded(at: Snapshot, config_path: str, found: Config | None) -> list[str]:
    """The files that make the gate."""
    golden = [pattern for suite in found.policy.suites.values() for pattern in suite.golden_patterns] if found else []
    patterns = [f"{FOLDER}/*", ".github/actions/**", config_path, *golden]
    return [path for pattern in patterns for path in at.glob(pattern)]


def _environments(gates: Iterable[Start]) -> set[str]:
    named = [start.job.body.get("environment") for start in gates]
    words = [mapping(one).get("name") if isinstance(one, dict) else one for one in named]
    return {word for word in words if isinstance(word, str) and word and "${{" not in word}
