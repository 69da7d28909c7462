"""Values that have the shape of personal data and are nobody's: of documentation, of test systems, made up. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from ci_eval.golden.personal import Finding, Kind


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_EXAMPLE_DOMAIN = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost)$")
"""RFC 2606 and RFC 6761."""
_FILE_NAME = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|avif|css|js|json|txt|pdf|t?gz)$")  # icon@2x.png, pkg@v2.tgz
_ROLES = _set(
    """abuse accounting admin billing careers compliance contact customerservice datenschutz dpo feedback git hallo
    hello help helpdesk info jobs legal marketing newsletter no-reply noreply notifications office orders postmaster
    press privacy returns sales security service shop support team webmaster"""
)
"""What stands before the @ of a desk, not of a person."""

_UNASSIGNED_PHONE = re.compile(
    r"1?(?:\d{3})?55501\d\d"  # kept free for fiction in North America
    r"|(?:44|0)(?:7700900|2079460|1632960)\d{3}"  # and in the United Kingdom
    r"|\d*(?:1234567|7654321|(\d)\1{5})\d*"
)
_ZEROS = "000000"
_TEST_CARDS = _set(
    """3056930009020004 30569309025904 3566002020360505 36227206271667 371449635398431 378282246310005 38520000023237
    4012888888881881 4111111111111111 4242424242424242 5105105105105100 5200828282828210 5454545454545454
    5555555555554444 6011000990139424 6011111111111117"""
)
"""Of payment providers' sandboxes, which refuse them anywhere else."""
_SAMPLE_ACCOUNTS = _set(
    """AT611904300234573201 BE68539007547034 CH9300762011623852957 DE89370400440532013000 DK5000400440116243
    ES9121000418450200051332 FI2112345600000785 FR1420041010050500013M02606 GB29NWBK60161331926819
    GB82WEST12345698765432 IE29AIBK93115212345678 IT60X0542811101000000123456 NL91ABNA0417164300 NO9386011117947
    PL61109010140000071219812874 PT50000201231234567890154 SE4550000000058398257466"""
)
"""Of the register of account numbers, as its example of each country."""
_SAMPLE_SSNS = frozenset({"078051120", "219099999", "123456789"})
_RESOLVERS = frozenset({"1.0.0.1", "1.1.1.1", "8.8.4.4", "8.8.8.8", "9.9.9.9"})
_VERSION_PARTS = 32


def is_nobodys(found: Finding) -> bool:
    """Whether a value can be told to belong to nobody."""
    return _NOBODYS[found.kind](found.value)


def _email(address: str) -> bool:
    name, _, domain = address.partition("@")
    return bool(name in _ROLES or _EXAMPLE_DOMAIN.search(domain) or _FILE_NAME.search(domain))


def _card(number: str) -> bool:
    return number in _TEST_CARDS or _ZEROS in number


def _ip(address: str) -> bool:
    """The servers that everybody names; and four small numbers, which are a version."""
    if address in _RESOLVERS:
        return True
    parsed = ipaddress.ip_address(address)
    return parsed.version == 4 and all(part < _VERSION_PARTS for part in parsed.packed)


_NOBODYS: Mapping[Kind, Callable[[str], bool]] = {
    "key": lambda key: "example" in key.lower(),
    "email": _email,
    "phone": lambda number: bool(_UNASSIGNED_PHONE.fullmatch(number)),
    "card": _card,
    "iban": lambda account: account in _SAMPLE_ACCOUNTS,
    "ssn": lambda number: number in _SAMPLE_SSNS,
    "ip": _ip,
}
