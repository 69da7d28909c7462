"""What was scored is not scored again: the same answer to the same case, in the same repeat, has one score.

Only for scorers that ask a provider. So a judge cannot call one side good and the other bad for the same words. Another
repeat is asked anew even about the same words: a confirmation must draw the judge's own noise again, or one unlucky
verdict would confirm itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import Answer, Score
from ci_eval.text import canonical

_MOST = 4096
"""The other side's same answer comes soon after."""


def key_of(scorer: str, case: Case, answer: Answer, repeat: int) -> bytes:
    """`answer` is what the scorer looks at. The case with its contents: a canary, or what people labelled, may be
    called as a golden case is.
    """
    text = canonical([scorer, case.id, case.digest, *answer.said, repeat])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass
class _Entry:
    score: Score | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class ScoreMemory:
    """The last scores. Who asks for one that another thread is about to have waits for it."""

    _entries: OrderedDict[bytes, _Entry] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def recall(self, key: bytes, score: Callable[[], Score]) -> Score:
        """The score of a key, made now where there is none; whatever making it raises is not remembered."""
        entry = self._entry(key)
        with entry.lock:
            if entry.score is None:
                entry.score = score()
            return entry.score

    def learn(self, key: bytes, score: Score) -> None:
        self._entry(key).score = score

    def _entry(self, key: bytes) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return entry
