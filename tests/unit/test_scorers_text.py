"""Scorers of texts, beside the libraries that others measure with."""

from __future__ import annotations

import re
import string
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from making import case, golden, held, resources, scorer_set
from one_answer import linear, refusal, said, scored
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from ci_eval.scorers.base import Answer
from ci_eval.scorers.language import KNOWN, _identifier
from ci_eval.scorers.length import COUNT
from ci_eval.scorers.rouge import rouge
from ci_eval.scorers.subsequence import Indexed, chosen, length
from ci_eval.scorers.token_f1 import token_f1
from ci_eval.text import JSON

words = st.sampled_from(
    ["a", "the", "cat", "cat's", "sat", "on", "mat", "Mat", "42", "é", "日本", ".", ",", "\n", "\n\n", "_"]
)
prose = st.lists(words, max_size=25).map(" ".join)
texts = prose | st.text(max_size=30) | st.text("ab \n.", max_size=60)

METRICS: tuple[dict[str, Any], ...] = (
    {"type": "token_f1", "pass_at": 0.5},
    *({"type": "rouge", "variant": variant, "pass_at": 0.5} for variant in ("rouge1", "rouge2", "rougeL", "rougeLsum")),
    *({"type": "bleu", "tokenize": way, "pass_at": 0.5} for way in ("13a", "intl", "zh", "char", "none")),
    *({"type": "chrf", "word_order": order, "pass_at": 0.5} for order in (0, 2)),
)


# --- what every text metric does --------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_the_expected_text_is_right_and_another_is_not(metric: dict[str, Any]) -> None:
    text = "Deleted notes stay in the bin for sixty days."
    assert scored(metric, text, text).value == 1
    assert not scored(metric, "Ask someone else, please!", text).passed
    assert scored({**metric, "field": "reply"}, f'{{"reply": "{text}"}}', {"reply": text}).passed
    assert said(scored({**metric, "field": "reply"}, text, {"reply": text})) == "no reply in the answer"


@pytest.mark.parametrize("metric", METRICS)
def test_of_several_expected_texts_the_nearest_counts(metric: dict[str, Any]) -> None:
    several: JSON = ["Nobody knows.", "Look in the bin on the left.", "Ask us again tomorrow."]
    assert scored(metric, "Look in the bin on the left.", several).value == 1
    alone = scored(metric, "Look in the bin.", "Look in the bin on the left.").value
    assert scored(metric, "Look in the bin.", several).value >= alone
    assert "nothing to look at" in str(refusal(metric, []))


@pytest.mark.parametrize("metric", METRICS)
def test_a_graded_scorer_passes_at_its_threshold(metric: dict[str, Any]) -> None:
    value = scored(metric, "the cat sat there", "the cat sat on the mat").value
    assert 0 < value < 1
    assert scored({**metric, "pass_at": value}, "the cat sat there", "the cat sat on the mat").passed
    assert not scored({**metric, "pass_at": value + 1e-9}, "the cat sat there", "the cat sat on the mat").passed
    assert "missing" in str(refusal({key: metric[key] for key in metric if key != "pass_at"}))


HOSTILE = (
    "",
    " ",
    "\x00\ufffd",
    "x" * 100_000,
    "x " * 50_000,
    "x\n" * 50_000,
    " \n" * 50_000,
    "." * 100_000,
    "\u0316\u0300" * 20_000,
    " ".join(map(str, range(20_000))),
    "\n".join(f"x {number}" for number in range(12_000)),
)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_answer_breaks_a_metric_or_makes_it_slow(metric: dict[str, Any], text: str) -> None:
    for expected in ("x 1\nx 2\nx 3", text):
        with linear(4):
            score = scored(metric, text, expected)
        assert all(0 <= part <= 1 for part in (score.value, *score.parts.values()))


def test_a_case_is_close_to_breaking_where_its_score_is_close_to_pass_at() -> None:
    """The subset prefers such cases."""
    graded = scorer_set(golden(case()), {"type": "token_f1", "pass_at": 0.8}, {"type": "exact"})
    assert [scorer.policy.threshold for scorer in graded.all()] == [0.8, 0.5]


# --- token_f1 ---------------------------------------------------------------------------------------------------------


def squad(text: str, reference: str) -> float:
    """The evaluation that SQuAD publishes, said again."""

    def tokens(value: str) -> list[str]:
        kept = "".join(char for char in value.lower() if char not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", kept).split()

    got, wanted = tokens(text), tokens(reference)
    same = sum((Counter(got) & Counter(wanted)).values())
    if not got or not wanted:
        return float(got == wanted)
    if not same:
        return 0
    precision, recall = same / len(got), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


@given(texts, texts)
def test_token_f1_is_squads(text: str, reference: str) -> None:
    assert token_f1(text, reference).value == pytest.approx(squad(text, reference))


# --- rouge ------------------------------------------------------------------------------------------------------------

LIBRARY = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=False)


