"""Writer of a transfer study's files: the matrix of gains over zero-shot as CSV, the scores and the page."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from lexigraft.core.utils.files import write_whole
from lexigraft.report.transfer.gains import TransferReport, read_transfer_report
from lexigraft.report.transfer.page import page
from lexigraft.report.writer import results_csv

MATRIX_COLUMNS = (
    "metric", "donor", "target", "control", "zero_shot", "adapted", "gain", "low", "high", "p", "p_holm", "detectable",
    "items", "seeds",
)  # fmt: skip


class TransferPaths(NamedTuple):
    """The files of a written report."""

    html: Path
    matrix: Path
    csv: Path


def write_transfer_report(folder: Path) -> TransferPaths:
    """Write matrix, scores and page of a study into its own folder; the same results give the same bytes.

    Args:
        folder: What ``lexigraft transfer --out`` wrote.

    Raises:
        LexigraftError: The folder holds no transfer study, or none of its cells is finished.
    """
    report = read_transfer_report(folder)
    paths = TransferPaths(folder / "report.html", folder / "matrix.csv", folder / "results.csv")
    write_whole(paths.matrix, matrix_csv(report))
    write_whole(paths.csv, results_csv(report.results))
    write_whole(paths.html, page(report))
    return paths


def matrix_csv(report: TransferReport) -> str:
    """Every pair and metric, one a line, with the features of the pair."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [*MATRIX_COLUMNS, *report.features], lineterminator="\n")
    writer.writeheader()
    for outcome in report.outcomes:
        for pair in outcome.pairs:
            line: dict[str, object] = {
                "metric": outcome.name, "donor": pair.donor, "target": pair.target, "control": int(pair.control),
                "zero_shot": pair.zero_shot, "adapted": pair.adapted,
            }  # fmt: skip
            if (gain := pair.gain) is not None:
                line |= {
                    "gain": gain.mean, "low": gain.mean - gain.half_width, "high": gain.mean + gain.half_width,
                    "p": gain.p, "p_holm": outcome.p_values.get((pair.donor, pair.target), ""),
                    "detectable": gain.detectable, "items": gain.items, "seeds": gain.seeds,
                }  # fmt: skip
            writer.writerow(line | report.features_of(pair))
    return file.getvalue()
