"""Marks inside a text that is being cleaned: noncharacters of Unicode, which no text holds."""

from __future__ import annotations

import re

END = "\ufdd1"
"""Ends the anchor that :func:`start` began."""
GAP = "\ufdd2"
"""Something that is not shown stood here: a template, a reference, an image."""
BREAK = "\ufdd3"
"""A line ends here, whatever stands around it."""
ITEM = "\ufdd4"
"""Begins an item of a list: a line of its own."""
_HEADINGS = "\ufdd5\ufdd6\ufdd7\ufdd8\ufdd9\ufdda"
MOST_ANCHORS = 65_000
"""Anchors of one page that are kept; each has a private mark."""
_FIRST = 0xF0000
STARTS = f"[{chr(_FIRST)}-{chr(_FIRST + MOST_ANCHORS)}]"
"""A pattern for any start."""
INVISIBLE = rf"(?:{STARTS}|{END}|{GAP})"
"""A pattern for marks that take no room."""
_NEVER = re.compile("[\ufdd0-\ufdef\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_MARKUP = "'[]{}|<>_-*#:;=!"
_PROTECT = {ord(sign): chr(0x100000 + n) for n, sign in enumerate(_MARKUP)}
_RESTORE = {0x100000 + n: sign for n, sign in enumerate(_MARKUP)}


def unmarked(text: str) -> str:
    """A text without the characters that are used as marks: noncharacters, and the private ones of planes 15, 16."""
    return text if text.isascii() else _NEVER.sub("", text)


def start(number: int) -> str:
    """The mark that begins an anchor."""
    return chr(_FIRST + number)


def number_of(mark: str) -> int:
    """The anchor that a mark begins; below 0 for any other character."""
    number = ord(mark) - _FIRST
    return number if 0 <= number < MOST_ANCHORS else -1


def heading(level: int) -> str:
    """The mark that begins a heading of level 1 to 6."""
    return _HEADINGS[level - 1]


def level_of(line: str) -> int:
    """The level of the heading that a line is; 0 for other lines."""
    return _HEADINGS.find(line[0]) + 1 if line else 0


def protected(text: str) -> str:
    """A text that is no markup though it looks like it: the signs of markup are hidden from cleaning."""
    return text.translate(_PROTECT)


def restored(text: str) -> str:
    """The text with the hidden signs back."""
    return text if text.isascii() else text.translate(_RESTORE)
