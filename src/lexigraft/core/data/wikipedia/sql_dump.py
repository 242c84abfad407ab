"""MediaWiki's SQL dumps: the rows of one table, with the columns that are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lexigraft.core.data.wikipedia.compressed import ByteBlocks
from lexigraft.core.errors import LexigraftError

MOST_LINE = 2**27
"""Bytes of one INSERT statement, at most; mysqldump writes about a million."""
_TABLE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`(\w+)`")
_COLUMN = re.compile(rb"^\s*`(\w+)`\s")
_INSERT = re.compile(rb"INSERT INTO `\w+` (?:\([^)]*\) )?VALUES\s*")
_VALUE = re.compile(rb"\s*(?:'((?:[^'\\]|\\.|'')*)'|([^',()\s][^,()]*))\s*([,)])", re.S)
_ESCAPE = re.compile(rb"\\(.)|''", re.S)
_SIGNS = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a", b"b": b"\b"}


class SqlDump:
    """The dump of one table.

    Attributes:
        table: Its name: ``langlinks``.
        broken: Statements with a row that could not be read; the rest of such a statement is left out.
        problems: The first of them in words.
    """

    def __init__(self, blocks: ByteBlocks) -> None:
        """Read the head, up to the end of the table's definition.

        Raises:
            LexigraftError: This is no SQL dump.
        """
        self._blocks = blocks
        self._lines = blocks.lines(MOST_LINE)
        self.broken = 0
        self.problems: list[str] = []
        self.table, self._columns = self._head()

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
        """Stream these columns of every row.

        Raises:
            LexigraftError: The table lacks one of them.
        """
        if missing := [name for name in columns if name not in self._columns]:
            value = f"{self._blocks.path}: {', '.join(missing)}"
            raise LexigraftError(f"table {self.table} lacks a column", value, f"It has {', '.join(self._columns)}")
        places = [self._columns.index(name) for name in columns]
        for number, line in self._lines:
            start = _INSERT.match(line) if line is not None else None
            if line is None:
                self._note(number, f"more than {MOST_LINE:,} bytes")
            elif start is not None:
                for row in self._values(line, start.end(), number):
                    yield tuple(_text(row[place]) for place in places)

    def _values(self, line: bytes, at: int, number: int) -> Iterator[list[tuple[bytes, bytes]]]:
        """The rows of a statement; each value as (what stood in quotes, what stood without)."""
        width = len(self._columns)
        while line[at : at + 1] == b"(":
            row: list[tuple[bytes, bytes]] = []
            at += 1
            last = b","
            while last == b"," and (value := _VALUE.match(line, at)):
                row.append((value[1], value[2]))
                last, at = value[3], value.end()
            if last != b")" or len(row) != width:
                self._note(number, f"row {bytes(line[at : at + 40])!r} cannot be read")
                return
            yield row
            while line[at : at + 1] in (b",", b" ", b"\n"):
                at += 1

    def _note(self, number: int, what: str) -> None:
        self.broken += 1
        if len(self.problems) < 3:
            self.problems.append(f"{self._blocks.path}, line {number}: {what}")

    def _head(self) -> tuple[str, list[str]]:
        table, columns = "", list[str]()
        for _, line in self._lines:
            if line is None:
                break
            if match := _TABLE.search(line):
                table = match[1].decode()
            elif table and (column := _COLUMN.match(line)):
                columns.append(column[1].decode())
            elif table and columns and line.startswith(b")"):
                return table, columns
        hint = self._blocks.damage or "Give files like quwiki-latest-langlinks.sql.gz"
        raise LexigraftError("SQL dump defines no table", self._blocks.path, hint)


def _text(value: tuple[bytes | None, bytes | None]) -> str | None:
    quoted, bare = value
    if quoted is None:
        return None if bare is None or bare.strip() == b"NULL" else bare.strip().decode("ascii", "replace")
    if b"\\" in quoted or b"''" in quoted:
        quoted = _ESCAPE.sub(lambda m: b"'" if m[1] is None else _SIGNS.get(m[1], m[1]), quoted)
    return quoted.decode("utf-8", "replace")