@settings(deadline=None, max_examples=300)
@given(texts, texts)
@example("", "")
@example("\n", "a")
@example("the cat\n\nsat the cat", "cat the sat\nthe the cat sat\n")
@example("İstanbul ŞÇ naïve", "istanbul na ve")
def test_rouge_is_the_librarys(text: str, reference: str) -> None:
    for variant, wanted in LIBRARY.score(reference, text).items():
        near = rouge(variant, text, reference)
        assert near.parts == pytest.approx(
            {"precision": wanted.precision, "recall": wanted.recall, "f1": wanted.fmeasure}, abs=1e-12
        )
        assert near.value == near.parts["f1"]
        assert not near.note


@settings(deadline=None)
@given(st.lists(prose, min_size=1, max_size=4), prose)
def test_rouge_of_several_references_is_the_librarys(references: list[str], text: str) -> None:
    library = LIBRARY.score_multi(references, text)
    for variant in ("rouge1", "rouge2", "rougeL", "rougeLsum"):
        score = scored({"type": "rouge", "variant": variant, "pass_at": 0.5}, text, list(references))
        assert score.value == pytest.approx(library[variant].fmeasure)


@given(st.lists(st.sampled_from("abc"), max_size=80), st.lists(st.sampled_from("abcd"), max_size=80))
def test_what_is_chosen_is_a_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    places = sorted(chosen(one, Indexed.of(other)))
    assert len(places) == length(one, Indexed.of(other)) == length(other, Indexed.of(one))
    rest = iter(other)
    assert all(one[place] in rest for place in places)


def test_of_a_very_long_answer_rouge_looks_at_the_beginning_and_says_so() -> None:
    long = " ".join(f"w{number}" for number in range(6000))
    score = scored({"type": "rouge", "pass_at": 0.5}, long, "w1 w2")
    assert score.parts["precision"] == 2 / 5000
    assert said(score) == "rouge 0.00 of the first 5000 words and 200 lines"
    lines = scored({"type": "rouge", "variant": "rougeLsum", "pass_at": 0.5}, "w1\n" * 300, "w1 w2")
    assert lines.parts["precision"] == 1 / 200
    assert "200 lines" in said(lines)


# --- bleu and chrf ----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(texts, st.lists(texts, min_size=1, max_size=3))
@example("", [""])
@example("a", ["a"])
def test_bleu_and_chrf_are_sacrebleus(text: str, references: list[str]) -> None:
    for keys, library in (
        ({"type": "bleu"}, BLEU(effective_order=True)),
        ({"type": "bleu", "tokenize": "char"}, BLEU(effective_order=True, tokenize="char")),
        ({"type": "chrf"}, CHRF()),
        ({"type": "chrf", "word_order": 2}, CHRF(word_order=2)),
    ):
        points = library.sentence_score(text, references).score
        assert scored({"pass_at": 0.5, **keys}, text, list(references)).value == min(1, points / 100)


@pytest.mark.parametrize(
    ("scorer", "library", "module"),
    [
        ({"type": "bleu", "pass_at": 0.5}, "sacrebleu", "sacrebleu.metrics.bleu"),
        ({"type": "chrf", "pass_at": 0.5}, "sacrebleu", "sacrebleu.metrics.chrf"),
        ({"type": "language", "language": "en"}, "py3langid", "py3langid"),
    ],
)
def test_a_missing_library_is_answered_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, scorer: dict[str, Any], library: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    error = refusal(scorer)
    assert error
    assert error.problem == f'the scorer "{scorer["type"]}" needs {library}'
    assert error.remedy == "run: pip install 'ci-eval[metrics]'"


# --- length -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "characters", "counted", "sentences"),
    [
        ("", 0, 0, 0),
        (" \n ", 0, 0, 0),
        ("Look in the bin.", 16, 4, 1),
        ("It's 3.5 GB! Really?\nYes", 24, 5, 3),
        ("first…  second", 14, 2, 2),
        ("一个。两个！", 6, 2, 2),
        ("!!! ...", 7, 0, 0),
        ("12:30-13:00 e-mail", 18, 2, 1),
    ],
)
def test_characters_words_and_sentences(text: str, characters: int, counted: int, sentences: int) -> None:
    assert [COUNT["characters"](text), COUNT["words"](text), COUNT["sentences"](text)] == [
        characters,
        counted,
        sentences,
    ]


def test_length_keeps_limits_and_says_them() -> None:
    limits = {"type": "length", "min": 2, "max": 3}
    assert [scored(limits, "w " * size).passed for size in range(5)] == [False, False, True, True, False]
    assert said(scored(limits, "one")) == "1 words, and should be at least 2 and at most 3"
    assert scored({"type": "length", "unit": "characters", "max": 160}, "x" * 160).passed
    assert not scored({"type": "length", "unit": "characters", "max": 160}, "x" * 161).passed
    assert not scored({"type": "length", "max": 0}, "x").passed


