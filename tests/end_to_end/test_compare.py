"""A comparison as a user runs it: from a recipe to results, report and tracked runs; killed and resumed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.commands import lexigraft
from fixtures.recipes import STRATEGIES, tinier_poor_model, tiny_recipe
from lexigraft.adapters.tracking.client import connect
from lexigraft.core.evaluation.item_store import load_items
from lexigraft.core.models.loading import load_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]
COMMAND = [sys.executable, "-c", "from lexigraft.cli.main import main; main()", "compare"]
PART = (
    *("--set", "strategies=[subword_mean, focus, tema]", "--set", "reference=subword_mean", "--set", "seeds=[0]"),
    *("--set", "tracking.enabled=false"),
)
"""Fewer cells of the same comparison, without a tracking store."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Comparisons in this process round sums as those in processes of their own do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def finished(recipe: Path, out: Path, *more: str) -> str:
    done = lexigraft("compare", recipe, "--out", out, *more)
    assert done.code == 0, done
    return done.out + done.err


def results(out: Path) -> dict[tuple[str, ...], float]:
    with (out / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["strategy", "seed", "body", "step", "metric", "value"]
    return {tuple(r[k] for k in ("strategy", "seed", "body", "step", "metric")): float(r["value"]) for r in rows}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    folder = tmp_path_factory.mktemp("whole")
    task = {"evaluator": "bits_per_byte", "files": {"text": "./english.txt"}, "at": ["start", "end"]}
    evaluation = {"options": {"bits_per_byte": {"stripes": 2, "within_word": "whole"}}, "tasks": {"page": task}}
    recipe = tiny_recipe(folder, evaluation=evaluation, poor_model=tinier_poor_model(folder))
    return recipe, folder / "out", finished(recipe, folder / "out")


def test_every_strategy_is_measured_at_every_point(whole: tuple[Path, Path, str]) -> None:
    _, out, text = whole
    found = results(out)
    for name in STRATEGIES:
        for seed in "01":
            steps = {k[3] for k in found if k[0] == name and k[1] == seed and k[4] == "bits_per_byte/heldout"}
            assert steps == {"0", "2", "4"}, name
            assert any(k[0] == name and k[4] == "bits_per_byte/source" for k in found)
        assert name in text
        assert name in (out / "report.html").read_text(encoding="utf-8")
    facts = json.loads((out / "comparison.json").read_text(encoding="utf-8"))["facts"]
    [poor] = (path for path in (out / "prepared").glob("poor-*") if path.is_dir())
    for name, folder in (("source", out.parent / "source"), ("poor_model", poor)):
        assert facts[f"{name}_parameters"] == sum(p.numel() for p in load_model(folder).parameters())
    assert facts["pretraining_seconds"] > 0
    assert "Segmentation before and after" in (out / "report.md").read_text(encoding="utf-8")
    bodies = {k[0]: k[2] for k in found}
    assert bodies["tema"] == bodies["poor"] == "target"
    assert bodies["focus"] == bodies["keep"] == "source"


def test_figures_of_rare_and_moved_tokens_are_there_where_they_mean_something(whole: tuple[Path, Path, str]) -> None:
    _, out, _ = whole
    found = {(k[0], k[4]) for k in results(out)}
    assert all((name, "bits_per_byte_seen_0-4/heldout") in found for name in STRATEGIES)
    moving = {name for name, metric in found if metric == "bits_per_byte_moved/heldout"}
    assert {"focus", "random", "subword_mean"} <= moving
    assert not {"keep", "poor"} & moving
    assert len(list((out / "prepared" / "counts").glob("*.npy"))) == 2  # of the source's tokenizer and of the target's


def test_runs_are_tracked_once(whole: tuple[Path, Path, str]) -> None:
    recipe, out, _ = whole
    finished(recipe, out)
    client = connect(f"sqlite:///{recipe.parent}/mlflow.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    kinds = Counter(run.data.tags["lexigraft.kind"] for run in runs)
    assert kinds == {"comparison": 1, "cell": len(STRATEGIES) * 2}
    focus = next(r for r in runs if r.data.params.get("strategy") == "focus")
    assert focus.data.params["fields.focus.temperature"] == "1.0"
    assert "bits_per_byte/heldout" in focus.data.metrics
    assert {r.info.status for r in runs} == {"FINISHED"}


def part_of(found: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """The results of the cells that :data:`PART` leaves."""
    return {key: value for key, value in found.items() if key[0] in ("subword_mean", "focus", "tema") and key[1] == "0"}


def test_killed_and_resumed_it_ends_with_the_same_numbers(whole: tuple[Path, Path, str], tmp_path: Path) -> None:
    recipe, reference, _ = whole
    out = tmp_path / "out"
    command = [*COMMAND, str(recipe), "--out", str(out), *PART]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 300
    while not list(out.glob("cells/*/result.json")):
        assert process.poll() is None
        assert time.time() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {p: p.stat().st_mtime_ns for p in out.glob("cells/*/result.json")}
    text = finished(recipe, out, *PART)
    assert "finished before" in text
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert results(out) == part_of(results(reference))
    for path in out.glob("cells/*/items/*.parquet"):
        found, wanted = load_items(path), load_items(reference / path.relative_to(out))
        assert list(found) == list(wanted)
        for metric, outcomes in wanted.items():
            assert all(map(np.array_equal, outcomes, found[metric])), f"{metric} in {path}"
    assert {path.stem for path in out.glob("cells/focus-*/items/*")} == {"step-0", "step-2", "step-4"}
    assert "bits_per_byte/page" in load_items(next(out.glob("cells/focus-*/items/step-4.parquet")))


@pytest.mark.remote
def test_two_jobs_give_the_same_numbers(whole: tuple[Path, Path, str], tmp_path: Path) -> None:
    recipe, reference, _ = whole
    finished(recipe, tmp_path / "out", *PART, "--jobs", "2")
    assert results(tmp_path / "out") == pytest.approx(part_of(results(reference)), abs=1e-6)
