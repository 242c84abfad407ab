"""Cost account of a comparison: whether time decides anything, what it leaves out, how large the models are."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.core.evaluation.cells.cell import Comparison
from lexigraft.core.evaluation.cells.cost_metadata import PRETRAINED_PARAMETERS, SOURCE_PARAMETERS
from lexigraft.report.data import Report
from lexigraft.report.formats import count, seconds
from lexigraft.report.rows import Row

ONE_RUN = "One run of each strategy, mean over seeds; of it plan: what the strategy itself took, part of the graft."
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
    tokens, took = started[0].pretraining_tokens, started[0].pretraining_seconds
    known = [f"{count(tokens)} tokens"] if tokens else []
    known.append("time not recorded" if took is None else seconds(took))
    return f"Not counted: the pre-training ({', '.join(known)}) of the model of {', '.join(r.label for r in started)}."


def model_sizes(comparison: Comparison) -> str:
    """The parameters of the source model, and of the target-language model that was pre-trained beside it.

    Args:
        comparison: The comparison, with its facts.
    """
    known = comparison.facts.get(SOURCE_PARAMETERS)
    said = f"Parameters: source model {'not recorded' if known is None else count(known)}"
    if (poor := comparison.facts.get(PRETRAINED_PARAMETERS)) is not None:
        said += f", pre-trained model {count(poor)}"
    return f"{said}."


def how_to_read_cost(report: Report) -> str:
    """How to read the table of costs, with what is known of the whole comparison."""
    return " ".join(filter(None, (ONE_RUN, not_counted(report.rows), model_sizes(report.comparison))))
