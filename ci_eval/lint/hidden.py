"""Characters that are in a text and not seen in it. Pure."""

from __future__ import annotations

import re
import unicodedata

from ci_eval.text import visible

_USED = [
    re.compile("\U0001f3f4[\U000e0061-\U000e007a]{5}\U000e007f"),  # the flags of England, Scotland and Wales
    re.compile("(?<![^\\W\\d_])(?<![\\s\ufe0e\ufe0f])[\ufe0e\ufe0f]"),  # a sign shown as text or as an emoji
    re.compile("(?<=[^\x00-\u0590\\s])[\u200c\u200d](?=[^\x00-\u0590\\s])"),  # within emoji, and in Arabic and Indic
]
_DIRECTION_MARKS = re.compile("[\u200e\u200f\u061c]")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def hidden(text: str) -> list[str]:
    """Each once, as U+200B; without those that a script or an emoji is written with.

    What Unicode has assigned after this Python was made is shown, where there is a font for it.
    """
    if text.isascii() and text.isprintable():
        return []
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text if char != "\u200f"):
        text = _DIRECTION_MARKS.sub("", text)
    for used in _USED:
        text = used.sub("", text)
    unseen = dict.fromkeys(char for char in text if not visible(char) and unicodedata.category(char) != "Cn")
    return [f"U+{ord(char):04X}" for char in unseen]
