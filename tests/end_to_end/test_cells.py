"""Cells of a recipe one at a time, as machines that share the work run them: the same results as one comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.commands import Outcome, lexigraft
from fixtures.recipes import tinier_poor_model, tiny_recipe
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results

STRATEGIES = ["random", "focus", "tema"]
PROGRAM = [sys.executable, "-m", "lexigraft"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}

FOCUS_ALONE = ["--set", 'strategies=["focus"]', "--set", "reference=null", "--set", "poor_model=null"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return tiny_recipe(folder, strategies=STRATEGIES, seeds=[0], poor_model=tinier_poor_model(folder))


@pytest.fixture(scope="module")
def compared(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compared") / "out"
    assert lexigraft("compare", recipe, "--out", out, "--set", "tracking.enabled=false").code == 0
    return out


def planned(recipe: Path, *more: object) -> dict[str, Any]:
    found: dict[str, Any] = lexigraft("cell", "plan", recipe, "--json", *more).json
    return found


def run(recipe: Path, cell: str, out: Path, *more: object) -> Outcome:
    return lexigraft("cell", "run", "--recipe", recipe, "--cell", cell, "--out", out, *more)


def figures(out: Path) -> dict[str, Any]:
    return {r.cell.folder: (r.scores, r.losses, r.coverage) for r in load_results(out, load_comparison(out))}


def test_a_plan_names_stages_cells_and_what_each_waits_for(recipe: Path) -> None:
    plan = planned(recipe)
    after = {stage["id"]: stage["after"] for stage in plan["stages"]}
    assert after == {
        "tokenizer": [],
        "target_vectors": ["tokenizer"],
        "poor_model": ["tokenizer"],
        "comparison": ["tokenizer", "poor_model"],
    }
    assert {cell["id"]: cell["after"] for cell in plan["cells"]} == {
        "random-s0": ["tokenizer", "poor_model"],
        "focus-s0": ["tokenizer", "poor_model", "target_vectors"],
        "tema-s0": ["tokenizer", "poor_model"],
    }
    assert {cell["key"] for cell in plan["cells"]} == {None}
    assert [stage["address"] is None for stage in plan["stages"]] == [False, True, True, True]
    assert "tokenizer, poor_model, target_vectors" in lexigraft("cell", "plan", recipe).out


@pytest.mark.slow
def test_stages_and_cells_by_themselves_make_what_a_comparison_makes(
    recipe: Path, compared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for stage in ("tokenizer", "poor_model", "target_vectors", "comparison"):
        done = lexigraft("cell", "prepare", "--recipe", recipe, "--stage", stage, "--out", out, "--json")
        assert done.code == 0, done.err
        assert done.json["done"], stage
        assert next(s for s in planned(recipe, "--out", out)["stages"] if s["id"] == stage) == done.json
    assert (
        "was made before" in lexigraft("cell", "prepare", "--recipe", recipe, "--stage", "poor_model", "--out", out).err
    )
    for cell in ("random-s0", "focus-s0", "tema-s0"):
        assert run(recipe, cell, out, "--no-track").code == 0
    assert all(cell["done"] and cell["key"] for cell in planned(recipe, "--out", out)["cells"])
    assert figures(out) == figures(compared)
    names = {str(p.relative_to(compared / "prepared")) for p in (compared / "prepared").rglob("*") if p.is_file()}
    made = {str(p.relative_to(out / "prepared")) for p in (out / "prepared").rglob("*") if p.is_file()}
    assert made - names == {p for p in made if p.startswith("stages/")}
    assert names <= made
    again = lexigraft("compare", recipe, "--out", out, "--set", "tracking.enabled=false")
    assert "3 finished before" in again.err
    assert (out / "results.csv").read_text() == (compared / "results.csv").read_text()


@pytest.mark.slow
def test_a_finished_cell_is_skipped_and_logged_once(recipe: Path, tmp_path: Path) -> None:
    from fixtures.tracking import empty_store

    store = f"tracking.uri={empty_store(tmp_path / 'runs.db')}"
    out = tmp_path / "out"
    first = run(recipe, "random-s0", out, "--json", "--set", store)
    second = run(recipe, "random-s0", out, "--json", "--set", store)
    assert (first.json["before"], second.json["before"]) == (False, True)
    assert "finished before" in second.err
    assert first.json["scores"] == second.json["scores"]
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'runs.db'}")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert sorted(r.data.tags["lexigraft.kind"] for r in runs) == ["cell", "comparison"]


@pytest.mark.remote
def test_two_processes_on_one_cell_run_it_once(recipe: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "cell", "run", "--recipe", str(recipe), "--cell", "focus-s0", "--out", str(tmp_path / "out")]
    both = [
        subprocess.Popen([*command, "--no-track", "--json"], env=ENVIRONMENT, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    one, two = (json.loads(out) for out, _ in told)
    assert one["cost"] == two["cost"]  # the same run's seconds, not those of a second one
    said = "".join(err for _, err in told)
    assert said.count("training a unigram tokenizer") == said.count("pre-training the poor model") == 1


@pytest.mark.parametrize(
    ("cell", "words"),
    [("focs-s0", "unknown cell: focs-s0. Did you mean 'focus-s0'?"), ("focus-s0-0123456789ab", "has another key")],
)
def test_a_cell_that_the_recipe_lacks_is_named(recipe: Path, tmp_path: Path, cell: str, words: str) -> None:
    done = run(recipe, cell, tmp_path / "out", "--no-track", *FOCUS_ALONE)
    assert done.code == 2
    assert words in done.err


def test_a_stage_that_the_recipe_lacks_is_named(recipe: Path, tmp_path: Path) -> None:
    done = lexigraft("cell", "prepare", "--recipe", recipe, "--stage", "tokeniser", "--out", tmp_path / "out")
    assert done.code == 2
    assert "unknown stage: tokeniser. Did you mean 'tokenizer'?" in done.err
    assert not (tmp_path / "out").exists()


def test_a_cell_that_fails_says_why_and_leaves_the_reason(recipe: Path, tmp_path: Path) -> None:
    done = run(
        recipe, "focus-s0", tmp_path / "out", "--no-track", *FOCUS_ALONE, "--set", "target_vectors.min_count=999999"
    )
    assert done.code == 2
    assert "no token got a vector" in done.err or "fastText training failed" in done.err
    (reason,) = (tmp_path / "out").glob("cells/focus-s0-*/error.txt")
    assert reason.read_text().strip() in done.err


def test_labels_that_look_alike_in_a_folder_name_are_told_apart(recipe: Path) -> None:
    lines = '[{"name": "random", "label": "a b"}, {"name": "mean", "label": "a/b"}]'
    more = ["--set", f"strategies={lines}", "--set", "reference=null", "--set", "poor_model=null"]
    ids = [cell["id"] for cell in planned(recipe, *more)["cells"]]
    assert len(set(ids)) == 2
    assert ids[0] == "a_b-s0"
