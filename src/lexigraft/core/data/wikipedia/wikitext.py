"""Wikitext to text with marks: what a reader sees of links, templates, tags and headings.

mwparserfromhell splits the page into tokens; they are walked once, without its tree of nodes, which takes several times
as long as the tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from typing import Any

from lexigraft.core.data.wikipedia.link_trail import LINK_TRAIL
from lexigraft.core.data.wikipedia.links import Shown, target_of
from lexigraft.core.data.wikipedia.marks import (
    BREAK,
    END,
    GAP,
    ITEM,
    MOST_ANCHORS,
    STARTS,
    heading,
    protected,
    start,
    unmarked,
)
from lexigraft.core.data.wikipedia.shortcuts import without_hidden
from lexigraft.core.data.wikipedia.site import Site
from lexigraft.core.errors import LexigraftError

NOT_SHOWN = frozenset(
    [
        "categorytree",
        "ce",
        "chem",
        "gallery",
        "graph",
        "hiero",
        "imagemap",
        "includeonly",
        "indicator",
        "inputbox",
        "link",
        "mapframe",
        "maplink",
        "math",
        "meta",
        "ref",
        "references",
        "score",
        "section",
        "source",
        "style",
        "syntaxhighlight",
        "table",
        "templatedata",
        "templatestyles",
        "timeline",
    ]
)
"""Tags whose content is no running text."""
LITERAL = frozenset({"nowiki", "pre"})
"""Tags whose content is text as it stands."""
OWN_LINES = frozenset({"poem", "pre"})
"""Tags whose content keeps its lines."""
BLOCKS = frozenset(
    [
        "blockquote",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "poem",
        "pre",
        "references",
        "section",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    ]
)
"""Tags that stand on lines of their own."""
SHOWN_PARAMETER = {"abbr": 1, "big": 1, "lang": 2, "langue": 2, "nobr": 1, "nowrap": 1, "small": 1}
"""Templates of most Wikipedias that show one of their parameters, by its number; others leave a gap."""
_PAGE_NAMES = frozenset({"PAGENAME", "FULLPAGENAME", "SUBPAGENAME"})
_KEPT = frozenset({*SHOWN_PARAMETER, *(name.lower() for name in _PAGE_NAMES)})
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_HAS_ANCHOR = re.compile(f"{STARTS}|{END}")
_LINE_ENDS = re.compile(f"[\n{BREAK}{ITEM}]+")


def tokenizer() -> Callable[[str], Sequence[Any]]:
    """mwparserfromhell's splitter into tokens; quotes that mean bold and italic stay in the text.

    Raises:
        LexigraftError: The package is not installed.
    """
    try:
        from mwparserfromhell.parser import CTokenizer
        from mwparserfromhell.parser.tokenizer import Tokenizer
    except ImportError:
        what, hint = "reading wikitext needs the package mwparserfromhell", "pip install 'lexigraft[wikipedia]'"
        raise LexigraftError(what, hint=hint) from None
    made = (CTokenizer or Tokenizer)()
    return lambda text: made.tokenize(text, 0, True)


class MarkedText:
    """The text of one page with marks, and the titles of its anchors.

    Attributes:
        text: The text; an anchor is ``start(n) … END``.
        titles: The title of each anchor by its number, before redirects.
    """

    def __init__(self, wikitext: str, title: str, site: Site, tokenize: Callable[[str], Sequence[Any]]) -> None:
        """Read a page.

        Args:
            wikitext: Its source.
            title: Its title, for ``{{PAGENAME}}``.
            site: The wiki.
            tokenize: See :func:`tokenizer`.
        """
        self.titles: list[str] = []
        self._title, self._site = title, site
        self._tokens = tokenize(without_hidden(unmarked(wikitext), _KEPT))
        self._kinds = [type(token).__name__ for token in self._tokens]
        self._ends = self._matching_ends()
        self.text = self._read(0, len(self._tokens))

    def _matching_ends(self) -> dict[int, int]:
        """The index of the token that ends what each opening token begins."""
        ends: dict[int, int] = {}
        open_: list[int] = []
        for at, kind in enumerate(self._kinds):
            if kind in _OPENERS:
                open_.append(at)
            elif kind in _CLOSERS and open_:
                ends[open_.pop()] = at
        return ends

    def _read(self, at: int, stop: int) -> str:
        out: list[str] = []
        kinds, tokens = self._kinds, self._tokens
        after_link = False
        while at < stop:
            kind = kinds[at]
            if kind == "Text":
                text = tokens[at]["text"]
                if after_link and out and (trail := LINK_TRAIL.match(text)):
                    out[-1] = f"{out[-1][:-1]}{trail[0]}{END}"
                    text = text[trail.end() :]
                out.append(text)
                after_link = False
                at += 1
                continue
            end = self._ends.get(at, at)
            reader = _READERS.get(kind)
            piece = "" if reader is None else reader(self, at, end)
            after_link = kind == "WikilinkOpen" and piece.endswith(END)
            if piece:
                out.append(piece)
            at = end + 1
        return "".join(out)

    def _template(self, at: int, end: int) -> str:
        name = self._plain(at + 1, self._first("TemplateParamSeparator", at + 1, end)).strip()
        if name in _PAGE_NAMES:
            return self._title
        if name == "!":
            return protected("|")
        wanted = SHOWN_PARAMETER.get(name.lower(), 0)
        return (wanted and self._parameter(wanted, at, end)) or GAP

    def _parameter(self, wanted: int, at: int, end: int) -> str:
        """What a template's positional parameter shows."""
        position = 0
        begin = self._first("TemplateParamSeparator", at + 1, end)
        while begin < end:
            stop = self._first("TemplateParamSeparator", begin + 1, end)
            equals = self._first("TemplateParamEquals", begin + 1, stop)
            position += equals == stop
            if position == wanted and equals == stop:
                return self._read(begin + 1, stop)
            if equals < stop and self._plain(begin + 1, equals).strip() == str(wanted):
                return self._read(equals + 1, stop)
            begin = stop
        return ""

    def _link(self, at: int, end: int) -> str:
        bar = self._first("WikilinkSeparator", at + 1, end)
        written = self._plain(at + 1, bar).replace(GAP, "")
        target = target_of(written, self._site)
        if target.shown is Shown.NOTHING:
            return GAP
        label = self._read(bar + 1, end) if bar < end else written.removeprefix(":")
        label = _LINE_ENDS.sub(" ", label)
        bare = label.strip()
        if not bare.strip(GAP):
            bare = label = written.strip().removeprefix(":") if bar == end - 1 else ""
        if target.shown is Shown.TEXT or _HAS_ANCHOR.search(label) or not bare or len(self.titles) >= MOST_ANCHORS:
            return label
        self.titles.append(target.title)
        before, _, after = label.partition(bare)
        return f"{before}{start(len(self.titles) - 1)}{bare}{END}{after}"

    def _outside_link(self, at: int, end: int) -> str:
        if not self._tokens[at]["brackets"]:
            return self._plain(at + 1, end)
        bar = self._first("ExternalLinkSeparator", at + 1, end)
        return self._read(bar + 1, end) or GAP if bar < end else GAP

    def _entity(self, at: int, end: int) -> str:
        return protected(unmarked(self._plain(at, end + 1)))

    def _heading(self, at: int, end: int) -> str:
        line = _LINE_ENDS.sub(" ", self._read(at + 1, end)).strip()
        return f"{BREAK}{heading(min(self._tokens[at]['level'], 6))}{line}{BREAK}"

    def _tag(self, at: int, end: int) -> str:
        """A tag with its content, which stands between ``TagCloseOpen`` and ``TagOpenClose``."""
        name = self._plain(at + 1, at + 2).strip().lower()
        if self._kinds[end] == "TagCloseSelfclose":
            return self._empty_tag(name, self._tokens[at].get("wiki_markup"), at)
        inner, outer = self._first("TagCloseOpen", at + 1, end), self._last("TagOpenClose", at + 1, end)
        edge = BREAK if name in BLOCKS else ""
        if name in NOT_SHOWN or _HIDDEN.search(self._attributes(at + 2, inner)):
            return edge or GAP
        literal = name in LITERAL
        content = protected(unescape(self._plain(inner + 1, outer))) if literal else self._read(inner + 1, outer)
        if name in OWN_LINES:
            content = content.replace("\n", BREAK)
        return f"{edge}{content}{edge}"

    def _empty_tag(self, name: str, markup: str | None, at: int) -> str:
        if name == "br" or markup == "----":
            return BREAK
        if markup in ("*", "#", ";"):
            return ITEM
        if markup == ":":
            before = self._tokens[at - 1] if at and self._kinds[at - 1] == "Text" else None
            in_line = before is not None and not before["text"].endswith("\n")
            return ": " if in_line else ITEM
        return BREAK if name in BLOCKS else GAP if name == "ref" else ""

    def _attributes(self, at: int, stop: int) -> str:
        return "".join(self._tokens[n]["text"] for n in range(at, stop) if self._kinds[n] == "Text")

    def _plain(self, at: int, stop: int) -> str:
        """The text of simple tokens as a reader of the source would decode it; what is not shown is left out."""
        out: list[str] = []
        while at < stop:
            kind = self._kinds[at]
            if kind == "Text":
                out.append(self._tokens[at]["text"])
            elif kind == "HTMLEntityStart":
                end = self._ends.get(at, at)
                inside = self._kinds[at + 1 : end]
                code = "".join(self._tokens[n]["text"] for n in range(at + 1, end) if self._kinds[n] == "Text")
                sign = "#" if "HTMLEntityNumeric" in inside else ""
                sign += "x" if "HTMLEntityHex" in inside else ""
                out.append(unescape(f"&{sign}{code};"))
                at = end
            elif kind == "TemplateOpen" and self._plain(at + 1, at + 2).strip() in _PAGE_NAMES:
                out.append(self._title)
                at = self._ends.get(at, at)
            else:
                at = self._ends.get(at, at)
            at += 1
        return "".join(out)

    def _first(self, wanted: str, at: int, stop: int) -> int:
        """The first token of a kind that is not inside another one; ``stop`` where there is none."""
        while at < stop:
            if self._kinds[at] == wanted:
                return at
            at = self._ends.get(at, at) + 1
        return stop

    def _last(self, wanted: str, at: int, stop: int) -> int:
        for n in range(stop - 1, at - 1, -1):
            if self._kinds[n] == wanted:
                return n
        return stop


_READERS: dict[str, Callable[[MarkedText, int, int], str]] = {
    "TemplateOpen": MarkedText._template,
    "ArgumentOpen": lambda page, at, end: GAP,
    "WikilinkOpen": MarkedText._link,
    "ExternalLinkOpen": MarkedText._outside_link,
    "HTMLEntityStart": MarkedText._entity,
    "HeadingStart": MarkedText._heading,
    "TagOpenOpen": MarkedText._tag,
}
_OPENERS = frozenset(_READERS) | {"CommentStart"}
_CLOSERS = frozenset(
    {
        "TemplateClose",
        "ArgumentClose",
        "WikilinkClose",
        "ExternalLinkClose",
        "HTMLEntityEnd",
        "HeadingEnd",
        "TagCloseClose",
        "TagCloseSelfclose",
        "CommentEnd",
    }
)
