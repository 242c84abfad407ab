"""MediaWiki's XML dumps: the header, and the pages one by one as bytes, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lexigraft.core.data.wikipedia.compressed import ByteBlocks
from lexigraft.core.errors import LexigraftError

MOST_HEADER = 2**22
"""Bytes before the first page, at most."""
MOST_PAGE = 2**25
"""Bytes of a page, at most; MediaWiki takes 2 MiB of text, and escapes make it a few times as long."""
_OPEN, _CLOSE = b"<page>", b"</page>"


class Dump:
    """One file of a dump.

    Pages are found by their tags, which occur nowhere else in a dump since its text is escaped: so that a page whose
    XML is broken spoils no other.

    Attributes:
        blocks: The file's bytes, with what was damaged.
        header: What stands before the first page.
        broken: Pages that never end before the next one begins, and the one that a damaged file ends in.
        too_large: Pages of more than ``MOST_PAGE`` bytes.
    """

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            LexigraftError: No dump, one without a page, or one with a document type.
        """
        self.blocks = ByteBlocks(path)
        self.broken = self.too_large = 0
        self._left = bytearray()
        self._source = iter(self.blocks)
        self.header = self._header()

    def pages(self) -> Iterator[bytes]:
        """Yield each page from ``<page>`` to ``</page>``; can be called once.

        Raises:
            LexigraftError: A document type or an entity between pages.
        """
        data, dropping, searched = self._left, False, 0
        while True:
            end = data.find(_CLOSE, searched)
            if end < 0:
                dropping = self._drop_what_is_too_large(data, dropping)
                searched = max(0, len(data) - len(_CLOSE))
                block = next(self._source, None)
                if block is None:
                    break
                data += block
                continue
            end += len(_CLOSE)
            if dropping:
                dropping = False
            else:
                yield from self._page(bytes(data[:end]))
            del data[:end]
            searched = 0
        _refuse_document_type(data, self.blocks.path)
        self.broken += dropping or _OPEN in data

    def _page(self, piece: bytes) -> Iterator[bytes]:
        """The page in what lies between the end of the last page and the end of this one."""
        first, last = piece.find(_OPEN), piece.rfind(_OPEN)
        _refuse_document_type(piece[: max(0, first)], self.blocks.path)
        if first != last:
            self.broken += piece.count(_OPEN) - 1
        if last >= 0:
            yield piece[last:]

    def _drop_what_is_too_large(self, data: bytearray, dropping: bool) -> bool:
        """Whether the page that is being read is too large; it and what is no page are not kept in memory."""
        if len(data) <= MOST_PAGE:
            return dropping
        inside = data.find(_OPEN) >= 0
        if not dropping and not inside:
            _refuse_document_type(data, self.blocks.path)
        self.too_large += inside and not dropping
        del data[: -len(_CLOSE)]
        return dropping or inside

    def _header(self) -> bytes:
        data = self._left
        while (start := data.find(_OPEN)) < 0 and len(data) <= MOST_HEADER:
            block = next(self._source, None)
            if block is None:
                break
            data += block
        path = self.blocks.path
        _refuse_document_type(data[: start if start >= 0 else None], path)
        if start < 0 or b"<mediawiki" not in data[:start]:
            what = "the dump holds no page" if b"<mediawiki" in data else "this is no XML dump of MediaWiki"
            hint = self.blocks.damage or "Give a file like quwiki-latest-pages-articles.xml.bz2"
            raise LexigraftError(what, path, hint)
        header = bytes(data[:start])
        del data[:start]
        return header


def _refuse_document_type(data: bytes | bytearray, path: Path) -> None:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        hint = "A dump has none, and entities can grow without measure; fetch it again"
        raise LexigraftError("XML with a document type or entities is refused", path, hint)
