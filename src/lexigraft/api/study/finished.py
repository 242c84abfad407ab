"""Result of a study that has run to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from lexigraft.api.study.study import R
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison


@dataclass(frozen=True)
class Finished(Generic[R]):
    """A finished study.

    Attributes:
        out: Its folder.
        comparison: Its cells and facts.
        results: One result for each cell.
        report: Where the report is.
        store: The MLflow store that holds the runs, with its password; empty when tracking is off.
        tracking: A warning about the tracked runs; empty where all of them were logged as asked.
    """

    out: Path
    comparison: Comparison
    results: tuple[CellResult, ...]
    report: R
    store: str = field(repr=False)
    tracking: str
