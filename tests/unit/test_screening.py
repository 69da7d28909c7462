"""Personal data in rows that are kept: what is somebody's, what only looks like it, and what is never shown."""

from __future__ import annotations

import json
import string
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.errors import InputError
from ci_eval.golden.personal import KINDS, Finding, Kind, luhn, mod97
from ci_eval.golden.published import _SAMPLE_ACCOUNTS, _TEST_CARDS, is_nobodys
from ci_eval.golden.screening import REMEDIES, named, refuse, screened
from ci_eval.reader import Document

CARD = "4539 5787 6362 1486"
"""Of nobody that we know: made up, with the right check digit."""
ACCOUNT = "DE02 1203 0000 0000 2020 51"
KEY = "sk-" + "proj-a1B2c3D4e5F6g7H8i9J0k1L2"


def kinds(value: Any) -> list[Kind]:
    return [found.kind for found in screened(value)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I am anna.berg@gmx.net, help me", "email"),
        ("Anna.Berg@shop-example.com", "email"),
        ("write to support-anna@parcels.de", "email"),
        ("+49 171 9302415", "phone"),
        ("my phone is 0171 930 24 15", "phone"),
        ("(415) 867-5309", "phone"),
        (CARD, "card"),
        ("order 17, card " + CARD, "card"),
        ("3714 496353 98001", "card"),
        (" ".join(CARD.replace(" ", "")), "card"),
        ("6212 3412 3412 3412 346", "card"),
        (ACCOUNT, "iban"),
        ("402-58-1937", "ssn"),
        ("85.214.132.117", "ip"),
        ("2a01:4f8:c17:b0f::2", "ip"),
        (KEY, "key"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "key"),
        ("jörg.müller@bücher.de", "email"),
        ("иван@почта.рф", "email"),
        ("写信给anna.berg@gmx.net谢谢", "email"),
        ("0049 171 9302415", "phone"),
        ('"Telefonnummer": "0171 9302415"', "phone"),
        ("(415)867-5309", "phone"),
        ("my SSN is 402 58 1937", "ssn"),
        (ACCOUNT.lower(), "iban"),
        (ACCOUNT.replace(" ", "-"), "iban"),
    ],
)
def test_what_is_somebodys_is_found_wherever_it_stands(text: str, kind: Kind) -> None:
    rows: list[Any] = [
        text,
        {"id": "a", "input": text},
        {"messages": [{"role": "user", "content": text}]},
        {"input": {"deep": [[{"er": text}]]}},
        {"input": json.dumps({"mail": f"Hello,\n{text}\nBye"})},
        {"human": {text: {"a": 1}}},
        {"input": "\u200b".join(text)},
    ]
    assert [kinds(row) for row in rows] == [[kind]] * len(rows)


HYPHENS, BLANKS = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "\u00a0\u2007\u2009\u202f\u3000"
WIDE = {code: code + 0xFEE0 for code in range(ord("!"), ord("~"))}
ARABIC = {ord("0") + digit: 0x0660 + digit for digit in range(10)}


@pytest.mark.parametrize(
    "text", [CARD, ACCOUNT, "+49 171-930-2415", "(415) 867-5309", "402-58-1937", "anna.berg@gmx.net"]
)
def test_it_is_found_however_its_signs_are_written(text: str) -> None:
    """As models write them, web pages, and editors that mean well."""
    rows = [
        *(text.replace("-", hyphen) for hyphen in HYPHENS),
        *(text.replace(" ", blank) for blank in BLANKS),
        text.replace(" ", "&nbsp;").replace("@", "&#64;").replace("-", "&#x2d;").replace("+", "&plus;"),
        text.replace("@", "&commat;").replace("+", "&#43;"),
        text.replace("@", "%40").replace("+", "%2B"),
        text.replace("@", "\\u0040").replace("+", "\\\\u002b"),
        text.translate(WIDE),
        text.translate(ARABIC),
    ]
    assert [screened(row) for row in rows] == [screened(text)] * len(rows)


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, [None]])
def test_a_key_is_read_whatever_its_value_is(value: Any) -> None:
    assert kinds({"expected": {"anna.berg@gmx.net": value}}) == ["email"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"phone": "0171 930 24 15"}, "phone"),
        ({"card": 4539578763621486}, "card"),
        ({"customer": {"api_key": "q8Zx71LmW0vTn4Rk2Yp9"}}, "key"),
        ({"anna.berg@gmx.net": {"orders": 3}}, "email"),
    ],
)
def test_a_key_says_what_its_value_is(row: dict[str, Any], kind: Kind) -> None:
    assert kinds(row) == [kind]


