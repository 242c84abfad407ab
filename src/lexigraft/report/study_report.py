"""Report of a folder, of whichever kind of study it holds."""

from __future__ import annotations

from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import load_comparison
from lexigraft.report.transfer.writer import TransferPaths, write_transfer_report
from lexigraft.report.writer import ReportPaths, write_report


def write_study_report(folder: Path, *, resample: bool = False) -> ReportPaths | TransferPaths:
    """Write the report of a comparison, or of a transfer study, into its own folder.

    Args:
        folder: The study's folder.
        resample: Whether bootstrap and permutation are added to a comparison's differences.

    Raises:
        LexigraftError: The folder holds no study, or none of its cells is finished; or a transfer study is to be
            resampled.
    """
    if load_comparison(folder).facts.get("kind") != "transfer":
        return write_report(folder, resample=resample)
    if resample:
        raise LexigraftError("resampling is of strategies' differences", folder, "It holds a transfer study")
    return write_transfer_report(folder)
