"""Keys and personal data in a text: what has the shape of one and, where it has a checksum, the right one. Pure.

Every pattern takes linear time: its repetitions are bounded, since a model's answer may be made to be slow to search.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, get_args

Kind = Literal["key", "email", "phone", "card", "iban", "ssn", "ip"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PERSONAL: tuple[Kind, ...] = KINDS[1:]
WORDS: Mapping[Kind, str] = {
    "key": "a key",
    "email": "an e-mail address",
    "phone": "a phone number",
    "card": "a card number",
    "iban": "a bank account",
    "ssn": "a social security number",
    "ip": "an IP address",
}


class Finding(NamedTuple):
    """Something of a kind; equal where it is written in another way. The value is never shown."""

    kind: Kind
    value: str


def findings(text: str, kinds: Iterable[Kind] = KINDS) -> Iterator[Finding]:
    """All that is found of some kinds, kind by kind."""
    for kind in kinds:
        yield from (Finding(kind, value) for value in _DETECTORS[kind](text))


# --- keys -------------------------------------------------------------------------------------------------------------

_KEYS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    # OpenAI, Anthropic, Stripe: words with hyphens have no digit
    r"(?:sk|rk)[-_](?:proj-|ant-|svcacct-|live_|test_|or-v1-)?(?=[A-Za-z_-]{0,30}\d)([A-Za-z0-9_-]{20,200})"
    r"|A(?:KIA|SIA)([A-Z0-9]{16})(?![A-Za-z0-9])"  # AWS
    r"|gh[pousr]_([A-Za-z0-9]{36,255})|github_pat_([A-Za-z0-9_]{22,255})"
    r"|AIza([A-Za-z0-9_-]{35})"  # Google
    r"|xox[abeoprs]-([A-Za-z0-9-]{10,200})"  # Slack
    r"|glpat-([A-Za-z0-9_-]{20,200})|npm_([A-Za-z0-9]{36})|pypi-([A-Za-z0-9_-]{50,400})|hf_([A-Za-z0-9]{30,100})"
    r"|SG\.([A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64})"  # SendGrid
    r"|eyJ([A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,1000})"  # JSON Web Token
    r")"
)
_NAMED = re.compile(
    r"(?i)\b(?:api[ _-]?key|access[ _-]?key|secret|token|password|passwd)\b[\"']?\s{0,3}(?::|=|\bis\b)\s{0,3}[\"'`]?"
    r"([A-Za-z0-9_+/=.~-]{16,200})"
)
_PRIVATE = re.compile(r"-----BEGIN ([A-Z ]{0,30}PRIVATE KEY)-----")
_LEAST_BITS = 3.0
"""Of a sign: random letters have more than 4, and words or a placeholder of one sign again and again fewer."""


def _keys(text: str) -> Iterator[str]:
    for match in _KEYS.finditer(text):
        if _is_random(next(body for body in match.groups() if body)):
            yield match.group()
    for match in _NAMED.finditer(text):
        if _is_random(match.group(1)) and any(char.isdigit() for char in match.group(1)):
            yield match.group(1)
    yield from (match.group(1) for match in _PRIVATE.finditer(text))


def _is_random(body: str) -> bool:
    counts = Counter(body).values()
    return -sum(count / len(body) * math.log2(count / len(body)) for count in counts) >= _LEAST_BITS


# --- personal data ----------------------------------------------------------------------------------------------------

_LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u052f"
"""Latin, Greek and Cyrillic ones; scripts without blanks would take the sentence around an address into it."""
_EMAIL = re.compile(
    rf"(?<![{_LETTER}0-9._%+-])[{_LETTER}0-9._%+-]{{1,64}}"
    rf"@((?:[{_LETTER}0-9](?:[{_LETTER}0-9-]{{0,62}})\.){{1,8}}[{_LETTER}]{{2,24}})(?![{_LETTER}0-9])"
)
_PHONE = re.compile(
    r"(?<![\w.+])(?:"
    r"\+(?!\d{1,3}\.\d{4,7}(?!\d))[1-9](?:[ ()./-]{0,2}\d){7,14}"  # not a coordinate
    r"|(?<!\d )(?<!-)00[1-9]\d{0,2}[ /](?:[ ()./-]{0,2}\d){6,12}"
    r"|(?:1[ .-])?(?:\([2-9]\d\d\)[ .-]{0,2}|[2-9]\d\d[.-][ .-]?)[2-9]\d\d[ .-]\d{4}"
    r"|(?<!\d )(?:1[ .-])?[2-9]\d\d [ .-]?[2-9]\d\d[ .-]\d{4}(?! \d)"  # not a list of numbers
    r")(?!\w|[.-]\d)"
)
_NEAR_PHONE = re.compile(
    r"(?i)\b(?:tel|phone|call|mobil|handy|cell|fax|whatsapp|telefon|t\u00e9l)\w{0,8}[^\w+]{0,8}(?:(?:is|at|number|no)\W{0,2}){0,2}"
    r"(\(?0(?:[ ()./-]{0,3}\d){7,13})(?!\d)"
)
_CARD = re.compile(
    r"(?<![\w.-])(?<!\d{4} )(?:[2-6]\d{12,18}|[2-6](?:[ -]\d){13,18}"
    r"|[2-6]\d{3}([ -])(?:\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{6}\1\d{4,5}))(?![\w-]| \d{4}(?!\d))"
)
"""As cards are printed, or spelt out: of other numbers in a row, one in ten would have a right check digit."""
_ISSUED = re.compile(
    r"2[2-7]\d{14}|3(?:0[0-59]|[689]\d)\d{11}|3[47]\d{13}|35\d{14}|4\d{15}(?:\d{3})?|5[0-8]\d{14}|6\d{15}|62\d{15,17}"
)
"""What the numbers of each network begin with, and how long they are."""
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ -]{0,2}[A-Z0-9]){11,30}")
_SMALL_IBAN = re.compile(r"(?<![A-Za-z0-9])[a-z]{2}\d\d(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,3})?(?![A-Za-z0-9])")
"""In small letters it has to end where its country's do: words and hashes look much the same."""
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")
_NEAR_SSN = re.compile(
    r"(?i)\b(?:ssn|social security)(?:\W{1,3}(?:number|no|is)){0,2}\W{1,4}"
    r"((?!000|666|9)\d{3} (?!00)\d\d (?!0000)\d{4})(?![\w-])"
)
"""With blanks it is any three numbers, unless it is called one."""
_IPV4 = re.compile(r"(?<![\w.])(?<!version )(?<![A-Za-z]/)(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![\w:])")

