"""What the compared strategies do, in the words of their own records."""

from __future__ import annotations

from lexigraft.core.evaluation.cells.cell import Comparison
from lexigraft.core.registry import by_any_name


def summaries(comparison: Comparison) -> dict[str, str]:
    """The first sentence of each strategy's record, by label; those of a chain one after the other.

    Args:
        comparison: The comparison. A strategy that this installation does not have is left out.
    """
    plugins = by_any_name("strategy")
    found = {}
    for cell in comparison.cells:
        names = str(cell.parameters.get("strategy", cell.label)).split("+")
        if cell.label not in found and all(name in plugins for name in names):
            said = [plugins[name].record.summary for name in names]
            found[cell.label] = " Then, for what is left: ".join(said)
    return {label: text for label, text in found.items() if text}
