"""Where a URL really leads, before anything is sent there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ci_eval.errors import InputError

_PRIVATE_SUFFIXES = (".internal", ".local", ".localhost", ".svc", ".svc.cluster.local")


def origin_of(url: str) -> tuple[str, str, int]:
    r"""Scheme, host and port of a URL that may be called; raises InputError when two parsers could disagree on it.

    `https://attacker.example\@api.openai.com/` is api.openai.com to `urlsplit` and attacker.example to requests.
    """
    remedy = "write it as https://host[:port]/path (http only for localhost and private names)"
    if (
        not url.isascii()
        or any(char in url for char in "\\@")
        or any(ord(char) <= 32 or ord(char) == 127 for char in url)
    ):
        raise InputError("base_url has a user name, a backslash, a blank or a non-ASCII character", remedy=remedy)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError("base_url is not a URL", remedy=remedy) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise InputError("base_url needs http or https, a host, and neither query nor fragment", remedy=remedy)
    if parts.scheme == "http" and "." in parts.hostname and not _is_private(parts.hostname):
        raise InputError("base_url would send prompts and keys unencrypted over the internet", remedy=remedy)
    return parts.scheme, parts.hostname.lower(), port or (443 if parts.scheme == "https" else 80)


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host.endswith(_PRIVATE_SUFFIXES)
