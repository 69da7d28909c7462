"""`tool_calls`: the target asks for the tools that the case expects, with the right arguments, and for no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ci_eval.golden.cases import Case
from ci_eval.reader import Strict
from ci_eval.scorers.base import (
    MISSING,
    Answer,
    PassAt,
    Score,
    Scoring,
    WholeScorer,
    binary,
    equal,
    expectation,
)
from ci_eval.scorers.normalise import Normal, normalised_value
from ci_eval.scorers.trajectory import MOST_CALLS, Call, calls, holds
from ci_eval.text import Untrusted

ToolName = Annotated[str, Field(min_length=1, max_length=200)]
Fits = Callable[[int, int], bool]
"""Whether an expected call (first) is fulfilled by one that was made (second), by their places."""


class WantedCall(Strict):
    name: ToolName
    arguments: dict[str, Any] | None = None
    """Without them, any arguments are right."""


class _Expected(Strict):
    tool_calls: Annotated[list[WantedCall], Field(max_length=100)] | None = None


class ToolCalls(WholeScorer):
    """The calls of a model, or the steps of a pipeline that name a `tool`, against the case's `expected.tool_calls`.

    The score is the F1 of the calls that are right (with `extra: allow`, their recall), and 0 where a forbidden tool is
    asked for. Arguments that are not a JSON object make a call wrong.
    """

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["tool_calls"]
    arguments: Literal["exact", "subset", "ignore"] = "exact"
    """How arguments are compared: all of them, those that the case names (objects within them likewise), or none."""
    ignored: list[ToolName] = Field(default_factory=list)
    """Arguments that are never compared, as a time or an id that is made up."""
    normalise: list[Normal] = Field(default_factory=list)
    """Which differences between texts in arguments do not count; blanks at their ends never do."""
    order: Literal["any", "given"] = "given"
    """`given`: as the case lists them."""
    extra: Literal["forbid", "allow"] = "forbid"
    """Whether calls that the case does not expect are allowed."""
    forbidden: list[ToolName] = Field(default_factory=list)
    """Tools that no case may use."""
    pass_at: PassAt = 1
    """The least score that passes."""

    def applies(self, case: Case) -> bool:
        return case.expectation("tool_calls") is not None or bool(self.forbidden)

    def check(self, case: Case) -> None:
        expectation(_Expected, case)

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        wanted, made = expectation(_Expected, case).tool_calls, calls(answer)
        used = [call.name for call in made if call.name in self.forbidden]
        if used:
            return binary(False, f"uses {used[0]}, which is forbidden")
        if len(made) > MOST_CALLS:
            return binary(False, f"more than {MOST_CALLS} calls")
        if wanted is None:
            return binary(True, "uses no forbidden tool")
        return self._compared(wanted, made)

    def _compared(self, wanted: Sequence[WantedCall], made: Sequence[Call]) -> Score:
        right = self._match(wanted, made, [[self._is(one, call) for call in made] for one in wanted])
        named = self._match(wanted, made, [[one.name == call.name for call in made] for one in wanted])
        precision, recall = len(right) / len(made) if made else 1.0, len(right) / len(wanted) if wanted else 1.0
        value = recall if self.extra == "allow" else 2 * len(right) / (len(wanted) + len(made) or 1)
        value = 1.0 if not wanted and (not made or self.extra == "allow") else value
        parts = {"precision": precision, "recall": recall, "tools": len(named) / len(wanted) if wanted else 1.0}
        return Score(value, value >= self.pass_at, Untrusted(self._reason(wanted, made, right)), parts)

    def _match(
        self, wanted: Sequence[WantedCall], made: Sequence[Call], fits: Sequence[Sequence[bool]]
    ) -> dict[int, int]:
        """As many expected calls as can be fulfilled, each by a call of its own."""
        match = _in_order if self.order == "given" else _in_any_order
        return match(len(wanted), len(made), lambda one, call: fits[one][call])

    def _is(self, wanted: WantedCall, made: Call) -> bool:
        return wanted.name == made.name and made.arguments is not MISSING and self._other(wanted, made) is None

    def _other(self, wanted: WantedCall, made: Call) -> str | None:
        """The first argument that is another one than the expected, or there without being expected."""
        if self.arguments == "ignore" or wanted.arguments is None:
            return None
        ours, theirs = self._compares(wanted.arguments), self._compares(made.arguments)
        same = holds if self.arguments == "subset" else equal
        wrong = (name for name in ours if name not in theirs or not same(ours[name], theirs[name]))
        spare = (name for name in theirs if name not in ours and self.arguments == "exact")
        return next(chain(wrong, spare), None)

    def _compares(self, arguments: dict[str, Any]) -> dict[str, Any]:
        kept = arguments.items()
        return {name: normalised_value(value, self.normalise) for name, value in kept if name not in self.ignored}

    def _reason(self, wanted: Sequence[WantedCall], made: Sequence[Call], right: dict[int, int]) -> str:
        missing = [one for place, one in enumerate(wanted) if place not in right]
        spare = [call for place, call in enumerate(made) if place not in right.values()]
        if missing:
            return self._instead(missing[0], spare)
        if spare and self.extra == "forbid":
            return f"calls {spare[0].name}, which is not expected"
        return "the calls that are expected" if wanted else "no calls, as expected"

    def _instead(self, wanted: WantedCall, spare: Sequence[Call]) -> str:
        """What was done in the place of an expected call."""
        same = next((call for call in spare if call.name == wanted.name), None)
        if same is None:
            return f"does not call {wanted.name}"
        if same.arguments is MISSING:
            return f"calls {wanted.name} with arguments that are no JSON object"
        other = self._other(wanted, same)
        return f"calls {wanted.name} " + ("in another order" if other is None else f"with another {other}")


# --- matching: both find the most that can be fulfilled ---------------------------------------------------------------


def _in_order(wanted: int, made: int, fits: Fits) -> dict[int, int]:
    """The longest common subsequence."""
    best = [[0] * (made + 1) for _ in range(wanted + 1)]
    for one in reversed(range(wanted)):
        for call in reversed(range(made)):
            skipped = max(best[one + 1][call], best[one][call + 1])
            best[one][call] = 1 + best[one + 1][call + 1] if fits(one, call) else skipped
    found: dict[int, int] = {}
    one = call = 0
    while one < wanted and call < made:
        if fits(one, call):
            found[one] = call
            one, call = one + 1, call + 1
        elif best[one + 1][call] >= best[one][call + 1]:
            one += 1
        else:
            call += 1
    return found


def _in_any_order(wanted: int, made: int, fits: Fits) -> dict[int, int]:
    """A largest matching, by augmenting paths: a call that fits two expectations goes where it is needed."""
    taken: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for call in range(made):
            if call not in tried and fits(one, call):
                tried.add(call)
                if call not in taken or place(taken[call], tried):
                    taken[call] = one
                    return True
        return False

    for one in range(wanted):
        place(one, set())
    return {one: call for call, one in taken.items()}
