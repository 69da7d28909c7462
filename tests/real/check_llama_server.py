"""The providers against llama.cpp's own server, which nobody here wrote. Not part of the default run:

    pip install xllamacpp==2026.10.11549 gguf==0.19.0
    python -m pytest tests/real/check_llama_server.py

The server speaks chat completions, embeddings and Anthropic's messages; its model is random noise, made on the spot.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ci_eval.deadline import Deadline
from ci_eval.providers.base import Message, ProviderError, Reply, Request
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.registry import connect, connect_embedder
from ci_eval.transport.pacing import Limits

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")

ASKED = (Message("system", "Be kind."), Message("user", "Where is my parcel?"))
TOOL = {"type": "function", "function": {"name": "track", "parameters": {"type": "object", "properties": {}}}}
KIND = {"type": "object", "properties": {"kind": {"enum": ["bill", "post"]}}, "required": ["kind"]}


@contextmanager
def running(folder: Path, *options: str) -> Iterator[str]:
    """The server's address, for as long as the block lasts."""
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py")), str(folder), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        said = server.stdout.readline()
        assert said.startswith("listening: http://127.0.0.1:"), said
        try:
            yield said.partition(" ")[2].strip()
        finally:
            server.stdin.close()
            server.wait(30)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("model")) as found:
        yield found


def endpoint(address: str, api: str = "openai", *, stream: bool = False) -> Endpoint:
    return Endpoint(api, f"{address}/v1", None, limits=Limits(2), timeout_seconds=60, stream=stream)


def ask(at: Endpoint, **parameters: Any) -> Reply:
    request = Request("house", "noise", ASKED, {"max_tokens": 24, **parameters})
    return connect(at, {}).complete(request, 0, Deadline.after(60))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ["openai", "anthropic"])
class TestBothFormats:
    def test_an_answer_that_is_cut_off(self, address: str, api: str, stream: bool) -> None:
        reply = ask(endpoint(address, api, stream=stream), temperature=0)
        assert (reply.finish, reply.usage.tokens_out) == ("length", 24)
        assert reply.text.text()
        assert (reply.usage.tokens_in or 0) > 10

    def test_tools_are_taken(self, address: str, api: str, stream: bool) -> None:
        """Whether noise ever calls one is another matter."""
        reply = ask(endpoint(address, api, stream=stream), tools=[TOOL], tool_choice="auto", temperature=0)
        assert reply.finish == "length"

    def test_a_context_that_is_too_small_is_about_the_request(self, address: str, api: str, stream: bool) -> None:
        long = Request("house", "noise", (Message("user", "word " * 5000),), {"max_tokens": 4})
        with pytest.raises(ProviderError, match="HTTP 400") as caught:
            connect(endpoint(address, api, stream=stream), {}).complete(long, 0, Deadline.after(60))
        assert caught.value.about_request


def test_streamed_or_not_an_answer_is_the_same(address: str) -> None:
    letters = {"name": "letters", "schema": {"type": "string", "pattern": "^[a-z]{12}$"}}
    wanted = {"temperature": 0, "seed": 1, "response_format": {"type": "json_schema", "json_schema": letters}}
    whole, streamed = (ask(endpoint(address, stream=one), **wanted) for one in (False, True))
    assert whole.text == streamed.text
    assert (whole.finish, whole.usage.tokens_out) == (streamed.finish, streamed.usage.tokens_out)


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_binds_even_noise(address: str, stream: bool) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "kind", "schema": KIND}}
    reply = ask(endpoint(address, stream=stream), response_format=wanted, max_tokens=200, temperature=0)
    assert reply.finish == "stop"
    assert json.loads(reply.text.text())["kind"] in {"bill", "post"}


def test_a_wrong_address_is_infrastructure(address: str) -> None:
    with pytest.raises(ProviderError, match="HTTP 404") as caught:
        ask(Endpoint("openai", f"{address}/nowhere", None, limits=Limits(1), timeout_seconds=60))
    assert not caught.value.about_request


def test_embeddings(tmp_path: Path) -> None:
    with running(tmp_path, "--embedding") as address:
        embedder = connect_embedder(endpoint(address), "noise", {})
        one, other, same = embedder.embed(["a parcel", "a refund", "a parcel"], Deadline.after(60)).vectors
    assert len(one) == len(other) == 64
    assert sum(a * a for a in one) == pytest.approx(1)
    assert sum(a * b for a, b in zip(one, same, strict=True)) == pytest.approx(1, abs=1e-3)
