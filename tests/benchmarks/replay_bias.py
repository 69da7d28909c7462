"""How far `ci-eval baseline replay` is from the truth, measured in worlds whose truth is known.

    python tests/benchmarks/replay_bias.py

In each world of `gate_simulation.py` the gate judges changes that change nothing: its share of red ones is the truth.
Then main is stored, with 5, 10 or 20 answers to each case, and replayed from those alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from gate_simulation import Model, Row, chunk, world

from ci_eval.baseline.replay import Answer, Memory, Pace, replays, summed

ENDLESS = Pace(1, float("inf"))
WORLDS = (
    Row("replay", 100, 0.1, stored=5),
    Row("replay", 100, 0.15, stored=5),
    Row("replay", 100, 0.05, rare=0.3, stored=5, note="30 % of passing cells fail one time in twenty"),
    Row("replay", 100, 0.15, one_draw=True, stored=5, note="the dimensions of a case fall together"),
)


def stored(row: Row, answers: int, rng: random.Random) -> Memory:
    """Main of one world, answered so often."""
    model = Model(row, rng)
    found = {case: [Answer(_passed(model, case)) for _ in range(answers)] for case in model.world.names}
    return Memory(found, row.stored)


def _passed(model: Model, case: str) -> dict[str, bool]:
    return {scorer: bool(passed) for scorer, passed in model.run(case, "base")[2].items()}


def replayed(row: Row, answers: int, *, mains: int, repetitions: int) -> float:
    """The share of red replays, over several mains."""
    question, red = world(row).question, 0
    for number in range(mains):
        memory = stored(row, answers, random.Random(f"{answers}:{number}"))
        found = replays(memory, question, ENDLESS, repetitions=repetitions, seed=str(number))
        red += summed(found, question.limits, row.n).red().count
    return red / mains / repetitions


def truth(row: Row, repetitions: int) -> float:
    return chunk(row, "truth", repetitions).red / repetitions


def main(worlds: Sequence[Row] = WORLDS) -> None:
    print("| world | red % | replayed from 5 | 10 | 20 answers |\n| --- | --- | --- | --- | --- |")
    for row in worlds:
        shares = [truth(row, 500), *(replayed(row, answers, mains=20, repetitions=25) for answers in (5, 10, 20))]
        print(f"| {row.title} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