_ASSIGNED = ipaddress.ip_network("2000::/3")
"""All that is in use of the newer addresses; `10::4` is a time, a ratio or a name of C++."""

# How long an account number is in each country, ISO 13616.
_COUNTRIES: Mapping[int, str] = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
_IBAN_LENGTHS = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}


def _emails(text: str) -> Iterator[str]:
    yield from (match.group().lower() for match in _EMAIL.finditer(text))


def _phones(text: str) -> Iterator[str]:
    yield from map(_digits, _whole_and_named(_PHONE, _NEAR_PHONE, text))


def _cards(text: str) -> Iterator[str]:
    numbers = (_digits(match.group()) for match in _CARD.finditer(text))
    yield from (number for number in numbers if _ISSUED.fullmatch(number) and luhn(number))


def _ibans(text: str) -> Iterator[str]:
    for match in _IBAN.finditer(text):
        joined = _joined(match.group())
        account = joined[: _IBAN_LENGTHS.get(joined[:2], 0)]  # words in capitals may follow
        if account and mod97(account):
            yield account
    yield from filter(mod97, (_joined(match.group()).upper() for match in _SMALL_IBAN.finditer(text)))


def _joined(account: str) -> str:
    return account.replace(" ", "").replace("-", "")


def _ssns(text: str) -> Iterator[str]:
    yield from map(_digits, _whole_and_named(_SSN, _NEAR_SSN, text))


def _ips(text: str) -> Iterator[str]:
    """Addresses of the internet: those of a home, a machine itself or an example say nothing of anybody."""
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        try:
            address = ipaddress.ip_address(match.group())
        except ValueError:
            continue
        if address.is_global and (address.version == 4 or address in _ASSIGNED):
            yield str(address)


def _whole_and_named(whole: re.Pattern[str], named: re.Pattern[str], text: str) -> Iterator[str]:
    """What has the shape of a number by itself, and what is called one."""
    yield from (match.group() for match in whole.finditer(text))
    yield from (match.group(1) for match in named.finditer(text))


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def luhn(number: str) -> bool:
    """Whether a card number has the right check digit (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (sum(map(int, number[::-2])) + sum(doubled)) % 10 == 0


def mod97(account: str) -> bool:
    """Whether an account number has its country's length and the right check digits (ISO 13616)."""
    moved = account[4:] + account[:4]
    return (
        _IBAN_LENGTHS.get(account[:2]) == len(account) and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
    )


_DETECTORS: Mapping[Kind, Callable[[str], Iterator[str]]] = {
    "key": _keys,
    "email": _emails,
    "phone": _phones,
    "card": _cards,
    "iban": _ibans,
    "ssn": _ssns,
    "ip": _ips,
}
