"""Clean text of a wiki page, with the places of its anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lexigraft.core.data.wikipedia.marks import (
    BREAK,
    END,
    GAP,
    INVISIBLE,
    ITEM,
    STARTS,
    level_of,
    number_of,
    restored,
)

_QUOTES = re.compile("('{2,})")
_TABLE = re.compile(r"^[ \t]*\{\|.*?(?:^[ \t]*\|\}|\Z)", re.M | re.S)
_ROW = re.compile(rf"^{INVISIBLE}*[ \t]*(?:\|.*|\{{\{{.*|\}}\}}[ \t]*)$", re.M)
"""A line of a table or of a template whose other end is missing."""
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_BRACKETS = re.compile(r"\[\[|\]\]|\{\{\{?|\}\}\}?")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_SWITCH = re.compile(r"__([^\W_]+(?:_[^\W_]+)*)__")
_VARIANTS = re.compile(r"-\{([^{}]*)\}-")
_HOLLOW = re.compile(rf"[(（][\s,;:،、/=–—-]*{GAP}[\s,;:،、/=–—{GAP}-]*[)）]")
"""Brackets in which nothing is left of what stood there."""
_AFTER_OPENING = re.compile(rf"([(（\[])[\s,;،、]*{GAP}[\s,;:،、{GAP}]*")
_BEFORE_CLOSING = re.compile(rf"[\s,;،、]*{GAP}[\s,;،、{GAP}]*([)）\]])")
_BEFORE_SIGN = re.compile(rf"[ \t]*{GAP}[ \t{GAP}]*(?=[,.،。、\xa0])")
_SPACED_GAP = re.compile(rf"[ \t]+{GAP}[ \t{GAP}]*|{GAP}[ \t{GAP}]*[ \t]")
_SPACES = re.compile(r"[ \t\r\f\v]{2,}|[\t\r\f\v]")
_ANCHOR = re.compile(f"({STARTS}|{END})")
_LIST_SIGNS = re.compile(r"^[*#:;]+[ \t]*")
_RULE = re.compile(r"^-{4,}")


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text with the number of its anchor."""

    start: int
    end: int
    number: int


def clean(marked: str) -> tuple[str, list[Span]]:
    """Clean a page.

    A paragraph, an item of a list and a heading are a line each; headings under which nothing stands are left out.

    Args:
        marked: The text of :class:`MarkedText`.

    Returns:
        The text, and the places of its anchors in order; those that show nothing are left out.
    """
    text = _without_leftovers(marked)
    lines = _without_bare_headings([line for line in _lines(text) if line.strip()])
    return _with_places("\n".join(lines))


def _without_leftovers(text: str) -> str:
    """The text without markup whose other half is missing, switches, and variants of writing but the first."""
    if "<" in text:
        text = _TAG.sub("", _COMMENT.sub("", text))
    if "{|" in text:
        text = _TABLE.sub("", text)
    if "|" in text or "{{" in text or "}}" in text:
        text = _ROW.sub("", text)
    if "-{" in text:
        text = _VARIANTS.sub(_first_variant, text)
    if "__" in text:
        text = _SWITCH.sub(_switch, text)
    return _BRACKETS.sub("", text)


def _switch(match: re.Match[str]) -> str:
    """Nothing for ``__NOTOC__`` in any language; names of programs, as ``__init__``, stay."""
    word = match[1]
    caseless = word.lower() == word.upper() and not word.isascii()
    return "" if caseless or word.isupper() else match[0]


def _first_variant(match: re.Match[str]) -> str:
    """What ``-{zh-hans:one;zh-hant:two}-`` shows in its first variant; ``-{H|…}-`` and ``-{T|…}-`` show nothing."""
    flags, bar, rest = match[1].rpartition("|")
    if bar and set(flags.replace(";", "").replace(" ", "")) & set("HT-"):
        return ""
    first, separator, _ = rest.partition(";")
    code, colon, shown = first.partition(":")
    is_code = colon and re.fullmatch(r"\s*[a-z]{2,3}(?:-[a-z]+)*\s*", code)
    if is_code:
        return shown.strip()
    return rest if not separator or not bar else first


