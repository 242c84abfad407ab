"""Rows of some tokens before and after adaptation, for a comparison's report: norms and nearest rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from lexigraft.core.evaluation.cells.cell import Comparison
from lexigraft.core.evaluation.cells.cell_store import cell_folder
from lexigraft.core.grafting.tracked_rows import NEIGHBORS
from lexigraft.report.formats import isolated, number


@dataclass(frozen=True)
class AdaptedRow:
    """A token's row before and after adaptation.

    Attributes:
        norms: Its length before and after.
        before: The tokens of the nearest rows before, nearest first.
        after: The same after.
        nearest: Cosine of the nearest before and after.
    """

    norms: tuple[float, float]
    before: tuple[str, ...]
    after: tuple[str, ...]
    nearest: tuple[float, float]

    @property
    def norm(self) -> str:
        """The norm before and after, as text."""
        return " → ".join(map(number, self.norms))

    @staticmethod
    def listed(tokens: Sequence[str]) -> str:
        """Neighbors as text."""
        return " · ".join(map(isolated, tokens))

    @property
    def kept(self) -> int:
        """How many neighbors stayed."""
        return len({*self.before} & {*self.after})


@dataclass(frozen=True)
class Neighbors:
    """Rows of some tokens before and after adaptation, by strategy.

    Attributes:
        ids: The tokens' ids.
        tokens: The tokens, most frequent first.
        rows: For each strategy the row of each token.
    """

    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    rows: Mapping[str, tuple[AdaptedRow, ...]]

    def of(self, token: str) -> dict[str, AdaptedRow]:
        """A token's row in each strategy's table."""
        i = self.tokens.index(token)
        return {label: rows[i] for label, rows in self.rows.items()}

    def kept_share(self, label: str) -> float:
        """The mean share of a strategy's neighbors that stayed."""
        return fmean(row.kept / len(row.before) for row in self.rows[label])

    def median_norm(self, label: str, when: int) -> float:
        """The median norm of a strategy's rows before (0) or after (1) adaptation."""
        return median(row.norms[when] for row in self.rows[label])

    def nearest(self, label: str, when: int) -> float:
        """The mean cosine with the nearest row before (0) or after (1) adaptation."""
        return fmean(row.nearest[when] for row in self.rows[label])

    def as_json(self) -> str:
        """Plain values for the page's script; neighbors are places in ``names``, so that each is carried once."""
        names: dict[str, int] = {}
        rows = {
            label: [[row.norm, *(names.setdefault(n, len(names)) for n in row.before + row.after)] for row in of]
            for label, of in self.rows.items()
        }
        value = {"tokens": self.tokens, "rows": rows, "names": list(names)}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def read_neighbors(folder: Path, comparison: Comparison) -> Neighbors | None:
    """Rows before and after adaptation, of each strategy's first seed.

    Args:
        folder: The comparison's folder.
        comparison: Its cells.

    Returns:
        None where no cell kept them.
    """
    found = dict(_files(folder, comparison))
    if not found:
        return None
    first = next(iter(found.values()))
    ids, tokens = (tuple(line[name] for line in first) for name in ("target_id", "token"))
    rows = {
        label: tuple(map(_row, lines))
        for label, lines in found.items()
        if tuple(line["target_id"] for line in lines) == ids
    }
    return Neighbors(ids, tokens, rows)


def _files(folder: Path, comparison: Comparison) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    import pyarrow.parquet as pq

    for label, cells in itertools.groupby(comparison.cells, key=lambda cell: cell.label):
        path = cell_folder(folder, next(cells)) / NEIGHBORS
        if path.exists():
            yield label, pq.read_table(path).to_pylist()


def _row(line: Mapping[str, Any]) -> AdaptedRow:
    return AdaptedRow(
        (line["norm_before"], line["norm_after"]),
        tuple(line["neighbors_before"]),
        tuple(line["neighbors_after"]),
        (line["cosines_before"][0], line["cosines_after"][0]),
    )
