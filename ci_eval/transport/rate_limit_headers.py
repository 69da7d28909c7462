"""`Retry-After` and rate-limit headers: how long a server asks to be left alone. What cannot be read is ignored."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ci_eval.transport.pacing import Advice

_LONGEST = 3600.0
_KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_COUNT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION = re.compile("".join(f"(?:({_COUNT}){unit})?" for unit in ("d", "h", "m(?!s)", "s", "ms")))
_PARTS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)


def advice(headers: Mapping[str, str], now: datetime, *, refused: bool) -> Advice:
    """How long the server asks to be left alone. `headers` is a mapping that ignores the case of names.

    `refused`: the answer is a refusal, whose `retry-after` counts first. Otherwise there is a pause only where a limit
    has no room left (`remaining` is 0): until its `reset`.
    """
    if refused:
        asked = _retry_after(headers, now)
        if asked:
            return asked
    pause = max(_resets(headers, now), default=0.0)
    return Advice(pause, rough=refused and pause > 0 and pause.is_integer())


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `retry-after-ms` or `retry-after` names; None without one."""
    found = _retry_after(headers, now)
    return found.pause if found else None


def _retry_after(headers: Mapping[str, str], now: datetime) -> Advice | None:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _within(milliseconds / 1000)
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return _within(seconds, rough="." not in text)
    moment = _http_date(text)
    if moment is None:
        return None
    # By the server's own clock, where it tells it; both count whole seconds.
    return _within((moment - (_http_date(headers.get("date", "")) or now)).total_seconds(), rough=True)


def _within(seconds: float, *, rough: bool = False) -> Advice:
    return Advice(min(max(0.0, seconds), _LONGEST), rough)


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[float]:
    """Seconds until each limit that is used up has room again."""
    for kind in _KINDS:
        for form in (f"x-ratelimit-{{}}-{kind}", f"anthropic-ratelimit-{kind}-{{}}"):
            remaining, reset = (headers.get(form.replace("{}", word), "") for word in ("remaining", "reset"))
            if _number(remaining) == 0:
                yield min(max(0.0, _seconds(reset, now) or 0.0), _LONGEST)


def _seconds(reset: str, now: datetime) -> float | None:
    """`6m0s` and `20ms` as OpenAI writes them, a time as Anthropic does, or plain seconds."""
    reset = reset.strip()
    number = _number(reset)
    if number is not None:
        return number
    duration = _DURATION.fullmatch(reset)
    if reset and duration:
        return sum(float(part) * unit for part, unit in zip(duration.groups(), _PARTS, strict=True) if part)
    try:
        moment = datetime.fromisoformat(reset)
    except (ValueError, OverflowError):
        return None
    return (moment - now).total_seconds() if moment.tzinfo else None


def _number(text: str) -> float | None:
    found = _NUMBER.fullmatch(text.strip())
    number = float(found.group()) if found else math.nan
    return number if math.isfinite(number) else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):  # whichever way the library's parser stumbles
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
