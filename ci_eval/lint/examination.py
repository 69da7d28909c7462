"""The golden sets of a config, looked through: all that is wrong, where a run stops at the first thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from ci_eval.config import Config
from ci_eval.datasets import rows as dataset
from ci_eval.datasets.contamination import Leak, leaks_in_rows, leaks_in_text
from ci_eval.errors import InputError
from ci_eval.evaluation.screened import asked_files, taught_files
from ci_eval.golden.cases import GoldenSet
from ci_eval.lint.findings import CHECKS, Finding, Placed, State
from ci_eval.lint.rows import GoldenFile, personal_data, read, refused
from ci_eval.lint.sets import of_set
from ci_eval.reader import Document
from ci_eval.scorers import registry
from ci_eval.scorers.registry import ScorerSet
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted

_CORRECT = "correct golden:, or add the file"


@dataclass
class Examination:
    """Files that several suites share are read once."""

    config: Config
    snapshot: Snapshot
    _files: dict[str, GoldenFile] = field(default_factory=dict)

    def findings(self, suites: Iterable[str]) -> list[Finding]:
        """By file and line; what several suites say of one case, once."""
        found = dict.fromkeys(one for name in suites for one in self._suite(name))
        return sorted(found, key=lambda one: (one.file, one.line or 0, CHECKS.index(one.check)))

    @property
    def cases(self) -> int:
        """How many were read."""
        return sum(len(file.cases) for file in self._files.values())

    @cached_property
    def _personal(self) -> State:
        return "refused" if self.config.policy.pii == "refuse" else "problem"

    def _suite(self, name: str) -> Iterator[Finding]:
        patterns = self.config.policy.suites[name].golden_patterns
        paths = sorted({path for pattern in patterns for path in self.snapshot.glob(pattern)})
        files = [self._golden(path) for path in paths]
        cases = [one for file in files for one in file.cases]
        yield from self._missing(name, patterns)
        yield from (finding for file in files for finding in file.findings)
        yield from of_set(cases)
        yield from self._scored(name, cases)
        yield from self._learnt(name, cases)
        rows = [*asked_files(self.config, self.snapshot, name), *taught_files(self.config, self.snapshot, name)]
        for path in (path for path in rows if path not in paths):
            yield from personal_data(self.snapshot, path, self._personal)

    def _golden(self, path: str) -> GoldenFile:
        if path not in self._files:
            self._files[path] = read(self.snapshot, path, self._personal)
        return self._files[path]

    def _missing(self, suite: str, patterns: Iterable[str]) -> Iterator[Finding]:
        line = self.config.document.line(("suites", suite, "golden"))
        for pattern in patterns:
            if not self.snapshot.glob(pattern):
                fact = ("no file is called ", Untrusted(pattern))
                yield Finding("golden-file", "problem", self.config.path, line, fact, _CORRECT)

    # --- scorers ------------------------------------------------------------------------------------------------------

    def _scored(self, suite: str, cases: Sequence[Placed]) -> Iterator[Finding]:
        found = self._scorers(suite, cases)
        if not isinstance(found, ScorerSet):
            yield from found
            return
        for one in cases:
            if not found.for_case(one.case):
                fact = (f"no scorer of the suite {suite} has anything to look at",)
                yield one.finding("unscored", "problem", fact, "write what a right answer is, or take the case out")

    def _scorers(self, suite: str, cases: Sequence[Placed]) -> ScorerSet | list[Finding]:
        """The suite's scorers, or every case that they cannot judge by and else the first thing that is wrong."""
        golden = GoldenSet(
            {one.case.id: one.case for one in cases},
            {one.case.id: Document(one.file, None, one.line) for one in cases},
        )
        try:
            shared = registry.build(self.config.document, suite, GoldenSet({}, {})).shared
            wrong = [finding for one in cases for finding in _misfits(shared, one)]
            return wrong or registry.build(self.config.document, suite, golden)
        except InputError as error:
            return [refused("scorer", error, self.config.path)]

    # --- what is learnt -----------------------------------------------------------------------------------------------

    def _learnt(self, suite: str, cases: Sequence[Placed]) -> Iterator[Finding]:
        places = {one.case.id: one for one in cases}
        for leak in (leak for leak in self._leaks(suite, cases) if leak.part == "input"):  # many may have one answer
            where = leak.file if leak.line is None else f"{leak.file}:{leak.line}"
            fact = ("stands in ", Untrusted(where), f" ({leak.match}), where it is learnt or shown")
            yield places[leak.case].finding("learnt", "warning", fact, "ask for something that is not learnt")

    def _leaks(self, suite: str, cases: Sequence[Placed]) -> list[Leak]:
        """What cannot be read as rows is told by a gate, and is no business of the golden set."""
        golden, subject = [one.case for one in cases], self.config.subject(suite)
        shown = [subject.examples.from_] if subject.examples else []
        found: list[Leak] = []
        for path in dict.fromkeys([*taught_files(self.config, self.snapshot, suite), *shown]):
            with suppress(InputError):
                found += leaks_in_rows(golden, dataset.read(self.snapshot, path))
        if subject.prompt and self.snapshot.has(subject.prompt):
            text = self.snapshot.read(subject.prompt).decode(errors="replace")
            found += leaks_in_text(golden, text, subject.prompt)
        return found


def _misfits(shared: Sequence[registry.Scorer], one: Placed) -> Iterator[Finding]:
    for scorer in shared:
        try:
            scorer.policy.check(one.case)
        except InputError as error:
            yield refused("scorer", error, one.file, one.line)
