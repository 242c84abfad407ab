"""Time of a comparison's cells: whether it decides anything, and what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.report.formats import count, seconds
from lexigraft.report.rows import Row

ALIKE = 1.5
"""Times within this factor of each other say nothing: a busy machine makes as much."""


def same_time(rows: Sequence[Row]) -> str:
    """A sentence that time decides nothing, where it does not.

    Args:
        rows: The strategies.
    """
    times = [row.cost["seconds"] for row in rows if "seconds" in row.cost]
    if len(times) < 2 or max(times) > ALIKE * min(times):
        return ""
    return f"All took {seconds(min(times))} to {seconds(max(times))}, so the time of a run does not decide."


def quality_and_cost(rows: Sequence[Row], left_out: Sequence[str], *, drawn: bool) -> str:
    """What the section on quality and cost says; empty where no times are known.

    Args:
        rows: The strategies.
        left_out: Labels that the figure leaves out.
        drawn: Whether there is a figure.
    """
    said = same_time(rows)
    if drawn:
        said = "Target bits per byte at the end by the seconds of a whole run: graft, adaptation and measuring."
        if left_out:
            said += f" Far above the others and left out: {', '.join(left_out)}."
    return f"{said} {not_counted(rows)}".strip() if said else ""


def not_counted(rows: Sequence[Row]) -> str:
    """What the times of some strategies leave out.

    Args:
        rows: The strategies.
    """
    started = [row for row in rows if row.pretraining_tokens != 0]
    if not started:
        return ""
    known = started[0].pretraining_tokens
    tokens = f" ({count(known)} tokens)" if known else ""
    return f"Not counted: the pre-training{tokens} of the model of {', '.join(row.label for row in started)}."
