"""Names of entities read into the index: from a Wikidata dump, or from SQL dumps of the wiki's own tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexigraft.core.data.wikipedia.compressed import ByteBlocks
from lexigraft.core.data.wikipedia.links import article_title
from lexigraft.core.data.wikipedia.site import Site, database_of
from lexigraft.core.data.wikipedia.sql_dump import SqlDump
from lexigraft.core.data.wikipedia.title_index import IndexWriter
from lexigraft.core.data.wikipedia.wikidata import WikidataDump
from lexigraft.core.errors import LexigraftError

TABLES = {
    "langlinks": "titles in other languages",
    "page": "titles by page",
    "redirect": "redirects",
    "page_props": "Wikidata items",
}
"""The tables that are used, with what they give."""


@dataclass(frozen=True)
class EntityFiles:
    """What was read.

    Attributes:
        names: Entities that were added.
        problems: Sentences about damage and broken lines.
    """

    names: int
    problems: tuple[str, ...]


def add_entities(paths: Sequence[Path], site: Site, languages: Sequence[str], writer: IndexWriter) -> EntityFiles:
    """Read entity files of both kinds.

    Args:
        paths: A Wikidata dump (JSON), or ``langlinks`` and ``page`` (SQL), with ``redirect`` and ``page_props``
            where they are there.
        site: The wiki.
        languages: The languages whose names are wanted.
        writer: The index.

    Raises:
        LexigraftError: Neither JSON nor SQL, another table, or ``langlinks`` without ``page``.
    """
    problems: list[str] = []
    tables: dict[str, SqlDump] = {}
    added = 0
    for path in paths:
        blocks = ByteBlocks(path)
        if _is_json(path):
            dump = WikidataDump(blocks, site.database, languages)
            rows = ((article_title(item.title, site), item.id, item.names) for item in dump)
            added += _counted(rows, writer)
            problems += _problems(blocks, dump.broken, "lines that are no item", dump.problems)
            if not dump.items:
                first = dump.problems[0] if dump.problems else path
                raise LexigraftError("the file holds no Wikidata item", first, "Give a dump: one JSON item a line")
            continue
        table = SqlDump(blocks)
        if table.table not in TABLES:
            hint = f"Of SQL dumps {', '.join(TABLES)} are used"
            raise LexigraftError("SQL dump of a table that is not used", f"{path}: {table.table}", hint)
        if table.table in tables:
            raise LexigraftError("two SQL dumps of one table", f"{path}: {table.table}", "Give each table once")
        tables[table.table] = table
        problems += _read_table(table, blocks, languages, writer, first=len(tables) == 1)
    if tables:
        if "langlinks" in tables and "page" not in tables:
            hint = "Give the page table too: it says which title each page number has"
            raise LexigraftError("langlinks without page", ", ".join(map(str, paths)), hint)
        added += _counted(_joined(site, writer), writer)
        _add_redirects(site, writer)
    return EntityFiles(added, tuple(problems))


def _is_json(path: Path) -> bool:
    start = next(iter(ByteBlocks(path)), b"").lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] not in (b"[", b"{") and b"--" not in start[:20] and b"CREATE" not in start and b"/*" not in start[:20]:
        hint = "Give a Wikidata JSON dump, or the SQL dumps langlinks and page"
        raise LexigraftError("entity file is neither JSON nor SQL", f"{path}: {start[:40]!r}", hint)
    return start[:1] in (b"[", b"{")


def _counted(rows: Iterator[tuple[str, str | None, dict[str, str]]], writer: IndexWriter) -> int:
    count = 0

    def passed() -> Iterator[tuple[str, str | None, dict[str, str]]]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    writer.add_entities(passed())
    return count


def _read_table(
    dump: SqlDump, blocks: ByteBlocks, languages: Sequence[str], writer: IndexWriter, first: bool
) -> list[str]:
    """Read one table into a working table."""
    if first:
        writer.make_working_tables()
    wanted: Iterator[tuple[str | None, ...]]
    if dump.table == "langlinks":
        codes = {database_of(code).removesuffix("wiki").replace("_", "-"): code for code in languages}
        codes |= {code: code for code in languages}
        found = dump.rows(["ll_from", "ll_lang", "ll_title"])
        wanted = ((page, codes.get(lang or ""), title) for page, lang, title in found)
    elif dump.table == "page":
        found = dump.rows(["page_id", "page_namespace", "page_title"])
        wanted = ((page, title) for page, space, title in found if space == "0")
    elif dump.table == "redirect":
        found = dump.rows(["rd_from", "rd_namespace", "rd_title", "rd_fragment"])
        wanted = ((page, title) for page, space, title, section in found if space == "0" and not section)
    else:
        found = dump.rows(["pp_page", "pp_propname", "pp_value"])
        wanted = ((page, value) for page, name, value in found if name == "wikibase_item")
    writer.add_rows(dump.table, (row for row in wanted if all(row) and str(row[0]).isdecimal()))
    return _problems(blocks, dump.broken, "statements with a row that cannot be read", dump.problems)


def _joined(site: Site, writer: IndexWriter) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    """Title, item and names of each page that has one of the two."""
    query = """
        SELECT page.id, page.title, page_props.value, langlinks.language, langlinks.title FROM page
        LEFT JOIN page_props ON page_props.id = page.id LEFT JOIN langlinks ON langlinks.id = page.id
        WHERE page_props.value IS NOT NULL OR langlinks.title IS NOT NULL ORDER BY page.id
    """
    last: str | None = None
    entity: tuple[str, str | None, dict[str, str]] = ("", None, {})
    for page, title, item, language, name in writer.rows(query):
        if page != last:
            if last is not None:
                yield entity
            last, entity = page, (article_title(title, site), item, {})
        if language is not None:
            entity[2][language] = name.replace("_", " ")
    if last is not None:
        yield entity


def _add_redirects(site: Site, writer: IndexWriter) -> None:
    query = "SELECT page.title, redirect.target FROM redirect JOIN page ON page.id = redirect.id"
    writer.add_redirects((article_title(t, site), article_title(target, site)) for t, target in writer.rows(query))


def _problems(blocks: ByteBlocks, broken: int, what: str, first: Sequence[str]) -> list[str]:
    found = [f"{broken:,} {what}, left out; the first: {'; '.join(first)}"] if broken else []
    return [*found, *([blocks.damage] if blocks.damage else [])]
