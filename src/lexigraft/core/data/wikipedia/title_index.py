"""Redirects, and entities by the title of their article, in a file on disk: any size, little memory, many readers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lexigraft.core.errors import LexigraftError

MOST_HOPS = 20
"""Redirects that are followed from one title, at most; MediaWiki itself follows one."""
_BATCH = 20_000
_KNOWN = 100_000
"""Titles whose entities a reader remembers."""


class Entity(NamedTuple):
    """What a title stands for.

    Attributes:
        title: The article's title, after redirects.
        wikidata_id: Its item, as ``Q42``; ``None`` if unknown.
        names: Titles of its articles in other languages, by language.
    """

    title: str
    wikidata_id: str | None
    names: Mapping[str, str]


class TitleIndex:
    """An index that is open for reading."""

    def __init__(self, path: Path) -> None:
        """Open an index that :func:`new_index` made."""
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        self.find = lru_cache(_KNOWN)(self._find)

    def _find(self, title: str) -> Entity | None:
        """The entity of a title; ``None`` where redirects lead in a circle.

        An entity is looked for at the end of a chain of redirects first, then at the titles before it. A redirect to a
        section leads to another subject than the article's: such a title stands for itself, without names.
        """
        chain = [title]
        while target := self._redirect(chain[-1]):
            if target in chain or len(chain) > MOST_HOPS:
                return None
            chain.append(target)
        for one in reversed(chain):
            row = self._database.execute("SELECT item, names FROM entities WHERE title = ?", (one,)).fetchone()
            if row is not None:
                return Entity(chain[-1], row[0], json.loads(row[1]))
        return Entity(chain[-1], None, {})

    def _redirect(self, title: str) -> str | None:
        row = self._database.execute("SELECT target FROM redirects WHERE title = ?", (title,)).fetchone()
        return row[0] if row is not None else None

    def counts(self) -> dict[str, int]:
        """How many redirects and entities there are."""
        count = "SELECT COUNT(*) FROM {}"
        return {t: self._database.execute(count.format(t)).fetchone()[0] for t in ("redirects", "entities")}

    def some_titles(self, count: int) -> list[str]:
        """Titles of entities, for a message."""
        rows = self._database.execute("SELECT title FROM entities LIMIT ?", (count,))
        return [title for (title,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class IndexWriter:
    """An index that is being filled."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add_redirects(self, redirects: Iterable[tuple[str, str]]) -> None:
        """Add (title, target) pairs; of several for one title the first stays."""
        self._insert("INSERT OR IGNORE INTO redirects VALUES (?, ?)", redirects)

    def add_entities(self, entities: Iterable[tuple[str, str | None, Mapping[str, str]]]) -> None:
        """Add (title, item, names) rows; of several for one title the last stays."""
        rows = ((title, item, json.dumps(dict(names), ensure_ascii=False)) for title, item, names in entities)
        self._insert("INSERT OR REPLACE INTO entities VALUES (?, ?, ?)", rows)

    def add_rows(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Add rows to a working table."""
        self._insert(f"INSERT OR REPLACE INTO {table} VALUES (?, ?{', ?' * (table == 'langlinks')})", rows)

    def make_working_tables(self) -> None:
        """Make the tables that SQL dumps are read into; :func:`new_index` drops them at the end."""
        self._database.executescript(_WORKING)

    def rows(self, query: str) -> Iterator[tuple[str, ...]]:
        """The rows of a query."""
        yield from self._database.execute(query)

    def _insert(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        source = iter(rows)
        while batch := list(islice(source, _BATCH)):
            self._database.executemany(statement, batch)


_TABLES = """
    CREATE TABLE redirects (title TEXT PRIMARY KEY, target TEXT) WITHOUT ROWID;
    CREATE TABLE entities (title TEXT PRIMARY KEY, item TEXT, names TEXT) WITHOUT ROWID;
"""
_WORKING = """
    CREATE TABLE page (id INTEGER PRIMARY KEY, title TEXT);
    CREATE TABLE langlinks (id INTEGER, language TEXT, title TEXT, PRIMARY KEY (id, language)) WITHOUT ROWID;
    CREATE TABLE page_props (id INTEGER PRIMARY KEY, value TEXT);
    CREATE TABLE redirect (id INTEGER PRIMARY KEY, target TEXT);
"""


@contextmanager
def new_index(path: Path) -> Iterator[IndexWriter]:
    """Make an index; the file appears when the block ends without an error.

    Args:
        path: Where it is written.

    Yields:
        What fills it.

    Raises:
        LexigraftError: The disk is full or read-only.
    """
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        database = sqlite3.connect(draft)
        try:
            database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES}")
            yield IndexWriter(database)
            for table in ("page", "langlinks", "page_props", "redirect"):
                database.execute(f"DROP TABLE IF EXISTS {table}")
            database.commit()
        finally:
            database.close()
        draft.replace(path)
    except sqlite3.Error as error:
        raise LexigraftError("the index of titles cannot be written", path.parent, str(error)) from error
    finally:
        draft.unlink(missing_ok=True)