def _lines(text: str) -> Iterator[str]:
    """Paragraphs, list items and headings: lines of one paragraph are joined, as a browser joins them."""
    paragraph: list[str] = []
    for row in text.split("\n"):
        pieces = row.split(BREAK)
        for n, piece in enumerate(pieces):
            line = _tidy(piece)
            own = piece.startswith((ITEM, " ")) or level_of(piece)
            ends = not line if n == 0 or n == len(pieces) - 1 else True
            if n or own or ends:
                yield " ".join(paragraph)
                paragraph = []
            if own:
                yield line
            elif line:
                paragraph.append(line)
    yield " ".join(paragraph)


def _tidy(line: str) -> str:
    """A line without quotes that mean bold or italic, list signs, gaps, and spaces that gaps leave."""
    line = _without_quotes(line).lstrip(f"{ITEM} \t")
    if line[:1] in ("*", "#", ":", ";", "-"):
        line = _RULE.sub("", _LIST_SIGNS.sub("", line))
    line = line.replace(ITEM, " ")
    if GAP in line:
        line = _SPACES.sub(" ", line)  # first: the patterns below look for a gap after every one of many spaces
        if "(" in line or "（" in line or "[" in line:
            line = _HOLLOW.sub(GAP, line)
            line = _AFTER_OPENING.sub(r"\1", line)
            line = _BEFORE_CLOSING.sub(r"\1", line)
        line = _BEFORE_SIGN.sub("", line)
        line = _SPACED_GAP.sub(" ", line).replace(GAP, "")
    return _SPACES.sub(" ", line).strip(" \t")


def _without_quotes(line: str) -> str:
    """Quotes as MediaWiki reads them: two are italic, three bold, five both; others stand for themselves.

    Where bold and italic are both left open, one of the bold signs is an apostrophe and italic: the first after a word
    of one letter, else after a longer word, else after a space.
    """
    if "''" not in line:
        return line
    parts = _QUOTES.split(line)
    lengths = [3 if len(run) == 4 else min(len(run), 5) for run in parts[1::2]]
    bold, italic = sum(n in (3, 5) for n in lengths), sum(n in (2, 5) for n in lengths)
    apostrophe = _apostrophe(parts, lengths) if bold % 2 and italic % 2 else -1
    out = [parts[0]]
    for n, length in enumerate(lengths):
        extra = len(parts[2 * n + 1]) - length + (n == apostrophe)
        out += ["'" * extra, parts[2 * n + 2]]
    return "".join(out)


def _apostrophe(parts: list[str], lengths: list[int]) -> int:
    """Which run of three quotes is an apostrophe and italic; -1 where there is none."""
    found: dict[str, int] = {}
    for n, length in enumerate(lengths):
        if length == 3:
            before = f" {parts[2 * n]}"
            kind = "space" if before[-1] == " " else "letter" if before[-2] == " " else "word"
            found.setdefault(kind, n)
    return next((found[kind] for kind in ("letter", "word", "space") if kind in found), -1)


def _without_bare_headings(lines: list[str]) -> list[str]:
    """The lines without headings that no text follows before the next heading of their level or a higher one."""
    kept: list[str] = []
    following = 0
    for line in reversed(lines):
        level = level_of(line)
        if not level:
            following = 7
            kept.append(line)
        elif level < following and line[1:].strip():
            following = level
            kept.append(line[1:].strip())
    return kept[::-1]


def _with_places(text: str) -> tuple[str, list[Span]]:
    """The text without marks, and where each anchor stands in it, without spaces at its ends."""
    out: list[str] = []
    spans: list[Span] = []
    length, begun, number = 0, 0, -1
    for piece in _ANCHOR.split(text):
        if piece == END:
            if number >= 0 and (shown := "".join(out[begun:])).strip():
                last = length - (len(shown) - len(shown.rstrip()))
                first = length - len(shown.lstrip())
                spans.append(Span(first, last, number))
            number = -1
        elif len(piece) == 1 and (found := number_of(piece)) >= 0:
            number, begun = found, len(out)
        else:
            plain = restored(piece)
            out.append(plain)
            length += len(plain)
    return "".join(out), spans
