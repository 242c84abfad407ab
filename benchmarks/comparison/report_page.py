"""Size of the report's page, and the time until a browser has laid it out, for many strategies and seeds.

    python benchmarks/comparison/report_page.py [--strategies 30] [--seeds 5] [--tokens 5000]

The results are made up. The time is of headless Chromium, from the start of loading until the page is laid out and its
scripts have run. It says something only on a machine that does nothing else; elsewhere look at the browser's processor
time beyond that of an empty page.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))

from fixtures.comparisons import made_cells, made_comparison, made_result
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.core.grafting.tracked_rows import sampled_tokens
from lexigraft.core.utils.hashing import hash_of
from lexigraft.report.writer import write_report
from measure import machine

LAID_OUT = """<script>addEventListener("load", () => {
  document.body.dataset.height = document.body.offsetHeight;
  document.body.dataset.ready = performance.now();
});</script>"""
RUNS = 3


def write_folder(folder: Path, strategies: int, seeds: int, tokens: int) -> None:
    """A finished comparison whose strategies have the curves of :mod:`fixtures.comparisons` by turns."""
    made = [cell for cell in made_cells((0,)) if cell.body == "source" and cell.label not in ("keep", "oracle")]
    known: dict[Cell, Cell] = {}
    for n in range(strategies):
        like = made[n % len(made)]
        for seed in range(seeds):
            label = f"{like.label}-{n}" if n >= len(made) else like.label
            like_seed = dataclasses.replace(like, seed=seed)
            known[dataclasses.replace(like_seed, label=label, key=hash_of([label, seed]))] = like_seed
    save_comparison(folder, made_comparison(list(known), "random"), "name: many\n")
    for cell, like in known.items():
        save_result(folder, dataclasses.replace(made_result(like), cell=cell))
        if cell.seed == 0:
            sources = [[f"source{i}", "▁of", "▁row"] for i in range(tokens)]
            rows = {"token": [f"▁token{i}" for i in range(tokens)], "rule": [cell.label] * tokens}
            weights = {"source_tokens": sources, "weights": [[0.5, 0.3, 0.2]] * tokens}
            pq.write_table(pa.table(rows | weights), cell_folder(folder, cell) / "provenance.parquet")
            pq.write_table(followed(tokens), cell_folder(folder, cell) / "neighbors.parquet")


def followed(tokens: int) -> pa.Table:
    """Tokens with neighbors that differ from token to token, before and after adaptation."""
    ids = sampled_tokens(np.arange(tokens), np.arange(tokens)[::-1])
    columns = {"target_id": ids, "token": [f"▁token{i}" for i in ids]}
    for shift, when in enumerate(("before", "after")):
        columns[f"norm_{when}"] = ids / 1000 + shift
        columns[f"neighbors_{when}"] = [[f"▁token{(7 * i + n + shift) % tokens}" for n in range(5)] for i in ids]
        columns[f"cosines_{when}"] = [[0.5] * 5 for _ in ids]
    return pa.table(columns)


class Shown(NamedTuple):
    """How a browser showed a page: milliseconds until scripts had run, and seconds of processor time of the browser."""

    milliseconds: float
    processor: float


def median(pages: Iterable[Shown]) -> Shown:
    """The medians of several runs."""
    return Shown(*map(statistics.median, zip(*pages, strict=True)))


def ready(page: Path, browser: str) -> Shown:
    """How the browser shows a page until it is laid out and its scripts have run."""
    shown = page.with_name("ready.html")
    shown.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{LAID_OUT}</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--timeout=20000", "--dump-dom", shown.as_uri()]
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    after = os.times()
    found = re.search(r'data-ready="([\d.]+)"', done.stdout)
    processor = sum(after[2:4]) - sum(before[2:4])
    return Shown(float(found.group(1)) if found else float("nan"), processor)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"strategies": 30, "seeds": 5, "tokens": 5000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(folder, given.strategies, given.seeds, given.tokens)
        began = time.process_time()
        page = write_report(folder).html
        written = time.process_time() - began
        browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        empty = folder / "empty.html"
        empty.write_text("<!doctype html><body></body>", encoding="utf-8")
        shown = [median([ready(path, browser) for _ in range(RUNS)]) for path in (page, empty)] if browser else []
        print(machine())
        print(f"| {given.strategies} strategies × {given.seeds} seeds | |\n|---|--:|")
        print(f"| page | {page.stat().st_size / 1e6:.2f} MB |")
        print(f"| report written, processor time | {written:.1f} s |")
        if shown:
            whole, nothing = shown
            print(f"| laid out in a browser, median of {RUNS} | {whole.milliseconds:,.0f} ms |")
            print(f"| an empty page | {nothing.milliseconds:,.0f} ms |")
            beyond = whole.processor - nothing.processor
            print(f"| the browser's processor time beyond an empty page's | {beyond:.2f} s |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
