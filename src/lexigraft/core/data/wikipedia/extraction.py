"""Pages of a dump to rows of annotated text: what one worker does with each page."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, as_row
from lexigraft.core.data.wikipedia.clean_text import clean
from lexigraft.core.data.wikipedia.links import Shown, target_of
from lexigraft.core.data.wikipedia.page import BrokenPage, Page, parse_page
from lexigraft.core.data.wikipedia.site import MAIN, Site
from lexigraft.core.data.wikipedia.title_index import TitleIndex
from lexigraft.core.data.wikipedia.wikitext import MarkedText, tokenizer

SHOWN_PROBLEMS = 3
SHOWN_TITLES = 5
MOST_TEXT = 2**23
"""Characters of wikitext in a page, at most; MediaWiki itself takes 2 MiB."""


@dataclass
class Extracted:
    """What became of some pages.

    Attributes:
        counts: Pages by what became of them, anchors, and characters.
        problems: The first broken pages in words.
        titles: The first titles of anchors without a name, for a message.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)

    def add(self, other: Extracted) -> None:
        """Add what became of other pages."""
        self.counts.update(other.counts)
        self.problems = [*self.problems, *other.problems][:SHOWN_PROBLEMS]
        self.titles = [*self.titles, *other.titles][:SHOWN_TITLES]


class Extractor:
    """Reads articles; made once in each worker."""

    def __init__(self, site: Site, index: Path) -> None:
        """Open the index.

        Args:
            site: The wiki.
            index: The file of titles.
        """
        self._site = site
        self._index = TitleIndex(index)
        self._tokenize = tokenizer()

    def extract(self, xml: bytes) -> tuple[list[AnnotatedText], Extracted]:
        """Read a page: an article with text is one document, everything else none; both are counted."""
        found = Extracted()
        try:
            page = parse_page(xml)
        except BrokenPage as error:
            found.counts["broken"] += 1
            found.problems.append(f"{shown_title(xml)}: {error}")
            return [], found
        what = self._kind(page)
        document = self._document(page, found) if what == "articles" else None
        if document is None or not document.text:
            found.counts["empty" if what == "articles" else what] += 1
            return [], found
        found.counts[what] += 1
        return [document], found

    def _kind(self, page: Page) -> str:
        main = page.namespace == MAIN if page.namespace is not None else _is_article(page.title, self._site)
        if not main:
            return "other_namespaces"
        if page.redirect is not None:
            return "redirects"
        if page.model != "wikitext":
            return "no_wikitext"
        return "too_large" if len(page.text) > MOST_TEXT else "articles"

    def _document(self, page: Page, found: Extracted) -> AnnotatedText:
        marked = MarkedText(page.text, page.title, self._site, self._tokenize)
        text, spans = clean(marked.text)
        anchors: list[Anchor] = []
        for span in spans:
            entity = self._index.find(marked.titles[span.number])
            if entity is None:
                found.counts["circular_anchors"] += 1
                continue
            anchors.append(Anchor(span.start, span.end, entity.title, entity.wikidata_id, entity.names))
            found.counts["anchors"] += 1
            found.counts["named_anchors"] += bool(entity.names)
            if not entity.names and len(found.titles) < SHOWN_TITLES:
                found.titles.append(entity.title)
        found.counts["characters"] += len(text)
        return AnnotatedText(text, page.title, tuple(anchors))


def as_lines(documents: Sequence[AnnotatedText], compressed: bool) -> bytes:
    """JSON lines, as a whole gzip stream where compressed: such streams can stand one after the other in a file."""
    lines = b"".join(json.dumps(as_row(one), ensure_ascii=False).encode("utf-8") + b"\n" for one in documents)
    return gzip.compress(lines, 6, mtime=0) if compressed and lines else lines


def _is_article(title: str, site: Site) -> bool:
    return target_of(f":{title}", site).shown is Shown.ARTICLE


def shown_title(xml: bytes) -> str:
    """The title of a page that cannot be read, or its start."""
    _, found, rest = xml.partition(b"<title>")
    title = rest.partition(b"</title>")[0] if found else xml
    return repr(unescape(title[:200].decode("utf-8", "replace"))[:60])
