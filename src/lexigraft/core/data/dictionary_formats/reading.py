"""Dictionary files read by their format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

from lexigraft.core.data.dictionary import Row
from lexigraft.core.data.dictionary_formats.dictd import read_dictd
from lexigraft.core.data.dictionary_formats.stardict import read_stardict
from lexigraft.core.data.dictionary_formats.tables import panlex_reader, read_muse, read_tsv
from lexigraft.core.errors import LexigraftError

Format = Literal["tsv", "muse", "panlex", "dictd", "stardict"]
_BY_SUFFIX: dict[str, Format] = {
    ".tsv": "tsv", ".txt": "muse", ".dict": "dictd", ".index": "dictd", ".ifo": "stardict",
}  # fmt: skip
_COMPRESSED = (".gz", ".dz")


def read_rows(
    path: Path, format: Format | None = None, languages: tuple[str, str] | None = None
) -> Iterator[Row | None]:
    """Rows of a dictionary: source, target, count; None for each line or entry that is no pair.

    Args:
        path: The file.
        format: Its format; by its name where not given.
        languages: The two languages of a PanLex-like file.

    Raises:
        LexigraftError: A missing or damaged file, or one of no known format.
    """
    if not path.is_file():
        raise LexigraftError("dictionary not found", path, "Give a .tsv, .txt (MUSE), .dict, .index or .ifo file")
    readers: dict[Format, Callable[[Path], Iterator[Row | None]]] = {
        "tsv": read_tsv,
        "muse": read_muse,
        "panlex": panlex_reader(languages),
        "dictd": read_dictd,
        "stardict": read_stardict,
    }
    return readers[format or _format_of(path)](path)


def _format_of(path: Path) -> Format:
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in _COMPRESSED]
    found = _BY_SUFFIX.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise LexigraftError("no known format of dictionary", path, f"Say --format {', '.join(get_args(Format))}")
    if found == "dictd" and path.with_name(f"{path.name.partition('.dict')[0]}.ifo").is_file():
        return "stardict"
    return found
