"""Dumps are read page by page, whatever is around, broken, cut off or far too large."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest

from fixtures.wikipedia import END, HEADER, dump, page
from lexigraft.core.data.wikipedia import compressed
from lexigraft.core.data.wikipedia import dump as dump_module
from lexigraft.core.data.wikipedia.compressed import ByteBlocks
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.page import BrokenPage, Page, parse_page
from lexigraft.core.errors import LexigraftError

PAGES = [page(f"T{n}", f"text {n} & <b> \U0001f600" + "x" * 3000, number=n) for n in range(300)]


def titles(path: Path) -> list[str]:
    return [parse_page(xml).title for xml in Dump(path).pages()]


def multistream() -> bytes:
    """Each hundred pages are a bzip2 stream of their own, as in Wikimedia's multistream dumps."""
    groups = [PAGES[n : n + 100] for n in range(0, 300, 100)]
    return b"".join(bz2.compress("".join(part).encode()) for part in ([HEADER], *groups, [END]))


@pytest.mark.parametrize("content", [
    dump(*PAGES), bz2.compress(dump(*PAGES)), gzip.compress(dump(*PAGES)), multistream(),
    b'<?xml version="1.0" encoding="UTF-8"?>\n' + dump(*PAGES),
], ids=["plain", "bz2", "gz", "multistream", "declaration"])  # fmt: skip
def test_every_page_is_read_once_from_every_form(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert titles(tmp_path / "x") == [f"T{n}" for n in range(300)]


def test_a_page_has_its_newest_text() -> None:
    xml = page("A & B", "new", redirect='C "d"', namespace=4, number=9)
    xml = xml.replace("    <revision>", "    <revision><text>old</text></revision>\n    <revision>", 1)
    assert parse_page(xml.encode()) == Page("A & B", 4, 9, 'C "d"', "wikitext", "new")


def test_a_cut_off_file_keeps_what_was_read_and_names_the_place(tmp_path: Path) -> None:
    whole = multistream()
    (tmp_path / "x.bz2").write_bytes(whole[: int(len(whole) * 0.7)])
    opened = Dump(tmp_path / "x.bz2")
    read = [parse_page(xml).title for xml in opened.pages()]
    # Of five streams (header, three hundreds, end) the third hundred is cut, and none of its pages comes whole.
    assert read == [f"T{n}" for n in range(len(read))]
    assert 200 <= len(read) < 300
    assert opened.blocks.damage is not None
    assert f"x.bz2 is damaged or cut off near byte {int(len(whole) * 0.7):,}" in opened.blocks.damage


def test_a_damaged_file_keeps_what_was_read(tmp_path: Path) -> None:
    broken = bytearray(multistream())
    broken[int(len(broken) * 0.85)] ^= 0xFF
    (tmp_path / "x.bz2").write_bytes(broken)
    opened = Dump(tmp_path / "x.bz2")
    assert len(list(opened.pages())) >= 200
    assert opened.blocks.damage is not None


def test_a_page_without_its_end_spoils_no_other(tmp_path: Path) -> None:
    pages = [PAGES[0], PAGES[1].replace("</page>", ""), PAGES[2], PAGES[3].replace("</text>", "")]
    (tmp_path / "x").write_bytes(dump(*pages))
    opened = Dump(tmp_path / "x")
    read = list(opened.pages())
    assert [parse_page(xml).title for xml in read[:2]] == ["T0", "T2"]
    assert opened.broken == 1
    with pytest.raises(BrokenPage, match="mismatched tag"):
        parse_page(read[2])


@pytest.mark.parametrize(
    "xml",
    ["<page><title>a</title>&undefined;</page>", "<page><ns>0</ns></page>", "<page><title>a</title><id>x</id></page>",
     '<!DOCTYPE page [<!ENTITY a "b">]><page><title>&a;</title></page>'],
)  # fmt: skip
def test_broken_pages_are_told(xml: str) -> None:
    with pytest.raises(BrokenPage):
        parse_page(xml.encode())


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n'
    for content in (bomb.encode() + dump(*PAGES), dump(PAGES[0], bomb, PAGES[1]), dump(PAGES[0]) + bomb.encode()):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(LexigraftError, match="document type or entities is refused"):
            titles(tmp_path / "x")


@pytest.mark.parametrize("compress", [bz2.compress, gzip.compress])
def test_a_bomb_is_refused(tmp_path: Path, compress: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "GROWTH_FREE", 2**22)
    inside = HEADER.encode() + b"<page><title>a</title><text>" + b"a" * 2**24
    (tmp_path / "x").write_bytes(compress(inside))  # type: ignore[operator]
    with pytest.raises(LexigraftError, match="grows without measure"):
        titles(tmp_path / "x")


def test_pages_that_are_too_large_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump_module, "MOST_PAGE", 2**20)
    large = page("Large", "x" * 2**22)
    (tmp_path / "x").write_bytes(dump(PAGES[0], large, PAGES[1], " " * 2**21, PAGES[2]))
    opened = Dump(tmp_path / "x")
    assert [parse_page(xml).title for xml in opened.pages()] == ["T0", "T1", "T2"]
    assert opened.too_large == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no XML dump of MediaWiki"), (b"plain text", "no XML dump of MediaWiki"),
     (dump(), "holds no page"), (b"<html><page></page></html>", "no XML dump of MediaWiki")],
)  # fmt: skip
def test_what_is_no_dump_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(LexigraftError, match=message):
        titles(tmp_path / "x")


def test_long_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"a\n" + b"b" * 2**20 + b"\n\nc"))
    lines = list(ByteBlocks(tmp_path / "x.gz").lines(2**18))
    assert lines == [(1, b"a"), (2, None), (3, b""), (4, b"c")]
