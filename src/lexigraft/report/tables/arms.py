"""Arms of adaptation against their controls."""

from __future__ import annotations

from lexigraft.report.data import Report
from lexigraft.report.formats import missed, p_value, signed
from lexigraft.report.tables.text_table import TextTable, filled

ARMS = "Arms against their control"
HOW_TO_READ_ARMS = (
    "Each arm less its own control at equal tokens, at the end, paired by item and seed. p: of the t test, "
    "Holm-corrected within the column. In brackets, where no difference was told: one of this size would have been "
    "found, four times of five."
)


def arms(report: Report) -> TextTable:
    """Each arm against its own control: target and source bits per byte, and the main figure of each task."""
    columns = ["arm", "control"]
    metrics = report.tested
    found = [metric.against_controls(report.controls) for metric in metrics]
    for metric in metrics:
        columns += [f"difference: {metric.name}", f"p: {metric.name}"]
    rows = []
    for label, control in report.controls.items():
        cells = [label, control]
        for of_metric in found:
            one, p = of_metric.get(label, (None, None))
            cells += [signed(one) + missed(one, p), p_value(p)]
        rows.append(tuple(cells))
    return filled(columns, rows) if rows else TextTable(("arm",), ())
