"""What `lexigraft doctor RECIPE --rehearse` predicts beside what the comparison then takes.

    python benchmarks/comparison/rehearsal.py RECIPE.yaml FOLDER

Rehearses the recipe with `random` alone and one seed, then runs that comparison into FOLDER, which must be new, and
prints seconds and memory of both with their ratio: of a cell, and of all with what is made once.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from lexigraft.api.compare.run import compare
from lexigraft.api.doctor.rehearsal import rehearse
from lexigraft.core.config.recipe_files import read_recipe

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import machine, row

ONE: dict[str, Any] = {"strategies": ["random"], "seeds": [0], "reference": "random", "tracking.enabled": False}


def main(recipe: str, folder: str) -> int:
    """Print a Markdown table; 2 where the folder is there already."""
    if Path(folder).exists():
        print(f"{folder} exists; a comparison that has run tells nothing", file=sys.stderr)
        return 2
    predicted = rehearse(read_recipe(Path(recipe), ONE))
    # A process of its own, as the rehearsal had.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, cost = pool.submit(_compared, recipe, folder).result()
    print(f"{machine()}; {Path(recipe).name} with `random` and one seed\n")
    print("| what | predicted | taken | taken / predicted |\n|---|---|---|---|")
    print(row("a cell", predicted.cell_seconds, cost["seconds"], "s"))
    print(row("all", predicted.seconds, seconds, "s"))
    print(row("memory", predicted.peak_bytes / 2**30, cost["peak_rss_bytes"] / 2**30, "GiB"))
    return 0


def _compared(recipe: str, folder: str) -> tuple[float, dict[str, float]]:
    started = time.perf_counter()
    done = compare(recipe, folder, overrides=ONE)
    return time.perf_counter() - started, dict(done.results[0].cost)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(*sys.argv[1:]))
