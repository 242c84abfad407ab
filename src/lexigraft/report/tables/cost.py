"""Cost of one cell of each strategy: time, memory, tokens."""

from __future__ import annotations

from lexigraft.report.data import Report
from lexigraft.report.formats import NOTHING, count, seconds, size
from lexigraft.report.rows import Row
from lexigraft.report.tables.text_table import TextTable, filled


def cost(report: Report) -> TextTable:
    """Time, memory and tokens of one cell of each strategy, mean over seeds."""
    return filled(
        [
            "strategy",
            "seconds",
            "graft",
            "of it plan",
            "adaptation",
            "peak memory",
            "pre-training",
            "tokens before adaptation",
            "tokens in adaptation",
            "trainable parameters",
        ],
        [
            (
                row.label,
                seconds(row.cost.get("seconds")),
                seconds(row.cost.get("graft_seconds")),
                seconds(row.cost.get("plan_seconds")),
                seconds(row.cost.get("adapt_seconds")),
                size(row.cost.get("peak_rss_bytes")),
                _pretraining(row),
                _before(row) or NOTHING,
                count(row.cost.get("tokens_trained")),
                count(row.cost.get("trainable_parameters")),
            )
            for row in report.rows
        ],
    )


def tokens(row: Row) -> str:
    """Tokens learned on: before adaptation, where there are any, plus in adaptation."""
    trained, before = count(row.cost.get("tokens_trained")), _before(row)
    return f"{before} + {trained}" if before and trained != NOTHING else trained


def _pretraining(row: Row) -> str:
    """Time of the pre-training of the model that a strategy starts from, where it starts from one."""
    if row.pretraining_tokens == 0:
        return NOTHING
    return "not recorded" if row.pretraining_seconds is None else seconds(row.pretraining_seconds)


def _before(row: Row) -> str:
    """Tokens learned on before adaptation, with a question mark for pre-training that is not recorded."""
    known = count(row.learned_before) if row.learned_before else ""
    return " + ".join(filter(None, (known, "?" if row.pretraining_tokens is None else "")))
