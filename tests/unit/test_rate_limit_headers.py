"""Headers of limits, as the APIs write them and as nobody should."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_eval.transport.pacing import Advice
from ci_eval.transport.rate_limit_headers import advice, retry_after

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)


def of_refusal(**headers: str) -> Advice:
    return advice({name.replace("_", "-"): value for name, value in headers.items()}, NOW, refused=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry_after": "20"}, Advice(20.0, rough=True)),
        ({"retry_after": " 1.5 "}, Advice(1.5)),
        ({"retry_after_ms": "350", "retry_after": "1"}, Advice(0.35)),
        ({"retry_after": "Mon, 04 May 2026 08:30:20 GMT"}, Advice(20.0, rough=True)),
        ({"retry_after": "Mon, 04 May 2026 08:29:00 GMT"}, Advice(0.0, rough=True)),
        ({"retry_after": "999999999999"}, Advice(3600.0, rough=True)),
        ({"retry_after": "soon"}, Advice()),
        ({"retry_after": "-1"}, Advice()),
        ({"retry_after": "٣"}, Advice()),
        ({"retry_after": "1e9"}, Advice()),
        ({"retry_after": "9" * 5000}, Advice()),
        ({"retry_after": "Mon, 99 May 2026 08:30:20 GMT"}, Advice()),
        ({"retry_after": "Mon, 04 May 99999999999999999999 08:30:20 GMT"}, Advice()),
        ({"retry_after": "Mon, 04 May 2026 08:30:20 +99999999999999999999"}, Advice()),
        ({}, Advice()),
    ],
)
def test_a_refusal(headers: dict[str, str], expected: Advice) -> None:
    assert of_refusal(**headers) == expected


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3600.0),
        ("59m1s", 3541.0),
        ("2.5", 2.5),
        ("2026-05-04T08:30:07Z", 7.0),
        ("2026-05-04T08:29:07Z", 0.0),
        ("2026-05-04T08:30:07", 0.0),  # of no time zone: of no moment
        ("", 0.0),
        ("5x", 0.0),
        ("-1s", 0.0),
    ],
)
def test_the_last_answer_of_a_limit(reset: str, seconds: float) -> None:
    for kind in ("requests", "tokens"):
        openai = {f"x-ratelimit-remaining-{kind}": "0", f"x-ratelimit-reset-{kind}": reset}
        anthropic = {f"anthropic-ratelimit-{kind}-remaining": "0", f"anthropic-ratelimit-{kind}-reset": reset}
        assert advice(openai, NOW, refused=False) == Advice(seconds)
        assert advice(anthropic, NOW, refused=False) == Advice(seconds)


def test_where_something_is_left_nobody_waits() -> None:
    headers = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "60s"}
    assert advice(headers, NOW, refused=False) == Advice()


def test_of_several_limits_the_longest_counts() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2.5s"}
    headers |= {"anthropic-ratelimit-output-tokens-remaining": "0", "anthropic-ratelimit-output-tokens-reset": "3.5"}
    assert advice(headers, NOW, refused=False) == Advice(3.5)


def test_an_error_names_its_pause_or_none() -> None:
    assert retry_after({"retry-after": "7"}, NOW) == 7.0
    assert retry_after({"retry-after": "never"}, NOW) is None


_WORDS = "Mon, 04 May 2026 08:30:20 GMT -0000 +9999 -99999999999999999999 99999999999999999999 9999-12-31T24:00Z 0 : -"
_DATES = st.lists(st.sampled_from(_WORDS.split()) | st.text(max_size=3), max_size=9).map(" ".join)
_DATE = "Mon, 04 May 2026 08:30:20 GMT"


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-reset-tokens",
                                        "anthropic-ratelimit-tokens-reset"]),
                       st.text() | _DATES), st.booleans())  # fmt: skip
@example({"retry-after": _DATE, "date": "Mon, 04 May 99999999999999999999 08:30:20 GMT"}, True)
def test_whatever_a_server_writes_is_read_or_left(headers: dict[str, str], refused: bool) -> None:
    used_up = {"x-ratelimit-remaining-tokens": "0", "anthropic-ratelimit-tokens-remaining": "0"}
    assert 0 <= advice({**used_up, **headers}, NOW, refused=refused).pause <= 3600
    assert 0 <= (retry_after(headers, NOW) or 0) <= 3600
