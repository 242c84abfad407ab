"""Differences between the arms of a comparison in every metric of which single items were kept, also on other texts.

    python benchmarks/comparison/arm_differences.py RESULTS "subword_mean, plain"

The report tests bits per byte on held-out target text and tasks; this adds source text, further texts and groups of
tokens. For each metric: the mean over seeds, the difference to the named arm with its 95% interval over items and
seeds, its p, corrected by Holm over the arms, and the smallest difference that a test would find.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lexigraft.core.evaluation.item_store import load_items
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.intervals import estimate, holm
from lexigraft.core.evaluation.statistics.paired_comparison import difference
from lexigraft.report.data import read_report
from lexigraft.report.formats import interval, number, p_value, signed


def items_at_end(folder: Path, label: str) -> dict[str, list[ItemScores]]:
    """The outcomes of an arm's items at its last step, by metric, one for each seed."""
    found: dict[str, list[ItemScores]] = {}
    for cell in sorted((folder / "cells").glob(f"{label.replace(' ', '_')}-s*")):
        last = max((cell / "items").glob("step-*.parquet"), key=lambda path: int(path.stem.partition("-")[2]))
        for metric, scores in load_items(last).items():
            found.setdefault(metric, []).append(scores)
    return found


def main(arguments: list[str]) -> int:
    """Print a Markdown table; 2 without a comparison and an arm."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder, reference = Path(arguments[0]), arguments[1]
    arms = {row.label: items_at_end(folder, row.label) for row in read_report(folder).rows}
    print("| metric | arm | mean over seeds | minus the reference | p | detectable |\n|---|---|--:|--:|--:|--:|")
    for metric, theirs in arms[reference].items():
        against = {
            label: difference(items[metric], theirs)
            for label, items in arms.items()
            if label != reference and metric in items
        }
        corrected = holm({label: one.p for label, one in against.items() if one.p is not None})
        for label in (reference, *against):
            mean = interval(estimate([scores.ratio for scores in arms[label][metric]]))
            one = against.get(label)
            cells = (mean, signed(one), p_value(corrected.get(label)), number(one and one.detectable))
            print(f"| {metric} | {label} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
