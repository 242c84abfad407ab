"""Readers of text lines: plain text, JSON lines, parquet, gzip of the first two, globs, folders, Hub data sets."""

from __future__ import annotations

import glob
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from lexigraft.core.errors import LexigraftError, did_you_mean

JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})
IN_FOLDERS = frozenset({".txt", ".parquet"}) | JSON_LINES


def read_lines(paths: Sequence[str | Path], text_field: str = "text") -> Iterator[str]:
    """Stream the lines of files in order, without line ends; nothing is stripped or dropped.

    Args:
        paths: Files, globs, folders, or Hub data sets written ``hub:NAME[:split]``.
        text_field: The field (JSON lines), column (parquet, Hub) that holds the text.

    Yields:
        One line, or one record's text.

    Raises:
        LexigraftError: A missing file (before anything is read), text that is not UTF-8, broken JSON, a missing
            field or column, damaged gzip or parquet.
    """
    for source in expand(paths):
        if isinstance(source, str):
            yield from _hub(source, text_field)
        elif _kind(source) == ".parquet":
            yield from _parquet(source, text_field)
        elif _kind(source) in JSON_LINES:
            yield from _json_lines(source, text_field)
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
        return sorted(p for p in expanded.rglob("*") if p.is_file() and _kind(p) in IN_FOLDERS)
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

    Args:
        path: The file.

    Yields:
        (line number, line without its end).

    Raises:
        LexigraftError: The file is missing, unreadable, damaged, or not UTF-8 (with the line number).
    """
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    number = 0
    try:
        with opener(path, "rb") as file:
            for number, raw in enumerate(file, 1):
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


def _json_lines(path: Path, field: str) -> Iterator[str]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise LexigraftError("line is not JSON", where, f"Give one JSON object a line ({error.msg})") from None
        if not isinstance(record, dict) or field not in record:
            fields = map(str, record) if isinstance(record, dict) else ()
            raise LexigraftError(f"record has no field '{field}'", where, did_you_mean(field, fields))
        if not isinstance(record[field], str):
            raise LexigraftError(
                f"field '{field}' is not text", where, "Name the field that holds text with text_field"
            )
        yield record[field]


def _parquet(path: Path, column: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

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
                yield from (text for text in batch.column(0).to_pylist() if text is not None)
    except (pa.ArrowException, OSError) as error:
        raise LexigraftError("parquet file cannot be read", path, str(error).splitlines()[0]) from None


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
        for row in rows:
            if field not in row:
                raise LexigraftError(f"data set has no field '{field}'", name, did_you_mean(field, row))
            if row[field] is not None:
                yield str(row[field])
    except (OSError, ValueError) as error:
        raise LexigraftError("Hub data set cannot be read", name, " ".join(str(error).split())[:300]) from None
