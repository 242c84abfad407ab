"""A small comparison from the command line, with the GPU and without: the same scores?"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from fixtures.recipes import tiny_recipe

COMMAND = [sys.executable, "-c", "from lexigraft.cli.main import main; main()", "compare"]
STRATEGIES = ["keep", "subword_mean", "focus", "tema"]
BOUND = 1e-2


def compare_comparisons() -> int:
    """Print how far the scores of the two runs are apart; 1 where that is more than the bound."""
    with tempfile.TemporaryDirectory() as name:
        adaptation = {"steps": 4, "probe_step": 2, "batch_tokens": 64, "sequence_length": 32, "precision": "float32"}
        recipe = tiny_recipe(Path(name), strategies=STRATEGIES, reference="keep", seeds=[0], adaptation=adaptation)
        there = _scores(recipe, Path(name) / "there", {})
        here = _scores(recipe, Path(name) / "here", {"CUDA_VISIBLE_DEVICES": ""})
    assert here.keys() == there.keys()
    difference = max(abs(here[key] - there[key]) for key in here)
    kept = difference <= BOUND
    print(f"{'ok' if kept else 'BROKEN':7}{len(here)} scores of a comparison: differ by {difference:.1e}")
    return int(not kept)


def _scores(recipe: Path, out: Path, environment: dict[str, str]) -> dict[tuple[str, ...], float]:
    command = [*COMMAND, str(recipe), "--out", str(out)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=os.environ | environment)
    with (out / "results.csv").open(encoding="utf-8") as file:
        return {(r["strategy"], r["step"], r["metric"]): float(r["value"]) for r in csv.DictReader(file)}
