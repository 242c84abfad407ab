"""Readers of text lines from files, folders and Hub data sets."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedIOBase
from pathlib import Path

from lexigraft.core.errors import LexigraftError, did_you_mean
from lexigraft.core.utils.files import OUR_FILES
from lexigraft.core.utils.lfs import refuse_pointers

JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})
IN_FOLDERS = frozenset({".txt", ".parquet"}) | JSON_LINES
MOST_CELL = 2**24
"""Most characters in one cell of a CSV file; a quote that is never closed must not read a large file into memory."""
MOST_LINE = 2**28
"""Most bytes of a line of a compressed file."""


def read_lines(paths: Sequence[str | Path], text_field: str = "text") -> Iterator[str]:
    """Stream the lines of files in order, without line ends; nothing is stripped or dropped.

    Args:
        paths: Files, globs, folders, or Hub data sets written ``hub:NAME[:split]``.
        text_field: The field (JSON lines) or column (CSV, parquet, Hub) that holds the text.

    Yields:
        One line, or one record's text; the empty string for a record whose text is ``null``, so that lines keep
        their places and a corpus counts it as empty.

    Raises:
        LexigraftError: A missing file (before anything is read), text that is not UTF-8 or holds half of a surrogate
            pair, broken JSON or CSV, a missing field or column, damaged gzip or parquet.
    """
    for source in expand(paths):
        if isinstance(source, str):
            yield from _hub(source, text_field)
        elif _kind(source) == ".parquet":
            yield from _parquet(source, text_field)
        elif _kind(source) in JSON_LINES:
            yield from _json_lines(source, text_field)
        elif _kind(source) == ".csv":
            yield from _csv(source, text_field)
        else:
            yield from (line for _, line in numbered_lines(source))


def expand(paths: Sequence[str | Path]) -> list[Path | str]:
    """Expand files, globs and folders to files, in a fixed order; Hub names stay strings.

    Args:
        paths: As the user gave them.

    Returns:
        Paths of files, and ``hub:`` names.

    Raises:
        LexigraftError: Some paths lead to no file; the message names all of them.
    """
    expanded: list[Path | str] = []
    missing: list[str] = []
    for path in map(str, paths):
        if path.startswith("hub:"):
            expanded.append(path)
            continue
        matches = _files(path)
        expanded += matches
        if not matches:
            missing.append(path)
    if missing:
        raise LexigraftError(
            "text not found",
            ", ".join(missing),
            "Give existing files, globs, folders of .txt, .jsonl or .parquet, or hub:NAME",
        )
    return expanded


def _files(path: str) -> list[Path]:
    expanded = Path(path).expanduser()
    if expanded.is_dir():
        files = (p for p in expanded.rglob("*") if p.is_file() and p.name not in OUR_FILES)
        return sorted(p for p in files if _kind(p) in IN_FOLDERS)
    if expanded.is_file():
        return [expanded]
    return sorted(Path(p) for p in glob.glob(str(expanded), recursive=True) if Path(p).is_file())


def _kind(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes = suffixes[:-1]
    return suffixes[-1] if suffixes else ""


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Stream a UTF-8 text file (gzip by its name) with line numbers from 1; a byte order mark is left out.

    Lines end with LF or CR LF. A CR ends a line only in a file that has no LF: elsewhere it is part of the text, as in
    the files of other programs whose lines must stay parallel to these.

    Args:
        path: The file.

    Yields:
        (line number, line without its end).

    Raises:
        LexigraftError: The file is missing, unreadable, damaged, or not UTF-8 (with the line number).
    """
    refuse_pointers([path])
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    number = 0
    try:
        with opener(path, "rb") as file:
            lines = _bounded(file, path) if opener is gzip.open else file
            for number, raw in enumerate(_raw_lines(lines), 1):
                line = raw.decode("utf-8")
                yield number, (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise LexigraftError(
            "text is not UTF-8", f"{path}, line {number}", f"Convert the file to UTF-8 ({byte})"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LexigraftError(
            "gzip file is damaged", f"{path}, after line {number}", f"Fetch it again ({error})"
        ) from None
    except OSError as error:
        raise LexigraftError("cannot read the file", path, error.strerror or str(error)) from None


def _bounded(file: BufferedIOBase, path: Path) -> Iterator[bytes]:
    """The lines of a compressed file, which may hold a thousand times as much as its size says."""
    while line := file.readline(MOST_LINE):
        if len(line) == MOST_LINE:
            raise LexigraftError("line is too long", path, f"At most {MOST_LINE:,} bytes in a .gz file")
        yield line


def _raw_lines(file: Iterable[bytes]) -> Iterator[bytes]:
    for number, raw in enumerate(file):
        if number == 0 and not raw.endswith(b"\n"):
            yield from raw.splitlines()
        else:
            yield raw


def text_in(record: Mapping[str, object], field: str, where: str) -> str:
    """The text of a record's field, by one rule for every kind of file; the empty string for ``null``.

    Args:
        record: The record.
        field: The field's name.
        where: What a message calls the record.

    Raises:
        LexigraftError: The field is missing, no text, or holds half of a surrogate pair.
    """
    if field not in record:
        raise LexigraftError(f"record has no field '{field}'", where, did_you_mean(field, map(str, record)))
    text = record[field]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise LexigraftError(f"field '{field}' is not text", where, "Name the field that holds text with text_field")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise LexigraftError(
            "text holds half of a surrogate pair", where, f"Text was cut inside a character; mend or leave out {half}"
        ) from None
    return text


def _json_lines(path: Path, field: str) -> Iterator[str]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise LexigraftError("line is not JSON", where, f"Give one JSON object a line ({error.msg})") from None
        except (ValueError, RecursionError) as error:
            hint = f"A number has too many digits, or lists lie too deep in each other ({error})"
            raise LexigraftError("line of JSON cannot be read", where, hint) from None
        yield text_in(record if isinstance(record, dict) else {}, field, where)


def _csv(path: Path, column: str) -> Iterator[str]:
    """The texts of a column that the first line names."""
    csv.field_size_limit(MOST_CELL)
    rows = csv.reader((f"{line}\n" for _, line in numbered_lines(path)), strict=True)
    try:
        header = next(rows, [])
        if column not in header:
            hint = f"{did_you_mean(column, header)} Name it with text_field, or call a file of plain lines .txt"
            raise LexigraftError(f"CSV file has no column '{column}'", path, hint)
        for row in rows:
            if row:
                yield text_in(dict(zip(header, row, strict=False)), column, f"{path}, line {rows.line_num}")
    except csv.Error as error:
        raise LexigraftError("CSV file cannot be read", f"{path}, line {rows.line_num}", str(error)) from None


def _parquet(path: Path, column: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_pointers([path])
    try:
        with pq.ParquetFile(path) as file:
            if column not in file.schema_arrow.names:
                hint = did_you_mean(column, file.schema_arrow.names)
                raise LexigraftError(f"parquet file has no column '{column}'", path, hint)
            kind = file.schema_arrow.field(column).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise LexigraftError(
                    f"column '{column}' is not text", f"{path} ({kind})", "Name another column with text_field"
                )
            for batch in file.iter_batches(columns=[column]):
                yield from (text or "" for text in batch.column(0).to_pylist())
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise LexigraftError(
            "text is not UTF-8", f"{path}, column '{column}'", f"Convert it to UTF-8 ({byte})"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise LexigraftError("parquet file cannot be read", path, " ".join(str(error).split())[:300]) from None


def _hub(name: str, field: str) -> Iterator[str]:
    try:
        from datasets import load_dataset
    except ImportError:
        raise LexigraftError(
            "reading a Hub data set needs the datasets package", name, "pip install 'lexigraft[hub]'"
        ) from None
    repository, _, split = name.removeprefix("hub:").partition(":")
    try:
        rows = load_dataset(repository, split=split or "train", streaming=True)
        for number, row in enumerate(rows, 1):
            yield text_in(row, field, f"{name}, row {number}")
    except (OSError, ValueError) as error:
        raise LexigraftError("Hub data set cannot be read", name, " ".join(str(error).split())[:300]) from None
