"""A large comparison against one local tracking server: how fast its cells are taken, whether any is lost; its report.

    python benchmarks/tracking/load.py [--cells 1000] [--points 200] [--seeds 20]

The server is `mlflow server` on sqlite with an artifact folder, the results are made up; nothing is trained.
"""

from __future__ import annotations

import argparse
import math
import random
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))

from fixtures.comparisons import made_comparison
from fixtures.tracking import empty_store, free_port, server
from lexigraft.adapters.tracking.runs import child_values
from lexigraft.adapters.tracking.tracker import MlflowTracker
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Score
from lexigraft.core.evaluation.cells.cell_store import save_comparison, save_result
from lexigraft.core.utils.hashing import hash_of
from lexigraft.report.writer import write_report
from measure import machine


def made(cells: int, seeds: int) -> list[Cell]:
    """Strategies × seeds."""
    pairs = [(f"strategy-{i // seeds}", i % seeds) for i in range(cells)]
    facts = {"strategy": "random", "keeps_tokenizer": False, "adaptation.steps": 400}
    return [Cell(label, seed, "source", hash_of([label, seed]), facts) for label, seed in pairs]


def result(cell: Cell, points: int) -> CellResult:
    """A loss curve and two measured scores; as many metric points as asked for, all together."""
    draw = random.Random(cell.key)
    scores = tuple(
        Score(step, "bits_per_byte/heldout", value + draw.random()) for step, value in ((0, 8.0), (400, 2.0))
    )
    losses = tuple((step, 2 + math.exp(-step / 50) + draw.gauss(0, 0.1)) for step in range(1, points - len(scores) + 1))
    return CellResult(cell, scores, losses)


def main() -> int:
    """Print the table; 1 where something is lost or there twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"cells": 1000, "points": 200, "seeds": 20}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home, out = Path(name) / "server", Path(name) / "out"
        empty_store(home / "mlflow.db")
        cells = made(given.cells, given.seeds)
        comparison = made_comparison(cells, "strategy-0")
        save_comparison(out, comparison, "name: load\n")
        port = free_port()
        with server(home, port):
            tracker = MlflowTracker.open(TrackingSettings(uri=f"http://127.0.0.1:{port}", required=True), "load", out)
            began = time.perf_counter()
            tracker.start(comparison, "name: load\n")
            for cell in cells:
                save_result(out, result(cell, given.points))
                tracker.log_cell(result(cell, given.points), out)
            logged = time.perf_counter()
            report = write_report(out)
            reported = time.perf_counter()
            message = tracker.finish(out, report)
            ended = time.perf_counter()
        with closing(sqlite3.connect(home / "mlflow.db")) as database:
            runs = "select count(*) from runs where lifecycle_stage = 'active' and status = 'FINISHED'"
            (taken,) = database.execute(runs).fetchone()
            points = "select count(*) from metrics join runs using (run_uuid) where lifecycle_stage = 'active'"
            (metrics,) = database.execute(points).fetchone()
        wanted = sum(len(child_values(comparison, result(cell, given.points)).metrics) for cell in cells)
        size = (home / "mlflow.db").stat().st_size
        files = sum(path.stat().st_size for path in (home / "artifacts").rglob("*") if path.is_file())
    print(machine())
    print(f"| {given.cells:,} cells × {given.points} metric points | |\n|---|--:|")
    print(f"| logging | {logged - began:,.1f} s |")
    print(f"| cells a second | {given.cells / (logged - began):,.1f} |")
    print(f"| metric points a second | {wanted / (logged - began):,.0f} |")
    print(f"| report | {reported - logged:,.1f} s |")
    print(f"| end of the comparison | {ended - reported:,.1f} s |")
    print(f"| runs lost or twice | {abs(taken - given.cells - 1)} |")
    print(f"| metric points lost or twice | {abs(metrics - wanted)} |")
    print(f"| database, a cell | {size / given.cells / 1e3:,.0f} kB |")
    print(f"| artifacts, a cell | {files / given.cells / 1e3:,.0f} kB |")
    if message:
        print(message, file=sys.stderr)
    return int(bool(message) or taken != given.cells + 1 or metrics != wanted)


if __name__ == "__main__":
    sys.exit(main())
