"""Server-sent events, the format of streamed answers, read when all of them are here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ci_eval.providers.base import ProviderError
from ci_eval.providers.shape import object_in
from ci_eval.reader import decode

_LINE_END = re.compile("\r\n|\n|\r")


def data_of(body: bytes) -> Iterator[str]:
    """The data of each event, in order; raises InputError for a body that is not UTF-8.

    An event that the end of the body cuts off is handed out as well: it is whole to its reader or no JSON.
    """
    gathered: list[str] = []
    for line in _LINE_END.split(decode(body.removeprefix(b"\xef\xbb\xbf"), "")):
        if not line and gathered:
            yield "\n".join(gathered)
            gathered = []
        field, _, value = line.partition(":")
        if field == "data":
            gathered.append(value.removeprefix(" "))
    if gathered:
        yield "\n".join(gathered)


def objects_of(body: bytes, *, until: str | None = None) -> Iterator[Mapping[str, Any]]:
    """The JSON object of each event; `until` is the data that ends the stream, which has to come.

    Raises InputError or MisshapenError, and ProviderError for an error in the middle of the stream.
    """
    for data in data_of(body):
        if data == until:
            return
        found = object_in(data.encode())
        if found.get("error") is not None:
            raise ProviderError("the provider broke off its answer with an error")
        yield found
    if until is not None:
        raise cut_off()


def cut_off() -> ProviderError:
    """A stream without its end: half an answer is none."""
    return ProviderError("a stream that broke off before its end")
