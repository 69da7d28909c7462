"""JUnit XML, as other CI systems read it: the part of it on which they agree.

A test has at most one `failure` or `error`, since some readers take the first alone; nothing is ever `skipped`, which
all of them show as fine. Where there is no room for every test, those that passed are left out first, and told by their
number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ci_eval.reader import MIB
from ci_eval.report.document import CASE, Report, Table, Text, in_words
from ci_eval.text import Hostile, node
from ci_eval.verdict import Verdict

_LONGEST_MESSAGE = 1000
_LONGEST_TEXT = 4000
_ROOM = 8 * MIB
"""For all tests together: 60,000 that passed, or 500 that failed and show the longest texts. GitLab takes 30 MB."""
_XML_TYPES: dict[Verdict, Literal["failure", "error"]] = {
    Verdict.REGRESSION: "failure",
    Verdict.INCONCLUSIVE: "error",
}


@dataclass(frozen=True)
class Trouble:
    """Why a test is not passed: it failed, or nothing is known of it."""

    tag: Literal["failure", "error"]
    kind: str
    message: Text
    texts: tuple[tuple[str, Hostile], ...] = ()
    """What there is to read, each under its label."""


@dataclass(frozen=True)
class Test:
    """One test case: a golden case, as other CI systems show it."""

    group: Text
    name: Hostile
    trouble: Trouble | None = None
    seconds: float | None = None
    note: Text = ()


@dataclass(frozen=True)
class TestSuite:
    """One suite of tests, with its totals."""

    name: Hostile
    tests: tuple[Test, ...]
    table: Table | None = None
    """Told as properties, one a cell."""
    judges: Mapping[str, Text] = field(default_factory=dict)
    """Of dimensions that models score: who, and how far to believe it. Properties, too."""
    left: int = 0
    """Tests that were left out."""

    def count(self, tag: str) -> int:
        return sum(test.trouble is not None and test.trouble.tag == tag for test in self.tests)


def verdict_suite(report: Report) -> TestSuite:
    """The test that is as red as the exit code."""
    tag = _XML_TYPES.get(report.verdict) if report.verdict else None
    trouble = Trouble(tag, str(report.verdict), report.headline) if tag else None
    return TestSuite("ci-eval", (Test(("ci-eval",), "verdict", trouble, note=report.headline),))


def to_xml(suites: Sequence[TestSuite]) -> str:
    """The file; it has nothing that XML does not allow, whatever anybody wrote."""
    shown = _that_fit(suites)
    root = Element("testsuites", {"name": "ci-eval", **_counts(shown)})
    root.extend(_suite(suite) for suite in shown)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _that_fit(suites: Sequence[TestSuite]) -> list[TestSuite]:
    """Whole tests, the most telling ones first and the suites in turn; of each suite one, or it would look clean."""
    places = [place for number, suite in enumerate(suites) for place in _by_rank(number, suite)]
    kept: list[set[int]] = [set() for _ in suites]
    room = _ROOM
    for place in sorted(places, key=lambda place: (place.turn > 0, place.rank, place.turn)):
        room -= len(tostring(_test(suites[place.suite].tests[place.test]), encoding="utf-8"))
        if room < 0 and place.turn:
            break
        kept[place.suite].add(place.test)
    return [_only(suite, indices) for suite, indices in zip(suites, kept, strict=True)]


class _Place(NamedTuple):
    """A test among all: how telling it is, and where it comes among those of its suite, the most telling first."""

    rank: int
    turn: int
    suite: int
    test: int


def _by_rank(number: int, suite: TestSuite) -> Iterator[_Place]:
    ranked = sorted((_rank(test), index) for index, test in enumerate(suite.tests))
    yield from (_Place(rank, turn, number, index) for turn, (rank, index) in enumerate(ranked))


def _rank(test: Test) -> int:
    return ("failure", "error", None).index(test.trouble.tag if test.trouble else None)


def _only(suite: TestSuite, indices: set[int]) -> TestSuite:
    tests = tuple(test for index, test in enumerate(suite.tests) if index in indices)
    return replace(suite, tests=tests, left=len(suite.tests) - len(tests))


def _counts(suites: Iterable[TestSuite]) -> dict[str, str]:
    counted = list(suites)
    numbers = {
        "tests": sum(len(suite.tests) for suite in counted),
        "failures": sum(suite.count("failure") for suite in counted),
        "errors": sum(suite.count("error") for suite in counted),
    }
    times = [test.seconds for suite in counted for test in suite.tests if test.seconds is not None]
    return {name: str(number) for name, number in numbers.items()} | {"time": f"{sum(times):.3f}"}


def _suite(suite: TestSuite) -> Element:
    made = Element("testsuite", {"name": node(suite.name), **_counts([suite]), "skipped": "0"})
    told = [*_cells(suite.table), *_judges(suite.judges)] if suite.table else []
    if told:
        properties = SubElement(made, "properties")
        for name, value in told:
            SubElement(properties, "property", {"name": name, "value": value})
    made.extend(_test(test) for test in suite.tests)
    if suite.left:
        SubElement(made, "system-out").text = f"{CASE.more(suite.left)} in the run files."
    return made


def _cells(table: Table) -> Iterable[tuple[str, str]]:
    for name, *row in table.rows:
        for header, text in zip(table.headers[1:], row, strict=True):
            if text and text != ("",):
                yield f"{_said(name)}.{header}", _said(text)


def _judges(judges: Mapping[str, Text]) -> Iterable[tuple[str, str]]:
    yield from ((f"{node(name)}.judge", _said(said)) for name, said in judges.items() if said)


def _test(test: Test) -> Element:
    times = {} if test.seconds is None else {"time": f"{test.seconds:.3f}"}
    made = Element("testcase", {"classname": _said(test.group), "name": node(test.name), **times})
    if test.trouble:
        shown = {"message": _said(test.trouble.message), "type": node(test.trouble.kind)}
        SubElement(made, test.trouble.tag, shown).text = _body(test.trouble)
    if test.note:
        SubElement(made, "system-out").text = _said(test.note)
    return made


def _body(trouble: Trouble) -> str:
    texts = (f"{label}:\n{node(text, limit=_LONGEST_TEXT)}" for label, text in trouble.texts)
    return "\n\n".join([_said(trouble.message), *texts])


def _said(text: Text, encode: Callable[[Hostile], str] = lambda one: node(one, limit=_LONGEST_MESSAGE)) -> str:
    return in_words(text, encode)
