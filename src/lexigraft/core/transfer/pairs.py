"""Table of donor and target pairs."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.readers import MOST_CELL, numbered_lines
from lexigraft.core.errors import LexigraftError, UnknownName

Floats = npt.NDArray[np.float64]
_EMPTY = frozenset(("", "nan", "na", "null", "none"))


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs of a donor and a target language.

    Attributes:
        donors: The donor of each pair.
        targets: The target of each pair.
        outcome: What was measured, ``(pairs,)``.
        gains: How much better than without the donor, ``(pairs,)``, above zero where it helped; ``None`` where no
            zero-shot figure is known.
        features: What may explain it, each ``(pairs,)``; NaN where unknown.
        lower_is_better: Whether lower outcomes are better.
        name: The outcome's name.
        notes: Sentences worth showing: what was averaged or left out.
    """

    donors: tuple[str, ...]
    targets: tuple[str, ...]
    outcome: Floats
    gains: Floats | None = None
    features: Mapping[str, Floats] = field(default_factory=dict)
    lower_is_better: bool = False
    name: str = "gain"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a table without pairs, and a language that is its own donor."""
        if not self.donors:
            raise LexigraftError("table has no pair with a donor, a target and an outcome")
        for donor, target in zip(self.donors, self.targets, strict=True):
            if donor == target:
                hint = "Leave these rows out: training on the target itself is a control, not transfer"
                raise LexigraftError("a donor is its own target", donor, hint)

    def __len__(self) -> int:
        return len(self.donors)

    @property
    def better(self) -> Floats:
        """What is explained: the gains, or the outcome turned so that higher is better."""
        if self.gains is not None:
            return self.gains
        return -self.outcome if self.lower_is_better else self.outcome


def read_pairs(
    path: str | Path,
    *,
    donor: str = "donor",
    target: str = "target",
    outcome: str = "gain",
    zero_shot: str | None = None,
    features: Sequence[str] | None = None,
    lower_is_better: bool = False,
) -> PairTable:
    """Read a CSV with one row for each pair; several rows of one pair (seeds) become their mean.

    Args:
        path: A ``.csv`` or ``.csv.gz``.
        donor: The column of donors.
        target: The column of targets.
        outcome: The column of the outcome. A column called ``gain`` counts as a gain over zero-shot.
        zero_shot: The column with the target's outcome without a donor, from which gains are computed.
        features: The columns of features; all other columns of numbers by default.
        lower_is_better: Whether lower outcomes are better, as for perplexity and bits per byte.

    Raises:
        LexigraftError: A missing column, a cell that is no number, no pair left, or a donor that is its own target.
    """
    header, rows = _read(Path(path).expanduser())
    fixed = [donor, target, outcome, *([zero_shot] if zero_shot else [])]
    for column in [*fixed, *(features or ())]:
        if column not in header:
            raise UnknownName("column", column, header)
    if lower_is_better and outcome == "gain":
        raise LexigraftError("lower gains are never better", outcome, "Leave --lower-is-better out")
    others = [column for column in header if column not in (*fixed, "seed")]
    wanted = list(features) if features is not None else [c for c in others if _is_numeric(c, rows)]
    if clash := sorted(set(fixed) & set(wanted)):
        raise LexigraftError("a column cannot explain itself", ", ".join(clash), "Name other features")
    by_pair = _by_pair(path, rows, (donor, target), fixed[2:], wanted)
    if not by_pair:
        raise LexigraftError("table has no pair with an outcome", path, f"Its columns: {', '.join(header)}")
    means = np.array([_means(measured) for measured in by_pair.values()])
    measured_rows = sum(map(len, by_pair.values()))
    notes = []
    if dropped := len(rows) - measured_rows:
        notes.append(f"{dropped:,} rows without a finite {' and '.join(fixed[2:])} were left out.")
    if repeated := measured_rows - len(by_pair):
        notes.append(f"{repeated:,} rows repeat a pair: the means of {len(by_pair):,} pairs are analyzed.")
    gains = means[:, 0] if outcome == "gain" else None
    if zero_shot:
        gains = (means[:, 1] - means[:, 0]) * (1 if lower_is_better else -1)
    columns = {name: means[:, len(fixed) - 2 + n] for n, name in enumerate(wanted)}
    for name, values_of in columns.items():
        if unknown := int(np.isnan(values_of).sum()):
            notes.append(f"{name} is unknown for {unknown:,} of {len(means):,} pairs; they count nowhere for it.")
    return PairTable(
        tuple(pair[0] for pair in by_pair),
        tuple(pair[1] for pair in by_pair),
        means[:, 0],
        gains,
        columns,
        lower_is_better,
        outcome,
        tuple(notes),
    )


def _by_pair(
    path: str | Path,
    rows: Sequence[tuple[int, dict[str, str]]],
    pair_columns: tuple[str, str],
    outcomes: Sequence[str],
    features: Sequence[str],
) -> dict[tuple[str, str], list[list[float]]]:
    """The outcomes and features of each pair, once for each of its rows; rows without an outcome are left out.

    Raises:
        LexigraftError: A cell that is no number, or a row without a donor or target.
    """
    by_pair: dict[tuple[str, str], list[list[float]]] = {}
    for number, row in rows:
        values = [_number(row[column], f"{path}, line {number}, column {column}") for column in (*outcomes, *features)]
        donor, target = (row[column].strip() for column in pair_columns)
        if not donor or not target:
            raise LexigraftError("a pair lacks its donor or target", f"{path}, line {number}", "Fill in both")
        if all(map(math.isfinite, values[: len(outcomes)])):
            by_pair.setdefault((donor, target), []).append(values)
    return by_pair


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    if not path.is_file():
        raise LexigraftError("table of pairs not found", path, "Give a CSV with a row for each donor and target")
    csv.field_size_limit(MOST_CELL)
    reader = csv.DictReader((f"{line}\n" for _, line in numbered_lines(path)), strict=True, restval="")
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise LexigraftError("CSV file cannot be read", f"{path}, line {reader.line_num}", str(error)) from None
    header = list(reader.fieldnames or ())
    if len(set(header)) < len(header):
        raise LexigraftError("table has two columns of one name", path, f"Its columns: {', '.join(header)}")
    if bad := [number for number, row in rows if None in row]:
        raise LexigraftError("row has more cells than the header", f"{path}, line {bad[0]}", "Quote cells with commas")
    return header, rows


def _is_numeric(column: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> bool:
    cells = [row[column].strip() for _, row in rows if row[column].strip().lower() not in _EMPTY]
    try:
        list(map(float, cells))
    except ValueError:
        return False
    return bool(cells)


def _number(cell: str, where: str) -> float:
    text = cell.strip()
    if text.lower() in _EMPTY:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise LexigraftError("cell is not a number", f"{where}: {text!r}", "Leave unknown cells empty") from None


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    """Column means over the rows that know a value; NaN where none does."""
    columns = ([value for value in column if not math.isnan(value)] for column in zip(*rows, strict=True))
    return [math.fsum(known) / len(known) if known else math.nan for known in columns]
