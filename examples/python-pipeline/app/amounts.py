"""Sums of money as people write them."""

import re

CURRENCIES = {"€": "EUR", "EUR": "EUR", "$": "USD", "USD": "USD", "£": "GBP", "GBP": "GBP", "CHF": "CHF"}


def amount(text):
    """1.234,50 € and 1,234.50 and 1'234.50 are the same; the last sign before two digits is the decimal one."""
    digits = re.sub(r"[^0-9.,]", "", text)
    whole, cents = re.fullmatch(r"(.*?)(?:[.,](\d{2}))?", digits).groups()
    return float(f"{re.sub(r'[.,]', '', whole)}.{cents or '00'}")


def currency(text):
    return next(name for sign, name in CURRENCIES.items() if sign in text)
