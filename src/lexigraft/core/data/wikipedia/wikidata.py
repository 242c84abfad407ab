"""Wikidata's JSON dump: which item an article belongs to, and its articles in other languages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lexigraft.core.data.wikipedia.compressed import ByteBlocks
from lexigraft.core.data.wikipedia.site import database_of

MOST_LINE = 2**26
"""Bytes of an item, at most; the largest has about five million."""
SHOWN_PROBLEMS = 3


class Item(NamedTuple):
    """An item with an article in the wiki.

    Attributes:
        title: The article's title.
        id: The item: ``Q42``.
        names: The titles of its articles in other Wikipedias by language.
    """

    title: str
    id: str
    names: dict[str, str]


class WikidataDump:
    """A dump that is read line by line.

    Attributes:
        items: Items that were read, in any language.
        broken: Lines that are no item in JSON.
        problems: The first of them in words.
    """

    def __init__(self, blocks: ByteBlocks, database: str, languages: Sequence[str]) -> None:
        """Take note of what is wanted.

        Args:
            blocks: The file.
            database: The wiki whose articles are wanted: ``quwiki``.
            languages: The languages whose names are wanted: ``en``.
        """
        self._blocks = blocks
        self._site = database
        self._wanted = {database_of(language): language for language in languages}
        self._mark = f'"{database}"'.encode()
        self.items = self.broken = 0
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[Item]:
        for number, line in self._blocks.lines(MOST_LINE):
            line = None if line is None else line.strip().rstrip(b",")
            if line in (b"", b"[", b"]"):
                continue
            if line is not None and self._mark not in line and line[:1] == b"{" and line[-1:] == b"}":
                self.items += 1  # most lines: not parsed, they take the most time
                continue
            try:
                item = self._item(line)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self.broken += 1
                if len(self.problems) < SHOWN_PROBLEMS:
                    self.problems.append(f"{self._blocks.path}, line {number}: {error or type(error).__name__}"[:200])
                continue
            self.items += 1
            if item is not None:
                yield item

    def _item(self, line: bytes | None) -> Item | None:
        if line is None:
            raise ValueError(f"more than {MOST_LINE:,} bytes")
        entity = json.loads(line)
        if entity["type"] != "item":
            return None
        links = entity.get("sitelinks") or {}
        if self._site not in links:
            return None
        names = {code: str(links[site]["title"]) for site, code in self._wanted.items() if site in links}
        return Item(str(links[self._site]["title"]), str(entity["id"]), names)
