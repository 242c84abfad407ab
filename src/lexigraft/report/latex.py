"""Tables in LaTeX, for booktabs."""

from __future__ import annotations

from lexigraft.report.formats import NOTHING
from lexigraft.report.tables.text_table import TextTable

_ESCAPES = {"\\": r"\textbackslash{}", **{c: "\\" + c for c in "&%$#_{}"}, "~": r"\textasciitilde{}", "^": r"\^{}"}
_SIGNS = {"−": "$-$", "±": r"$\pm$", "<": "$<$", NOTHING: "--"}


def latex_table(table: TextTable) -> str:
    """A tabular with the table's text; the first column is flush left.

    Args:
        table: The table.
    """
    lines = [r"\begin{tabular}{l" + "r" * (len(table.columns) - 1) + "}", r"\toprule", _row(table.columns), r"\midrule"]
    return "\n".join([*lines, *map(_row, table.rows), r"\bottomrule", r"\end{tabular}"]) + "\n"


def _row(values: tuple[str, ...]) -> str:
    return " & ".join("".join((_ESCAPES | _SIGNS).get(c, c) for c in value) for value in values) + r" \\"
