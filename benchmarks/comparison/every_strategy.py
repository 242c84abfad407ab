"""Several comparisons side by side, by what each strategy needs: one Markdown table of finished comparison folders.

    python benchmarks/comparison/every_strategy.py "Quechua, masked"=results-qm "Guarani, masked"=results-gm …

Each column is bits per byte on held-out text after adaptation, mean over the seeds (± half of the 95% interval), the
best of each column in bold, bounds and the no-swap control aside; in a comparison with an oracle, the recovered share
stands in parentheses. "Rows" is the longest time that making the rows took, "learned on" the text that the strategy
read while it did.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from lexigraft.api.plugins.strategies import in_words, inputs_that_meet, sort_key
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.strategy import Body, needs_of
from lexigraft.report.data import Report, read_report
from lexigraft.report.formats import count, interval, seconds, share
from lexigraft.report.rows import Row

POOR = "the poor model's body"


def main(arguments: list[str]) -> int:
    """Print the table; 2 without a comparison."""
    if not arguments or not all("=" in a for a in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    folders = {title: Path(folder) for title, folder in (a.rsplit("=", 1) for a in arguments)}
    reports = {title: read_report(folder) for title, folder in folders.items()}
    needs: dict[str, str] = {}
    for folder in folders.values():
        needs |= _needs(folder)
    best = {title: _best(report) for title, report in reports.items()}
    print(f"| strategy | {' | '.join(reports)} | rows | learned on |")
    print("|---|" + "--:|" * (len(reports) + 2))
    group = ""
    for label in needs:
        rows = {title: _row(report, label) for title, report in reports.items()}
        if needs[label] != group:
            group = needs[label]
            print(f"| **{group}** |" + " |" * (len(reports) + 2))
        cells = [_cell(row, label == best[title]) for title, row in rows.items()]
        print(f"| {label} | {' | '.join(cells)} | {_cost(rows)} |")
    return 0


def _needs(folder: Path) -> dict[str, str]:
    """Labels in the order of the list of strategies, with what each needs, in words."""
    recipe = read_recipe(folder / "recipe.yaml")
    found = []
    for line in recipe.strategies:
        chain = make_chain(line.chain)
        enough = inputs_that_meet(needs_of(chain))
        poor = chain[0].body is Body.TARGET
        words = in_words(way for way in enough if way) + (f"; {POOR}" if poor else "")
        found.append(((poor, sort_key(enough)), line.label, words))
    return {label: words for _, label, words in sorted(found, key=lambda f: f[0])}


def _row(report: Report, label: str) -> Row | None:
    return next((row for row in report.rows if row.label == label), None)


def _best(report: Report) -> str:
    rows = [r for r in report.rows if r.final and not r.is_bound and not r.keeps_tokenizer]
    return min(rows, key=lambda r: r.final.mean if r.final else 0.0).label


def _cell(row: Row | None, best: bool) -> str:
    if row is None or row.final is None:
        return "–"
    text = interval(row.final)
    text = f"**{text}**" if best else text
    return f"{text} ({share(row.recovered)})" if row.recovered is not None else text


def _cost(rows: Mapping[str, Row | None]) -> str:
    here = [row.cost for row in rows.values() if row is not None]
    took = max((cost.get("plan_seconds", 0.0) for cost in here), default=0.0)
    return f"{seconds(took)} | {count(max((cost.get('learned_tokens', 0.0) for cost in here), default=0.0))}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
