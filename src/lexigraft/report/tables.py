"""Tables of the report as text cells, shared by the HTML page, the Markdown file and the terminal."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.data import Report
from lexigraft.report.differences import Metric
from lexigraft.report.formats import NOTHING, count, interval, number, p_value, seconds, share, signed, size
from lexigraft.report.metric_names import FERTILITY, MOVED, UNKNOWN
from lexigraft.report.rows import Row
from lexigraft.report.segmentation import FACT

ARMS = "Arms against their control"
HOW_TO_READ_ARMS = (
    "Each arm less its own control at equal tokens, at the end, paired by item and seed. p: of the t test, "
    "Holm-corrected within the column. In brackets, where no difference was told: one of this size would have been "
    "found, four times of five."
)
DIFFERENCE, P_VALUE, BEHIND, P_BEHIND = "vs reference", "p vs reference", "vs best", "p vs best"
SOURCE_TEXT, SECONDS, TOKENS = "source text", "seconds", "tokens"
LOST = 8.0
"""Bits per byte that guessing every byte costs."""


class TextTable(NamedTuple):
    """Column names and rows of text.

    The first column names what a row is about, mostly the strategy.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def ranking(report: Report) -> TextTable:
    """Target bits per byte, best first, without empty columns."""
    best = next((row for row in report.rows if not row.is_bound), None)
    against_best = best is None or not best.is_reference
    return _filled(
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
                signed(row.difference) + _missed(row.difference, row.p),
                NOTHING if row.is_reference else p_value(row.p),
                signed(row.behind) + _missed(row.behind, row.p_behind) if against_best else NOTHING,
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
    return _without(ranking(report), {"step 0", f"step {report.probe_step}", SECONDS, TOKENS})


def short_ranking(report: Report) -> TextTable:
    """The ranking's columns that fit in a terminal, with differences to the best strategy alone."""
    table = ranking(report)
    elsewhere = {SOURCE_TEXT, SECONDS, P_VALUE, P_BEHIND}
    elsewhere |= {f"step {report.probe_step}"} if report.probe_step else set()
    return _without(table, elsewhere | ({DIFFERENCE} if BEHIND in table.columns else set()))


def _without(table: TextTable, columns: Collection[str]) -> TextTable:
    kept = [i for i, column in enumerate(table.columns) if column not in columns]
    return TextTable(tuple(table.columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in table.rows))


def coverage(report: Report) -> TextTable:
    """Counts of matched, new, covered and fallback tokens, with the tokenizer's fertility."""
    rules = sorted({rule for row in report.rows for rule, n in row.matched.items() if n})
    return _filled(
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


def cost(report: Report) -> TextTable:
    """Time, memory and tokens of one cell of each strategy, mean over seeds."""
    return _filled(
        [
            "strategy",
            "seconds",
            "graft",
            "of it plan",
            "adaptation",
            "peak memory",
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
                _before(row) or NOTHING,
                count(row.cost.get("tokens_trained")),
                count(row.cost.get("trainable_parameters")),
            )
            for row in report.rows
        ],
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
            cells += [signed(one) + _missed(one, p), p_value(p)]
        rows.append(tuple(cells))
    return _filled(columns, rows) if rows else TextTable(("arm",), ())


def tasks(report: Report) -> TextTable:
    """The main figure of each downstream task at the end, and how it differs from the reference's."""
    parts = [task(report, metric) for metric in report.tasks]
    columns = ["strategy"]
    for metric in report.tasks:
        columns += [metric.name, f"{DIFFERENCE}: {metric.name}"]
    rows = [(row.label, *(value for part in parts for value in part.rows[i][1:])) for i, row in enumerate(report.rows)]
    return _filled(columns, rows)


def task(report: Report, metric: Metric) -> TextTable:
    """The main figure of one downstream task, as in :func:`tasks`."""
    rows = []
    for row in report.rows:
        found = metric.against.get(row.label)
        p = metric.p_values.get(row.label)
        mark = " *" if p is not None and p < SIGNIFICANT else _missed(found, p)
        rows.append((row.label, interval(metric.measured[row.label].estimate), signed(found) + mark))
    return TextTable(("strategy", metric.measure, DIFFERENCE), tuple(rows))


def _missed(value: Difference | None, p: float | None) -> str:
    """The difference that would have been found, in brackets, where none was told."""
    if value is None or p is None or p < SIGNIFICANT or not math.isfinite(value.detectable):
        return ""
    return f" ({value.detectable:.3f})"


def how_to_read_tasks(report: Report) -> str:
    """How to read the table of tasks."""
    lower = [metric.name for metric in report.tasks if metric.lower_is_better]
    better = f"Lower is better for {', '.join(lower)}; else higher." if lower else "Higher is better."
    return (
        f"At the end of adaptation. {better} Figures: mean ± half of the 95% interval over seeds alone. {DIFFERENCE}: "
        "less the reference, with an interval over items and seeds. *: told from the reference (t test, Holm-corrected "
        "within the column). In brackets, where it was not told: a difference of this size would have been found, four "
        "times of five."
    )


def measures(report: Report) -> TextTable:
    """Every further metric at the end in which rows differ, one a line, mean over seeds."""
    columns = ("measure", *(row.label for row in report.rows))
    rows = [line for line in _measures(report) if not _same(line)]
    return TextTable(columns, tuple(rows))


def how_to_read_measures(report: Report) -> str:
    """How to read the other measures, with those that are the same for all."""
    same = [f"{line[0]} {line[1]}" for line in _measures(report) if _same(line)]
    return "At the end of adaptation, mean over seeds." + (f" The same for all: {', '.join(same)}." if same else "")


def _measures(report: Report) -> list[tuple[str, ...]]:
    rows = [(m, *(_measure(row.measures.get(m)) for row in report.rows)) for m in report.measures]
    return [row for row in rows if set(row[1:]) != {NOTHING}]


def _same(line: tuple[str, ...]) -> bool:
    return len(line) > 2 and len(set(line[1:])) == 1


def token_groups(report: Report) -> TextTable:
    """Held-out bits per byte of tokens by their occurrences in the training text, and of tokens with rows made anew."""
    rows = [
        (row.label, *(interval(metric.measured[row.label].estimate) for metric in report.token_groups.values()))
        for row in report.rows
    ]
    return _filled(["strategy", *report.token_groups], rows)


def how_to_read_token_groups(report: Report, best: str) -> str:
    """How to read the table of token groups, with their sizes and where the best is worse than the reference.

    Args:
        report: The report.
        best: The label of the best contender.
    """
    said = "Held-out text, by occurrences in the training text; ± over seeds."
    sizes = {name: metric.measured[best].weight for name, metric in report.token_groups.items() if name != MOVED}
    if known := [f"{name} {count(size)}" for name, size in sizes.items() if size]:
        said += f" Bytes of them, as {best} cuts the text: {', '.join(known)}."
    if MOVED in report.token_groups:
        said += " moved: tokens whose rows the strategy made, each row's own, so that rows do not compare."
    worse = [
        name
        for name, metric in report.token_groups.items()
        if name != MOVED
        and (found := metric.against.get(best)) is not None
        and found.mean > 0
        and metric.p_values[best] < SIGNIFICANT
    ]
    if worse:
        said += f" Although the best of all, {best} is worse than {report.comparison.reference} in {', '.join(worse)}."
    return said


def facts(report: Report) -> list[tuple[str, str]]:
    """What was compared on what, as name and value."""
    known = dict(report.comparison.facts)
    versions = known.pop("versions", None)
    for shown_elsewhere in ("controls", FACT):
        known.pop(shown_elsewhere, None)
    pairs = [("strategies", str(len(report.comparison.labels)))]
    pairs.append(("seeds", ", ".join(map(str, report.comparison.seeds))))
    pairs += [(name.replace("_", " "), _fact(name, value)) for name, value in known.items() if value not in (None, {})]
    if isinstance(versions, dict):
        pairs.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return pairs


def reproduction(report: Report, best: str) -> list[tuple[str, str]]:
    """What there is to reproduce, with the command that does it in the comparison's folder ``DIR``.

    Args:
        report: The report.
        best: The label whose cell is the example.
    """
    cell = next(cell for cell in report.comparison.cells if cell.label == best)
    return [
        ("Every number", "lexigraft compare DIR/recipe.yaml --out NEW"),
        (
            f"The figures of one strategy and seed, such as {cell.title}",
            f"lexigraft cell run --recipe DIR/recipe.yaml --cell {cell.folder} --out NEW",
        ),
        ("Means, intervals and tests, and these pages, from the finished cells", "lexigraft report DIR"),
        ("Bootstrap intervals and permutation tests beside them", "lexigraft report DIR --resample"),
    ]


def standing(row: Row, report: Report) -> str:
    """How many of the comparison's seeds the row has, where it is not all of them."""
    wanted = len(report.comparison.seeds)
    return "" if len(row.seeds) == wanted else f"{len(row.seeds)} of {wanted} seeds"


def _measure(value: float | None) -> str:
    """A measure: counts as whole numbers, everything else with three digits."""
    return count(value) if value is not None and value > 1 and value == int(value) else number(value)


def tokens(row: Row) -> str:
    """Tokens learned on: before adaptation, where there are any, plus in adaptation."""
    trained, before = count(row.cost.get("tokens_trained")), _before(row)
    return f"{before} + {trained}" if before and trained != NOTHING else trained


def _before(row: Row) -> str:
    """Tokens learned on before adaptation, with a question mark for pre-training that is not recorded."""
    known = count(row.learned_before) if row.learned_before else ""
    return " + ".join(filter(None, (known, "?" if row.pretraining_tokens is None else "")))


def _fact(name: str, value: object) -> str:
    if name.endswith("_hash") or name == "hash":
        return str(value)[:12]
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_about(part)}" for key, part in value.items()) or NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name.endswith("_bytes"):
        return size(value) if value >= 2**20 else f"{value:,.0f} B"
    return count(value) if isinstance(value, int) else f"{value:g}"


def _about(part: object) -> str:
    """One entry of a fact: a task's evaluator and size, or a plain value."""
    if isinstance(part, dict) and {"evaluator", "items"} <= part.keys():
        return f"{part['evaluator']} on {count(part['items'])} items"
    return count(part) if isinstance(part, int) else str(part)


def _filled(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> TextTable:
    """The table without its empty columns."""
    kept = [i for i in range(len(columns)) if i == 0 or any(r[i] != NOTHING for r in rows)]
    return TextTable(tuple(columns[i] for i in kept), tuple(tuple(r[i] for i in kept) for r in rows))


def markdown_table(table: TextTable, names: Sequence[str] | None = None) -> Iterator[str]:
    """A table's lines in Markdown.

    Args:
        table: The table.
        names: What stands in the first column instead.
    """
    yield _markdown_row(table.columns)
    yield "|---|" + "--:|" * (len(table.columns) - 1)
    for i, row in enumerate(table.rows):
        yield _markdown_row((names[i] if names else row[0], *row[1:]))


def _markdown_row(values: tuple[str, ...]) -> str:
    return "| " + " | ".join(v.replace("|", "\\|") for v in values) + " |"
