"""Bilingual dictionaries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.readers import numbered_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import replacing

Row = tuple[str, str, float | None]
"""A source word, a target word, and how often the pair was counted, where that is known."""


@dataclass(frozen=True)
class Dictionary:
    """Word pairs, each once.

    Attributes:
        pairs: (source, target), in file order.
        weights: How often each pair was counted, one per pair; ``None`` when no count is known.
        rejected: Lines that were not two non-empty columns (with an optional count).
        hash: SHA-256 (hex) of pairs and weights.
    """

    pairs: tuple[tuple[str, str], ...]
    weights: tuple[float, ...] | None
    rejected: int
    hash: str

    @classmethod
    def of(
        cls, pairs: Iterable[tuple[str, str]], weights: Sequence[float] | None = None, rejected: int = 0
    ) -> Dictionary:
        """Make a dictionary of pairs in memory; repeated pairs become one, their weights add up."""
        listed = list(pairs)
        total: dict[tuple[str, str], float] = {}
        for pair, weight in zip(listed, weights if weights is not None else [1.0] * len(listed), strict=True):
            total[pair] = total.get(pair, 0.0) + float(weight)
        kept = tuple(total.values()) if weights is not None else None
        content = repr((tuple(total), kept)).encode("utf-8", "surrogatepass")
        return cls(tuple(total), kept, rejected, hashlib.sha256(content).hexdigest())

    @classmethod
    def of_rows(cls, rows: Iterable[Row | None]) -> Dictionary:
        """Make a dictionary of rows; None stands for what is no row, a missing count for 1 where others have one."""
        read = list(rows)
        kept = [row for row in read if row is not None]
        counts = [row[2] for row in kept]
        weights = None if all(c is None for c in counts) else [1.0 if c is None else c for c in counts]
        return cls.of([row[:2] for row in kept], weights, len(read) - len(kept))

    def reversed(self) -> Dictionary:
        """The same pairs, target first."""
        return Dictionary.of([(t, s) for s, t in self.pairs], self.weights, self.rejected)

    def write(self, path: Path) -> None:
        """Write ``source<TAB>target[<TAB>count]`` lines, atomically.

        Args:
            path: The file; its folder is made when missing.

        Raises:
            LexigraftError: The file cannot be written.
        """
        weights = (
            [""] * len(self) if self.weights is None else [f"\t{int(w) if w.is_integer() else w}" for w in self.weights]
        )
        with replacing(path) as temporary:
            rows = (f"{s}\t{t}{w}\n" for (s, t), w in zip(self.pairs, weights, strict=True))
            temporary.write_text("".join(rows), encoding="utf-8")

    def __len__(self) -> int:
        return len(self.pairs)


def load_dictionary(settings: DictionarySettings) -> Dictionary:
    """Read TSV or TSV.gz word lists as the settings say.

    A third column, when it is a number above 0, is the pair's count. A pivot joins (pivot, source) with (pivot,
    target): every source word is paired with every target word of the same pivot word.

    Args:
        settings: Paths or pivot, and the direction.

    Returns:
        The pairs, each once.

    Raises:
        LexigraftError: A missing file, text that is not UTF-8, or no usable pair.
    """
    if settings.pivot is not None:
        first, second = (_read([p]) for p in settings.pivot)
        dictionary = pivoted(first, second)
        paths = list(settings.pivot)
    else:
        dictionary = _read(settings.path)
        paths = settings.path
    if not dictionary.pairs:
        hint = f"Give lines of source TAB target ({dictionary.rejected} lines were rejected)"
        if settings.pivot is not None:
            hint = "The two lists share no first column; both must start with the pivot language's words"
        raise LexigraftError("dictionary has no usable pair", ", ".join(paths), hint)
    return dictionary.reversed() if settings.reverse else dictionary


def _read(paths: Sequence[str]) -> Dictionary:
    return Dictionary.of_rows(row for path in paths for row in _rows(path))


def _rows(path: str) -> Iterator[Row | None]:
    expanded = Path(path).expanduser()
    if not expanded.is_file():
        raise LexigraftError(
            "dictionary not found", path, "Give a TSV or TSV.gz file, one source TAB target pair a line"
        )
    return (row_of(line) for _, line in numbered_lines(expanded))


def row_of(line: str) -> Row | None:
    """The row of a line of two or three columns with tabs between them; None for any other line."""
    columns = [c.strip() for c in line.split("\t")]
    if len(columns) not in (2, 3) or not columns[0] or not columns[1]:
        return None
    if len(columns) == 2 or not columns[2]:
        return columns[0], columns[1], None
    try:
        count = float(columns[2])
    except ValueError:
        return None
    return (columns[0], columns[1], count) if 0 < count < float("inf") else None


def pivoted(first: Dictionary, second: Dictionary) -> Dictionary:
    """Every word of one dictionary's second column with every one of another's that has the same first column."""
    targets: dict[str, list[str]] = {}
    for pivot, target in second.pairs:
        targets.setdefault(pivot, []).append(target)
    joined = [(source, target) for pivot, source in first.pairs for target in targets.get(pivot, [])]
    return Dictionary.of(joined, None, first.rejected + second.rejected)
