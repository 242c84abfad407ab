"""Records with named columns: from TSV, CSV, JSON lines or parquet, each with the place it stands at."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.data.readers import MOST_CELL, expand, numbered_lines
from lexigraft.core.errors import LexigraftError, did_you_mean
from lexigraft.core.utils.lfs import refuse_pointers


class Record(NamedTuple):
    """A record.

    Attributes:
        values: Text by column.
        where: File and line (or row), for messages.
    """

    values: Mapping[str, str]
    where: str


def read_records(paths: Sequence[str | Path], columns: Sequence[str]) -> Iterator[Record]:
    """Stream records.

    The name of a file says its format: ``.csv``, ``.jsonl`` (also ``.ndjson``), ``.parquet``, and TSV for any other;
    all but parquet may be gzipped. The first line of TSV and CSV names the columns. A TSV whose cells are not all well
    quoted is read as one without quotes.

    Args:
        paths: Files or globs.
        columns: The columns to read.

    Yields:
        One record; numbers of JSON lines and parquet as text.

    Raises:
        LexigraftError: A missing file or column, or a record that cannot be read.
    """
    for path in map(Path, expand(paths)):
        suffix = next((s for s in reversed(path.suffixes) if s != ".gz"), "").lower()
        if suffix in (".jsonl", ".ndjson"):
            rows = _json_lines(path)
        elif suffix == ".parquet":
            rows = _parquet(path, columns)
        else:
            rows = _delimited(path, "," if suffix == ".csv" else "\t")
        for row, where in rows:
            yield Record({column: _cell(row, column, where) for column in columns}, where)


def _cell(row: Mapping[str, Any], column: str, where: str) -> str:
    if row.get(column) is None:
        raise LexigraftError(f"record has no column '{column}'", where, did_you_mean(column, map(str, row)))
    text = str(row[column]).strip()
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise LexigraftError("text holds half of a surrogate pair", where, "Text was cut inside a character; mend it")
    return text


def _delimited(path: Path, delimiter: str) -> Iterator[tuple[dict[str, str], str]]:
    csv.field_size_limit(MOST_CELL)
    lines = [line for _, line in numbered_lines(path)]
    rows = _table(lines, delimiter, csv.QUOTE_MINIMAL)
    if rows is None and delimiter == "\t":
        rows = _table(lines, delimiter, csv.QUOTE_NONE)
    if rows is None:
        hint = "Every line must have as many cells as the first one, which names the columns"
        raise LexigraftError("table cannot be read", path, hint)
    header = rows[0][1] if rows else []
    for number, row in rows[1:]:
        yield dict(zip(header, row, strict=True)), f"{path}, line {number}"


def _table(lines: Sequence[str], delimiter: str, quoting: Any) -> list[tuple[int, list[str]]] | None:
    """Rows with the number of their last line; None where they do not all have the header's length."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, quoting=quoting, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error:
        return None
    return rows if all(len(row) == len(rows[0][1]) for _, row in rows) else None


def _json_lines(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    import json

    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LexigraftError("line is not JSON", where, f"Give one JSON object a line ({error})") from None
        if not isinstance(record, dict):
            raise LexigraftError("line is no JSON object", where, "Give one JSON object a line")
        yield record, where


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_pointers([path])
    try:
        with pq.ParquetFile(path) as file:
            known = [c for c in columns if c in file.schema_arrow.names]
            rows = file.read(columns=known or None).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LexigraftError("parquet file cannot be read", path, " ".join(str(error).split())[:300]) from None
    yield from ((row, f"{path}, row {number}") for number, row in enumerate(rows, 1))
