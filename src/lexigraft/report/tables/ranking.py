"""Ranking of the strategies by target bits per byte."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.report.data import Report
from lexigraft.report.formats import NOTHING, interval, missed, number, p_value, seconds, signed
from lexigraft.report.tables.cost import tokens
from lexigraft.report.tables.text_table import TextTable, filled, without

DIFFERENCE, P_VALUE, BEHIND, P_BEHIND = "vs reference", "p vs reference", "vs best", "p vs best"
SOURCE_TEXT, SECONDS, TOKENS = "source text", "seconds", "tokens"
LOST = 8.0
"""Bits per byte that guessing every byte costs."""


def ranking(report: Report) -> TextTable:
    """Target bits per byte, best first, without empty columns."""
    best = next((row for row in report.rows if not row.is_bound), None)
    against_best = best is None or not best.is_reference
    return filled(
        [
            "strategy",
            "bits per byte",
            DIFFERENCE,
            P_VALUE,
            BEHIND,
            P_BEHIND,
            "step 0",
            f"step {report.probe_step}",
            SOURCE_TEXT,
            "recovered",
            SECONDS,
            TOKENS,
        ],
        [
            (
                row.label,
                interval(row.final),
                signed(row.difference) + missed(row.difference, row.p),
                NOTHING if row.is_reference else p_value(row.p),
                signed(row.behind) + missed(row.behind, row.p_behind) if against_best else NOTHING,
                p_value(row.p_behind) if against_best else NOTHING,
                number(row.start),
                number(row.probe) if report.probe_step else NOTHING,
                interval(row.source) if row.body == "source" else NOTHING,
                NOTHING if row.recovered is None else f"{row.recovered:.0%}",
                seconds(row.cost.get("seconds")),
                tokens(row),
            )
            for row in report.rows
        ],
    )


def how_to_read_ranking(report: Report, columns: Sequence[str]) -> list[str]:
    """How to read the ranking's columns.

    Args:
        report: The report.
        columns: Those that are there.
    """
    spread = any(row.final and row.final.half_width is not None for row in report.rows)
    missed = "In brackets, where it was not told: a difference of this size would have been found, four times of five."
    sentences = {
        DIFFERENCE: f"{DIFFERENCE}: less {report.comparison.reference}, ± half of its interval over {_over(report)}.",
        P_VALUE: "p: of that difference's t test, Holm-corrected.",
        BEHIND: f"{BEHIND}: the same, less the best contender; its p is corrected over all pairs.",
        SOURCE_TEXT: f"{SOURCE_TEXT}: bits per byte on source-language text, ± over seeds.{_lost(report)}",
        "recovered": "recovered: the way from random rows (0%) to the right rows (100%).",
        SECONDS: "seconds: of one whole run, pre-training not included.",
        TOKENS: "tokens: learned on before adaptation, pre-training included (?: not recorded), plus in adaptation.",
    }
    known = [sentence for column, sentence in sentences.items() if column in columns]
    return [
        "Mean ± half of the 95% interval over seeds alone." if spread else "One value each, without intervals.",
        *known,
        *([missed] if {DIFFERENCE, BEHIND} & set(columns) else []),
    ]


def _over(report: Report) -> str:
    """What a difference's interval is over."""
    found = next((row.difference for row in report.rows if row.difference is not None), None)
    if found is None:
        return ""
    return " and ".join(["lines"] * bool(found.items) + ["seeds"] * (found.seeds > 1))


def _lost(report: Report) -> str:
    lost = [row.label for row in report.rows if row.body == "source" and row.source and row.source.mean > LOST]
    if not lost:
        return ""
    return f" Above {LOST:g}, what guessing bytes costs, the source language is lost: {', '.join(lost)}."


def summary(report: Report) -> TextTable:
    """The ranking's columns that fit on a page: without early steps and cost, which are shown elsewhere."""
    return without(ranking(report), {"step 0", f"step {report.probe_step}", SECONDS, TOKENS})


def short_ranking(report: Report) -> TextTable:
    """The ranking's columns that fit in a terminal, with differences to the best strategy alone."""
    table = ranking(report)
    elsewhere = {SOURCE_TEXT, SECONDS, P_VALUE, P_BEHIND}
    elsewhere |= {f"step {report.probe_step}"} if report.probe_step else set()
    return without(table, elsewhere | ({DIFFERENCE} if BEHIND in table.columns else set()))
