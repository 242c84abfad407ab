"""Record of one comparison, read from its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexigraft.core.evaluation.benchmark.record import ComparisonRecord, MetricRecord
from lexigraft.report.data import read_report
from lexigraft.report.differences import Metric

_SHARED = ("source", "tokenizer", "train")
_SHARED_GROUPS = ("measured.", "graft.", "adaptation.", "evaluation.", "tasks.")


def comparison_record(folder: Path) -> ComparisonRecord:
    """The figures of a finished comparison, with what its cells share.

    Args:
        folder: The comparison's folder.

    Raises:
        LexigraftError: There is no comparison, or none of its cells is finished.
    """
    report = read_report(folder)
    seconds = {row.label: row.cost["seconds"] for row in report.rows if "seconds" in row.cost}
    return ComparisonRecord(
        recorded_inputs(report.comparison.cells[0].parameters),
        report.comparison.reference,
        {metric.name: _metric(metric) for metric in (report.target, *report.tasks)},
        seconds,
        tuple(row.label for row in report.rows if row.is_bound),
    )


def recorded_inputs(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Of a cell's parameters those that it shares with all others of its comparison, but for versions of packages."""
    return {key: value for key, value in parameters.items() if key in _SHARED or key.startswith(_SHARED_GROUPS)}


def _metric(metric: Metric) -> MetricRecord:
    figures = {
        label: {str(seed): value for seed, value in sorted(one.figures.items()) if math.isfinite(value)}
        for label, one in metric.measured.items()
    }
    return MetricRecord(metric.lower_is_better, figures)
