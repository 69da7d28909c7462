"""`bleu` and `chrf`: n-grams of words and of characters, as sacrebleu counts them for one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ci_eval.scorers.installed import not_installed
from ci_eval.scorers.text_metric import Measure, Nearness, TextMetric

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Score as Points


class Bleu(TextMetric):
    """BLEU of one answer, with the n-grams that it is long enough for. Several expected texts are its references."""

    type: Literal["bleu"]
    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    """How words are told apart: `13a` in English and its like, `intl` by Unicode, `zh` in Chinese; `char`: no words."""

    def measure(self) -> Measure:
        try:
            from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - takes 0.2 s
        except ImportError:
            raise not_installed(self.type, "sacrebleu") from None
        return _measure(BLEU(effective_order=True, tokenize=self.tokenize).sentence_score)


class Chrf(TextMetric):
    """The chrF of one answer; of several expected texts the nearest counts."""

    type: Literal["chrf"]
    word_order: Annotated[int, Field(ge=0, le=4)] = 0
    """Up to how many words are looked at together beside the characters; 2 makes it chrF++."""

    def measure(self) -> Measure:
        try:
            from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - takes 0.2 s
        except ImportError:
            raise not_installed(self.type, "sacrebleu") from None
        return _measure(CHRF(word_order=self.word_order).sentence_score)


def _measure(points: Callable[[str, Sequence[str]], Points]) -> Measure:
    # Of 100, and the library's sum of logarithms may end just above them.
    return lambda text, references: Nearness(min(1.0, points(text, references).score / 100))
