"""Where a URL leads: the same for us as for the library that connects, or refused."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from ci_eval.errors import InputError
from ci_eval.origin import origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.openai.com/v1", ("https", "api.openai.com", 443)),
        ("HTTPS://API.OpenAI.com", ("https", "api.openai.com", 443)),
        ("https://api.openai.com:8443/v1/", ("https", "api.openai.com", 8443)),
        ("https://8.8.8.8/", ("https", "8.8.8.8", 443)),
        ("https://[2001:db8::1]:8443/", ("https", "2001:db8::1", 8443)),
        ("http://localhost:8000/v1", ("http", "localhost", 8000)),
        ("http://127.0.0.1", ("http", "127.0.0.1", 80)),
        ("http://[::1]:8000/v1", ("http", "::1", 8000)),
        ("http://10.1.2.3", ("http", "10.1.2.3", 80)),
        ("http://vllm:8000", ("http", "vllm", 8000)),
        ("http://my_model", ("http", "my_model", 80)),
        ("http://models.prod.svc.cluster.local", ("http", "models.prod.svc.cluster.local", 80)),
    ],
)
def test_what_may_be_called(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "http://8.8.8.8",
        "http://[2001:4860:4860::8888]/",
        "http://localhost.attacker.example",
        "http://internal.example.com",
    ],
)
def test_nothing_goes_over_the_internet_in_the_clear(url: str) -> None:
    with pytest.raises(InputError, match="unencrypted"):
        origin_of(url)


@pytest.mark.parametrize(
    "url",
    ["http://134744072/", "http://0x08080808/", "http://010.8.8.8/", "http://8.8.2056/", "https://1.2.3/", "http://0/"],
)
def test_a_number_that_is_an_address_to_the_resolver_only_is_refused(url: str) -> None:
    """`http://134744072/` connects to 8.8.8.8, and looks like the name of a service."""
    with pytest.raises(InputError):
        origin_of(url)


@pytest.mark.parametrize("url", ["", "api.openai.com", "//api.openai.com", "ftp://a.example", "file:///etc/passwd",
    "https://", "https:///v1", "https://:443", "https://a.example:0", "https://a.example:99999", "https://a.example:x",
    "https://a.example:-1", "https://a:1:2", "https://[::1",
    "https://api.openai.com[::1]", "https://[::1]a.example", "https://a.example:", "https://[zz]/",
    "https://a..example", "https://.example",
    "https://a.example/v1?", "https://a.example/?key=1", "https://a.example/v1#", "https://a.example/a\\b",
    "https://a.example/@b", "https://a.example/a b", "https://a.example/é", "https://a.example/\x7f",
    "https://a%2eexample", "https://a,b", "https://a;b", "https://(a)", "https://*"])  # fmt: skip
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(InputError, match="base_url"):
        origin_of(url)


def test_the_message_says_what_to_write_and_not_what_was_written() -> None:
    with pytest.raises(InputError) as caught:
        origin_of("https://user:hunter2@api.openai.com")
    assert "https://host[:port]/path" in str(caught.value)
    assert "hunter2" not in str(caught.value)


_pieces = st.sampled_from(
    ["http", "https", "HTTP", "://", ":", "/", "//", "a.example", "api.openai.com", "localhost", "127.0.0.1", "[::1]",
     "134744072", "0x7f.1", "%2e", "%", "@", "\\", "?", "#", ":443", ":80", ":0", "..", ".", "user", "xn--a", "é", "。",
     "ⓐ", "\t", "\n", " ", "\x00", "[", "]", ";", "_", "-", "~", "v1"]
)  # fmt: skip
_urls = st.lists(_pieces, max_size=8).map("".join) | st.tuples(
    st.sampled_from(["https://", "http://"]), st.lists(_pieces, max_size=6).map("".join)
).map("".join)


@settings(max_examples=1000)
@given(_urls)
def test_the_library_goes_where_we_think(url: str) -> None:
    """Whatever is let through connects to the scheme, host and port that were read out of it."""
    try:
        scheme, host, port = origin_of(url)
    except InputError:
        return
    prepared = requests.Request("POST", url.rstrip("/") + "/chat").prepare().url
    assert prepared is not None
    seen = parse_url(prepared)
    assert (seen.scheme, (seen.host or "").strip("[]"), seen.port or {"http": 80, "https": 443}[scheme]) == (
        scheme,
        host,
        port,
    )
    assert origin_of(prepared) == (scheme, host, port)
