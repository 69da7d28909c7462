"""Personal data in the rows that are kept: golden cases, few-shot examples, fine-tune datasets. Pure.

Stricter about its shape than a look at an answer (`leak`): whoever is told has to correct a file. So what is nobody's
is passed over, and so is a number that is called an order, an article or a version right before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ci_eval.errors import InputError
from ci_eval.golden.personal import WORDS, Finding, Kind, findings
from ci_eval.golden.plain import plain
from ci_eval.golden.published import is_nobodys
from ci_eval.reader import Document
from ci_eval.text import JSON

_MAY_HOLD = re.compile(r"[\d@]|KEY-----")
_ESCAPED_BLANK = re.compile(r"\\[nrt]")
"""In a text that is JSON itself, a word would seem to go on behind it."""
_LABELLED = re.compile(
    r"(?i)(?<![A-Za-z])(?:article|artikel|auftrag|batch|bestell|bestellung|booking|buchung|build|case|charge|claim"
    r"|contract|ean|firmware|gtin|imei|invoice|isbn|item|model|order|parcel|part|policy|product|receipt|rechnung|ref"
    r"|reference|release|reservation|sendung|serial|shipment|sku|ticket|tracking|transaction|upc|ver|version|vorgang)s?"
    r"[ _-]?(?:number|nummer|code|no|nr|num|id)?(?:[^\w+]{1,3}(?:is|was|ist|war)\b)?[^\w+]{0,4}(?=\d)"
)
_EDGE, _LEAST_FOR_EDGES = 2, 9

REMEDIES: Mapping[Kind, str] = {
    "key": "take it out and revoke it, since git keeps it; a placeholder of one letter again and again is no key",
    "email": "write an address at example.com",
    "phone": "write a number that is kept free, as +1 555 555 0100",
    "card": "write a test number, as 4111 1111 1111 1111",
    "iban": "write the register's example, as DE89 3704 0044 0532 0130 00",
    "ssn": "write one that nobody has, as 000-12-3456",
    "ip": "write an address of documentation, as 192.0.2.1",
}


def screened(value: JSON) -> list[Finding]:
    """What a row holds of somebody's, under whichever key: each value once."""
    texts = (text for text in map(plain, _texts(value)) if _MAY_HOLD.search(text))
    found = (one for text in texts for one in findings(_with_marked_numbers(text)) if not is_nobodys(one))
    return list(dict.fromkeys(found))


def _with_marked_numbers(text: str) -> str:
    """A number with a letter right before it is none to the detectors."""
    return _LABELLED.sub(r"\g<0>x", _ESCAPED_BLANK.sub(" ", text))


def _texts(value: JSON, key: str = "") -> Iterator[str]:
    """Each text with its key before it, which may say what it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name)
            if not _is_text(item):
                yield name
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
    elif _is_text(value):
        yield f"{key}: {value}" if key else str(value)


def _is_text(value: JSON) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def named(found: Finding) -> str:
    """What it is, with so much of it that whoever knows the row finds it, and nobody else learns it.

    >>> named(Finding("email", "anna.berg@mail.net"))
    'an e-mail address (an…et)'
    """
    value = found.value
    short = len(value) < _LEAST_FOR_EDGES
    return f"{WORDS[found.kind]} ({value[:1]}…)" if short else f"{WORDS[found.kind]} ({value[:_EDGE]}…{value[-_EDGE:]})"


def refuse(rows: Iterable[Document]) -> None:
    """Raises InputError at the first row that holds personal data."""
    for row in rows:
        for found in screened(row.value):
            raise InputError(named(found), remedy=REMEDIES[found.kind], file=row.file, line=row.first_line)
