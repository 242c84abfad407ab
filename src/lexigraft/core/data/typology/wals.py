"""Tables of WALS and Glottolog."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexigraft.core.data.readers import MOST_CELL, numbered_lines
from lexigraft.core.errors import LexigraftError

_LANGUAGE_COLUMNS = {
    "id": ("wals_code", "ID"),
    "iso": ("iso_codes", "ISO639P3code", "ISO_codes"),
    "name": ("name", "Name"),
    "latitude": ("latitude", "Latitude"),
    "longitude": ("longitude", "Longitude"),
    "genus": ("genus", "Genus"),
    "family": ("family", "Family"),
    "glottocode": ("glottocode", "Glottocode"),
}
_VALUE_COLUMNS = {
    "id": ("wals_code", "Language_ID"),
    "parameter": ("parameter", "Parameter_ID"),
    "value": ("value", "Value"),
}


@dataclass(frozen=True)
class LanguageRow:
    """One language of a table.

    Attributes:
        id: The table's own code.
        name: Its name there.
        iso: ISO 639-3 codes; none or several where the table says so.
        place: Latitude and longitude in degrees.
        genus: Its genus; empty where not given.
        family: Its family; empty where not given.
        glottocode: Its glottocode; empty where not given.
        values: Values by feature.
    """

    id: str
    name: str
    iso: tuple[str, ...]
    place: tuple[float, float] | None = None
    genus: str = ""
    family: str = ""
    glottocode: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def read_wals(folder: Path) -> list[LanguageRow]:
    """Read ``languages.csv`` and ``values.csv`` (or ``.csv.gz``) of a folder.

    Raises:
        LexigraftError: One of them lacks a column or cannot be read, or ``values.csv`` is missing.
    """
    languages, values = _find(folder, "languages"), _find(folder, "values")
    if languages is None:
        return []
    if values is None:
        raise LexigraftError("WALS has no values.csv beside languages.csv", folder, "Put both files there")
    known: dict[str, dict[str, str]] = {}
    for row in _rows(values, _VALUE_COLUMNS, tuple(_VALUE_COLUMNS)):
        if row["value"]:
            known.setdefault(row["id"], {})[row["parameter"]] = row["value"]
    return [_language(row, known.get(row["id"], {}), languages) for row in _language_rows(languages)]


def read_glottolog(folder: Path) -> list[LanguageRow]:
    """Read Glottolog's ``languages.csv``, whose own codes are the glottocodes."""
    path = _find(folder, "languages")
    if path is None:
        return []
    return [_language(row | {"glottocode": row["glottocode"] or row["id"]}, {}, path) for row in _language_rows(path)]


def _language(row: Mapping[str, str], values: Mapping[str, str], path: Path) -> LanguageRow:
    place = None
    if row["latitude"] and row["longitude"]:
        try:
            place = float(row["latitude"]), float(row["longitude"])
        except ValueError:
            where = f"{path}, {row['id']}: {row['latitude']}, {row['longitude']}"
            raise LexigraftError("place of a language is not two numbers", where, "Give degrees") from None
    iso = tuple(code for code in re.split(r"[,;\s]+", row["iso"]) if code)
    return LanguageRow(row["id"], row["name"], iso, place, row["genus"], row["family"], row["glottocode"], values)


def _language_rows(path: Path) -> Iterator[dict[str, str]]:
    return _rows(path, _LANGUAGE_COLUMNS, ("id", "iso", "name"))


def _find(folder: Path, stem: str) -> Path | None:
    return next((p for end in (".csv", ".csv.gz") if (p := folder / f"{stem}{end}").is_file()), None)


def _rows(path: Path, columns: Mapping[str, Sequence[str]], required: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows by our names of the columns; a column that may be missing is empty."""
    csv.field_size_limit(MOST_CELL)
    rows = csv.DictReader((f"{line}\n" for _, line in numbered_lines(path)), strict=True)
    try:
        header = rows.fieldnames or ()
        found = {ours: next((name for name in names if name in header), None) for ours, names in columns.items()}
        if missing := [columns[ours][0] for ours in required if found[ours] is None]:
            hint = f"Its columns: {', '.join(header)}"
            raise LexigraftError(f"table has no column {', '.join(missing)}", path, hint)
        for row in rows:
            yield {ours: (row.get(name) or "").strip() if name else "" for ours, name in found.items()}
    except csv.Error as error:
        raise LexigraftError("CSV file cannot be read", f"{path}, line {rows.line_num}", str(error)) from None