NOBODYS = [
    "write to anna@example.com, ben@mail.example.org or c@shop.test",
    "help@parcels.de, no-reply@bank.com and git@github.com:team/repo.git",
    "logo@2x.png",
    "order 4539578763621486",
    "Order number: 4539 5787 6362 1486",
    "Bestellnummer 4539578763621486",
    "my order is 4539578763621486, no: Rechnungsnummer: 4539578763621486",
    "the serial number was 4539578763621486; orders 4539578763621486",
    "tracking no. 402-58-1937",
    "ticket #415-867-5309",
    "firmware 85.214.132.117",
    "since 4.18.2.1 it crashes, and with 2.4.11.7 too",
    "2026-05-04 08:30:15, 04.05.2026, 20260504083015",
    "4006381333931",
    "978-3-16-148410-0",
    "test card 4242 4242 4242 4242, declined 4000 0000 0000 9995",
    "+1 415 555 0123, 555-555-0100, +44 7700 900123",
    "+49 171 1234567 and +1 000 000 0000",
    "DE89 3704 0044 0532 0130 00",
    "078-05-1120",
    "ping 8.8.8.8 or 192.0.2.1",
    "AKIAIOSFODNN7EXAMPLE",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "3.14159265358979 and 1,234,567 pieces for $12.50",
    "batch sizes 128 256 512 1024 2048 and 100 20 3000",
    "at +48.137154, +11.576124",
    "Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36",
    "3::4, 10:20:30::40 and Cafe::Bad",
    "pkg@v1.2.3.tgz",
    "m² 5³ ½ ①②③④⑤⑥⑦⑧⑨",
    "de12 with a few words that are none",
    "000049171930241 and 0049171930",
    "PO-0054-3172-2463",
    "2324 2247 1245 2607 1872",
    "658-7951052-9416595 and 302-1234567-1234567",
    "671927608304611708",
]


@pytest.mark.parametrize("text", NOBODYS)
def test_what_is_nobodys_or_no_personal_data_is_not_told(text: str) -> None:
    assert screened({"id": "a", "input": text}) == []


@pytest.mark.parametrize("key", ["order_id", "orderNumber", "invoice no", "customer_order_id", "sku"])
def test_a_number_whose_key_calls_it_an_order_is_one(key: str) -> None:
    assert screened({key: "4539578763621486"}) == screened({key: 4539578763621486}) == []


def test_published_numbers_are_ones_that_would_be_found() -> None:
    """Else they would not have to be listed."""
    assert all(luhn(card) for card in _TEST_CARDS)
    assert all(mod97(account) for account in _SAMPLE_ACCOUNTS)


@given(st.text(string.ascii_lowercase, min_size=1, max_size=12), st.sampled_from(["com", "net", "org"]))
def test_every_address_below_an_example_domain_is_nobodys(name: str, top: str) -> None:
    assert is_nobodys(Finding("email", f"{name}@example.{top}"))
    assert is_nobodys(Finding("email", f"{name}@{name}.example.{top}"))
    assert not is_nobodys(Finding("email", f"x.{name}@{name}example.{top}"))


@given(st.sampled_from(KINDS), st.text(min_size=5, max_size=80))
def test_no_more_than_four_characters_of_a_value_are_shown(kind: Kind, value: str) -> None:
    shown = named(Finding(kind, value)).partition("(")[2].removesuffix(")")
    head, _, tail = shown.partition("…")
    assert len(head) + len(tail) <= 4 < len(value)


Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(NOBODYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(Values, st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=5) | st.just(0), max_size=5))
def test_any_row_can_be_looked_through_and_hides_nothing(value: Any, path: list[str | int]) -> None:
    row: Any = [{"before": value}, "anna.berg@gmx.net"]
    for step in path:
        row = [row] if isinstance(step, int) else {step: row}
    assert Finding("email", "anna.berg@gmx.net") in screened(row)


def test_the_first_row_with_personal_data_is_refused_with_its_line() -> None:
    rows = [Document("g.jsonl", {"input": "fine"}, 3), Document("g.jsonl", {"input": "anna.berg@gmx.net"}, 7)]
    with pytest.raises(InputError) as caught:
        refuse(rows)
    assert str(caught.value) == "g.jsonl:7: an e-mail address (an…et); write an address at example.com"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_said_to_write_instead_is_not_told_again(kind: Kind) -> None:
    assert screened(REMEDIES[kind]) == []
