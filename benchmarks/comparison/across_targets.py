"""Comparisons that differ in their target tokenizer, side by side: bits per byte paired by line and seed.

    lexigraft compare examples/quechua-extend.yaml --out add-1000
    lexigraft compare examples/quechua-extend.yaml --out add-5000 --set 'target_tokenizer={extend: {add: 5000}}'
    python benchmarks/comparison/across_targets.py add-1000 add-5000 …

Texts, seeds and budgets must be the same. Every arm is compared with the first one: mean over the seeds, the difference
with its 95% interval, over lines and seeds, the Holm-corrected p, and the smallest difference that a test would find.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from lexigraft.report.data import read_report
from lexigraft.report.formats import interval, number, p_value, signed


def main(folders: list[str]) -> int:
    """Print a Markdown table; 2 without two comparisons."""
    if len(folders) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    reports = {Path(folder).name: read_report(Path(folder)) for folder in folders}
    rows = {f"{name}: {row.label}": row for name, report in reports.items() for row in report.rows}
    measured = {f"{name}: {label}": m for name, r in reports.items() for label, m in r.target.measured.items()}
    first = next(iter(reports.values())).target
    metric = dataclasses.replace(first, measured=measured, reference=next(iter(measured)))
    columns = ("arm", "tokens", "tokens per word", "bits per byte", "minus the first", "p", "detectable", "source text")
    print(f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}")
    for label, one in measured.items():
        row, against = rows[label], metric.against.get(label)
        cells = (
            f"{row.coverage.get('target_tokens', 0):,.0f}",
            number(row.measures.get("tokens_per_word/heldout")),
            interval(one.estimate),
            signed(against),
            p_value(metric.p_values.get(label)),
            number(against and against.detectable),
            interval(row.source),
        )
        print(f"| {label} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