def test_length_may_be_measured_by_an_expected_text() -> None:
    ratio = {"type": "length", "min_ratio": 0.5, "max_ratio": 2}
    assert [scored(ratio, "w " * size, "four words are here").passed for size in (1, 2, 8, 9)] == [
        False,
        True,
        True,
        False,
    ]
    assert scored(ratio, "w " * 9, ["one", "a b c d e f g h i"]).passed
    assert said(scored(ratio, "w", "a b c d")) == (
        "1 words, 0.25 of what is expected, and should be at least 0.5 and at most 2"
    )
    assert "nothing to look at" in str(refusal(ratio, []))


@pytest.mark.parametrize(
    "keys", [{}, {"min": 3, "max": 2}, {"min_ratio": 2, "max_ratio": 1}, {"min": -1}, {"max": 1.5}]
)
def test_a_length_without_limits_that_can_be_kept_is_refused(keys: dict[str, Any]) -> None:
    assert refusal({"type": "length", **keys})


@pytest.mark.parametrize("unit", ["characters", "words", "sentences"])
@pytest.mark.parametrize("part", [" ", "x", ".", "a'", "a.", "\n", "x ", "日"])
def test_no_text_makes_counting_slow(unit: Any, part: str) -> None:
    with linear():
        COUNT[unit](part * 100_000)


# --- language ---------------------------------------------------------------------------------------------------------

GERMAN = "Gelöschte Notizen bleiben sechzig Tage im Papierkorb."
FRENCH = "Les notes supprimées restent soixante jours dans la corbeille."


def test_language_is_told_offline() -> None:
    german = {"type": "language", "language": "de"}
    assert scored(german, GERMAN).passed
    assert said(scored(german, GERMAN)) == "reads as de"
    assert said(scored(german, FRENCH)) == "reads as fr, not de"
    assert not scored({**german, "among": ["de", "en"]}, "削除したノートは六十日間ごみ箱に残ります。").passed


def test_each_case_may_name_its_language() -> None:
    by_case = {"type": "language", "among": ["de", "fr", "pt-BR"]}
    assert scored(by_case, FRENCH, {"language": "fr-CA"}).passed
    assert not scored(by_case, FRENCH, {"language": "de"}).passed
    assert scored({**by_case, "against": "in"}, FRENCH, {"in": "FR"}).passed
    assert "nothing to look at" in str(refusal(by_case, {"reply": "oui"}))


@pytest.mark.parametrize("text", ["OK", "42", "Tidewell Sync v2", "…"])
def test_of_a_short_text_the_language_is_unsure_and_that_is_told(text: str) -> None:
    score = scored({"type": "language", "language": "de"}, text)
    assert score.passed
    assert score.value == 0.5
    assert said(score).startswith("unsure: ")


def test_a_long_text_that_could_be_anything_is_unsure() -> None:
    assert said(scored({"type": "language", "language": "de"}, "x" * 1000)).startswith("unsure: it reads as ")


def test_who_says_nothing_says_it_in_no_language() -> None:
    assert not scored({"type": "language", "language": "de"}, " \n").passed


@pytest.mark.parametrize("expected", ["english", "xx", 5, "", ["de"]])
def test_a_case_that_expects_no_language_is_refused_by_its_name(expected: JSON) -> None:
    error = refusal({"type": "language"}, {"language": expected})
    assert 'the case "one" expects a language that cannot be told; write a code such as en or pt-BR' in str(error)


@pytest.mark.parametrize(
    "keys", [{"language": "german"}, {"among": ["de"]}, {"among": ["de", "qq"]}, {"language": "de", "among": []}]
)
def test_a_language_that_cannot_be_told_is_refused(keys: dict[str, Any]) -> None:
    assert refusal({"type": "language", **keys}, {"language": "de"})


def test_the_languages_known_are_the_librarys() -> None:
    assert set(_identifier().labels) - {"zxx"} == KNOWN


@pytest.mark.parametrize("text", ["x" * 100_000, "\u0316\u0300" * 50_000 + "a" * 30, "日" * 30_000, "a b " * 25_000])
def test_no_text_makes_telling_a_language_slow(text: str) -> None:
    scored({"type": "language", "language": "de"}, GERMAN)  # with it comes the model
    with linear():
        scored({"type": "language", "language": "de"}, text)


# --- similarity -------------------------------------------------------------------------------------------------------


def test_similarity_takes_several_expected_texts() -> None:
    vectors = {"got": [1.0, 0.0], "far": [0.0, 1.0], "near": [0.9, 0.1]}
    one = case(expected=["far", "near"])
    bound = scorer_set(golden(one), {"type": "similarity", "pass_at": 0.8}).bind(
        resources(held({}), lambda texts: [vectors[text] for text in texts])
    )
    assert bound["similarity"].score(Answer("got"), one).value == 0.9
