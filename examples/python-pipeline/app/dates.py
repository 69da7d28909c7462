"""Dates as people write them: 2026-03-12, 12.03.2026 or 12/03/2026."""

import re


def iso(text):
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    year, month, day = numbers if numbers[0] > 31 else numbers[::-1]
    return f"{year:04}-{month:02}-{day:02}"
