"""Coverage of the target vocabulary: what each strategy's graft matched, made new and left to the fallback."""

from __future__ import annotations

from lexigraft.report.data import Report
from lexigraft.report.formats import count, number, share
from lexigraft.report.metric_names import FERTILITY, UNKNOWN
from lexigraft.report.tables.text_table import TextTable, filled


def coverage(report: Report) -> TextTable:
    """Counts of matched, new, covered and fallback tokens, with the tokenizer's fertility."""
    rules = sorted({rule for row in report.rows for rule, n in row.matched.items() if n})
    return filled(
        [
            "strategy",
            "target tokens",
            *(f"matched: {rule}" for rule in rules),
            "new",
            "covered",
            "fallback",
            "tokens per word",
            "unknown",
        ],
        [
            (
                row.label,
                count(row.coverage.get("target_tokens")),
                *(count(row.matched.get(rule)) for rule in rules),
                count(row.coverage.get("new")),
                count(row.coverage.get("covered")),
                share(row.fallback_share),
                number(row.measures.get(FERTILITY, row.coverage.get("fertility")), 2),
                share(row.measures.get(UNKNOWN)),
            )
            for row in report.rows
        ],
    )
