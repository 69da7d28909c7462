"""Row 99: a key that a model, a proxy or a service repeats is taken out before anything is written."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.providers.base import Message, Reply, Request, ToolCall
from ci_eval.providers.redacted import RedactedProvider
from ci_eval.secrets import Secret, redactor, take
from ci_eval.text import JSON, Untrusted

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60)
ANY = st.binary(max_size=20)


def cleaned(key: str, text: str) -> str:
    redact = redactor([Secret(key)])
    assert redact is not None
    return redact(text)


@given(KEYS, st.text(max_size=20), st.text(max_size=20))
def test_99_as_it_is_in_a_url_and_in_json(key: str, before: str, after: str) -> None:
    assert key not in cleaned(key, before + key + after)
    assert key not in unquote(cleaned(key, before + quote(key, safe="") + after))
    shown = cleaned(key, json.dumps({"said": before + key + after}))
    assert json.dumps(key)[1:-1] not in shown


@given(KEYS, ANY, ANY)
def test_99_in_base64_at_any_place(key: str, before: bytes, after: bytes) -> None:
    for encode, decode in ((base64.b64encode, base64.b64decode), (base64.urlsafe_b64encode, base64.urlsafe_b64decode)):
        shown = cleaned(key, encode(before + key.encode() + after).decode())
        assert "[a key was here]" in shown
        left = "".join(char for char in shown.replace("[a key was here]", "") if char.isalnum() or char in "+/-_")
        assert key.encode() not in decode(left + "=" * (-len(left) % 4) if len(left) % 4 != 1 else left[:-1])


def test_99_texts_without_the_key_stay_as_they_are() -> None:
    assert cleaned("sk-a1b2c3d4", "sk-a1b2 is a beginning, and so is sk-") == "sk-a1b2 is a beginning, and so is sk-"
    assert redactor([]) is None


def test_99_a_text_too_short_for_a_key_is_refused() -> None:
    with pytest.raises(InputError, match="too short for a key"):
        take({"HOUSE_KEY": "abc"}, ["HOUSE_KEY"])


class Echo:
    """Repeats what it was given wherever a reply has room for it."""

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002
        said = request.messages[0].content
        steps: JSON = {"tool": said, said: [said, 1, None, {"deep": said}]}
        call = ToolCall(Untrusted(said), Untrusted(json.dumps({"key": said})))
        return Reply(Untrusted(f"I was given {said}."), "stop", tool_calls=(call,), steps=(Untrusted(steps),))

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002
        return True


def test_99_nothing_of_a_reply_holds_it() -> None:

    key = "sk-proj-0123456789"
    redact = redactor([Secret(key), Secret("another-key")])
    assert redact is not None
    provider = RedactedProvider(Echo(), redact)
    reply = provider.complete(Request("p", "m", (Message("user", key),)), 0, Deadline.after(1))

    everything = [reply.text.text(), *(step.text() for step in reply.steps)]
    everything += [part.text() for call in reply.tool_calls for part in (call.name, call.arguments)]
    assert not any(key in text for text in everything)
    assert reply.text.text() == "I was given [a key was here]."
    assert provider.is_deterministic(Request("p", "m", ()))
