"""Where a URL really leads, before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ci_eval.errors import InputError

# Letters first: to the resolver `134744072` and `0x8080808` are 8.8.8.8.
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\.?")
_PRIVATE_SUFFIXES = (".internal", ".local", ".localhost", ".svc", ".svc.cluster.local")


def origin_of(url: str) -> tuple[str, str, int]:
    r"""Scheme, host and port of a URL that may be called; raises InputError when two parsers could disagree on it.

    `https://attacker.example\@api.openai.com/` is api.openai.com to `urlsplit` and attacker.example to requests.
    """
    remedy = "write it as https://host[:port]/path (http only for localhost and private names)"
    if (
        not url.isascii()
        or any(char in url for char in "\\@?#")
        or any(ord(char) <= 32 or ord(char) == 127 for char in url)
    ):
        raise InputError(
            "base_url has a user name, a query, a backslash, a blank or a non-ASCII character", remedy=remedy
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError("base_url is not a URL", remedy=remedy) from error
    host = parts.hostname or ""
    address = _address(host)
    shown = f"[{host}]" if ":" in host else host
    # urlsplit finds the host ::1 in `https://api.openai.com[::1]`
    whole = parts.netloc.lower() in {shown, f"{shown}:{port}"}
    if parts.scheme not in {"http", "https"} or not whole or not (address or _NAME.fullmatch(host)) or port == 0:
        raise InputError("base_url needs http or https and a host", remedy=remedy)
    if parts.scheme == "http" and not (address.is_private if address else _is_private(host)):
        raise InputError("base_url would send prompts and keys unencrypted over the internet", remedy=remedy)
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_private(name: str) -> bool:
    return "." not in name or name.endswith(_PRIVATE_SUFFIXES)
