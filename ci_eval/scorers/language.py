"""`language`: the answer is in the language that was asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from ci_eval.config import FieldPath
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Comparing, Score, Scoring, as_text, binary
from ci_eval.scorers.installed import not_installed
from ci_eval.text import Untrusted, stream_safe

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# What py3langid tells apart, but for zxx (no language). Here, so that reading a config does not wait for its model.
_CODES = (
    "ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa fi fo fr fuv "
    "fy ga gcf gcr gd gl gom grc gu gug guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab kik kk km kn ko ku ky la "
    "lb lg lij ln lo lt ltg lv mg mk ml mn mr ms mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa sdh se "
    "si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz uzs vec vi vo wa wuu xh yo yue zh zu"
)
KNOWN = frozenset(_CODES.split())
_REMEDY = "write a code such as en or pt-BR"
_FEW_LETTERS = 20
"""Below, "OK, merci" and names of products are read as anything."""
_LOOKED_AT = 2000
"""Characters; what follows changes nothing."""
_SURE = 0.5
"""With a smaller share, another language than the one asked for is a guess."""
_ELSEWHERE = 0.001
"""With less than this share for all that may be, it is something else."""


def _code(value: str) -> str:
    code = value.lower().replace("_", "-").partition("-")[0]
    if code not in KNOWN:
        raise wrong("a language that cannot be told", _REMEDY)
    return code


Code = Annotated[str, Field(min_length=2, max_length=20), AfterValidator(_code)]


class Language(Comparing):
    """Told by py3langid, offline. Of a short text it cannot be told: that passes, and the reason says so."""

    default_dimension: ClassVar[str] = "behaviour"
    takes_long: ClassVar[bool] = True
    type: Literal["language"]
    language: Code | None = None
    """The one that all answers should be in, as in `de`; without it, that of the case."""
    among: Annotated[list[Code], Field(min_length=2, max_length=50)] | None = None
    """The languages that your product speaks: knowing them makes telling them apart much surer."""
    against: FieldPath | None = "language"
    """Where the case's `expected` names the language."""

    def applies(self, case: Case) -> bool:
        return self._wanted(case) is not None

    def _wanted(self, case: Case) -> str | None:
        """Raises InputError for what is no language."""
        expected = self.expected(case)
        if self.language or expected is MISSING:
            return self.language
        try:
            return _code(expected)
        except (AttributeError, ValueError):
            problem = f'the case "{case.id}" expects a language that cannot be told'
            raise InputError(problem, remedy=_REMEDY) from None

    def ready(self) -> Scoring:
        if find_spec("py3langid") is None:
            raise not_installed("language", "py3langid")

        def score(answer: Answer, case: Case) -> Score:
            got, wanted = answer.field(self.field), self._wanted(case) or ""
            if got is MISSING:
                return self.nothing()
            text = stream_safe(as_text(got)[:_LOOKED_AT])
            if not text.strip():
                return binary(False, "says nothing")
            letters = _letters(text)
            if letters < _FEW_LETTERS:
                return _unsure(f"{letters} letters are too few to tell")
            read, share = _read(dict(_identifier().rank(text)), {wanted, *(self.among or KNOWN)})
            if read != wanted and share < _SURE:
                return _unsure(f"it reads as {read} with {share:.0%}")
            return binary(read == wanted, f"reads as {read}" + ("" if read == wanted else f", not {wanted}"))

        return score


def _unsure(why: str) -> Score:
    return Score(0.5, True, Untrusted(f"unsure: {why}, so it passes"))


def _read(shares: Mapping[str, float], among: set[str]) -> tuple[str, float]:
    """The likeliest of those that may be, or of all where those are out of the question; and how likely it is there."""
    inside = {code: share for code, share in shares.items() if code in among}
    chosen = inside if sum(inside.values()) >= _ELSEWHERE else shares
    read = max(chosen, key=lambda code: chosen[code])
    return read, chosen[read] / sum(chosen.values())


def _letters(text: str) -> int:
    """Of scripts whose letters are syllables or words, each counts as four."""
    return sum(4 if char >= "\u2e80" else 1 for char in text if char.isalpha())


def _identifier() -> LanguageIdentifier:
    with _loading:  # by one thread: each would take its second
        return _loaded()


_loading = threading.Lock()


@cache
def _loaded() -> LanguageIdentifier:
    """When the first answer is scored, which may be in another process: its model takes a second or two."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - with it comes numpy

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
