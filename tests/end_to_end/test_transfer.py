"""A transfer study as a user runs it: donors and targets, controls, a graft; killed and resumed; bad recipes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from fixtures.commands import lexigraft
from fixtures.transfers import grafting, matrix, transfer_recipe
from lexigraft.core.evaluation.statistics.paired_comparison import difference_of_seeds

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-c", "from lexigraft.cli.main import main; main()", "transfer"]
# As many threads as in this process: sums in another order differ in their last digits.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": "src"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    done = lexigraft("transfer", transfer_recipe(folder), "--out", folder / "out")
    assert done.code == 0, done.err
    return folder / "out"


def test_every_pair_and_control_is_in_the_matrix(study: Path) -> None:
    found = matrix(study)
    assert set(found) == {
        ("bits_per_byte", donor, target) for donor in ("english", "clone", "near", "far") for target in ("near", "far")
    }
    for (_, donor, _), row in found.items():
        assert row["control"] == str(int(donor in ("near", "far")))
        assert float(row["gain"]) == pytest.approx(float(row["zero_shot"]) - float(row["adapted"]))
        assert float(row["low"]) <= float(row["gain"]) <= float(row["high"])
        assert (row["items"], row["seeds"]) == ("7" if row["target"] == "near" else "6", "2")
        assert bool(row["token_overlap"]) == (row["control"] == "0")
    # English donates its own word pieces; nothing of the made languages is in the English vocabulary whole.
    assert 0 < float(found["bits_per_byte", "english", "near"]["token_overlap"]) <= 1


def test_the_gain_is_that_of_the_scores(study: Path) -> None:
    with (study / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = {
        (r["strategy"], r["seed"], r["step"]): float(r["value"]) for r in rows if r["metric"] == "bits_per_byte/far"
    }
    zero = values["zero-shot", "0", "0"]
    gains = [zero - values["clone", seed, "4"] for seed in "01"]
    assert float(matrix(study)["bits_per_byte", "clone", "far"]["gain"]) == pytest.approx(
        difference_of_seeds(gains).mean
    )
    assert {("clone", seed, step) for seed in "01" for step in "24"} <= set(values)


def test_the_page_shows_the_matrix_and_the_curves(study: Path) -> None:
    text = (study / "report.html").read_text(encoding="utf-8")
    assert "2 donors, 2 targets, 2 seeds: of 4 pairs" in text
    assert text.count('<table class="matrix">') == 1
    assert text.count('<svg class="curves"') == 2
    assert text.count(">control</span>") == 2
    assert "token overlap: Spearman" in text
    assert "4 pairs of 2 donors and 2 targets" in text
    assert "https://" not in text


def test_report_writes_matrix_and_page_again(study: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(study, copied)
    for name in ("matrix.csv", "report.html", "results.csv"):
        (copied / name).unlink()
    assert lexigraft("report", copied).code == 0
    assert {path.name for path in copied.iterdir()} == {path.name for path in study.iterdir()}
    for name in ("matrix.csv", "report.html", "results.csv"):
        assert (copied / name).read_bytes() == (study / name).read_bytes()
    refused = lexigraft("report", copied, "--resample")
    assert (refused.code, "transfer study" in refused.err) == (2, True)


def test_a_target_without_a_task_is_still_a_control_in_it(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(study, copy)
    listed = json.loads((copy / "comparison.json").read_text())
    listed["facts"]["tasks"] = {"near.pos": {"evaluator": "pos", "items": 5, "lower_is_better": False}}
    (copy / "comparison.json").write_text(json.dumps(listed))
    for path in copy.glob("cells/*/result.json"):
        result = json.loads(path.read_text())
        result["scores"].append([max(step for step, *_ in result["scores"]), "accuracy/near.pos", 0.5])
        path.write_text(json.dumps(result))
    assert lexigraft("report", copy).code == 0
    controls = {donor: row["control"] for (metric, donor, _), row in matrix(copy).items() if metric == "accuracy/pos"}
    assert controls == {"english": "0", "clone": "0", "near": "1", "far": "1"}


def test_killed_and_resumed_it_ends_with_the_same_matrix(study: Path, tmp_path: Path) -> None:
    recipe, out = study.parent / "recipe.yaml", tmp_path / "out"
    shutil.copytree(study, out)
    for folder in out.glob("cells/*-s1-*"):
        shutil.rmtree(folder)
    (out / "matrix.csv").unlink()
    before = len(list(out.glob("cells/*/result.json")))
    command = [*COMMAND, str(recipe), "--out", str(out)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(list(out.glob("cells/*/result.json"))) == before and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/result.json")}
    assert lexigraft("transfer", recipe, "--out", out).code == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (out / "matrix.csv").read_bytes() == (study / "matrix.csv").read_bytes()


def test_a_graft_of_each_targets_vocabulary(tmp_path: Path) -> None:
    recipe = transfer_recipe(tmp_path, **grafting())
    done = lexigraft("transfer", recipe, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    pairs = {(p["metric"], p["donor"]): p for p in done.json["pairs"]}
    assert set(pairs) == {(m, d) for m in ("bits_per_byte", "bits_per_byte.grafted") for d in ("english", "clone")}
    assert pairs["bits_per_byte.grafted", "english"]["adapted"] != pairs["bits_per_byte", "english"]["adapted"]


def test_a_plan_names_tokenizers_cells_and_keys(study: Path, tmp_path: Path) -> None:
    done = lexigraft("cell", "plan", study.parent / "recipe.yaml", "--out", study, "--json")
    assert done.code == 0, done.err
    assert [(stage["id"], stage["after"], stage["done"]) for stage in done.json["stages"]] == [("comparison", [], True)]
    labels = ("english", "clone", "near", "far")
    assert [cell["id"] for cell in done.json["cells"]] == [
        "zero-shot-s0", *(f"{label}-s{seed}" for label in labels for seed in (0, 1))
    ]  # fmt: skip
    assert all(cell["done"] for cell in done.json["cells"])
    folders = {path.parent.name.rpartition("-")[2] for path in study.glob("cells/*/result.json")}
    assert {cell["key"][:12] for cell in done.json["cells"]} == folders
    grafted = lexigraft("cell", "plan", transfer_recipe(tmp_path, **grafting()), "--json").json
    assert [(stage["id"], stage["after"], stage["done"]) for stage in grafted["stages"]] == [
        ("tokenizer-far", [], False), ("comparison", ["tokenizer-far"], False)
    ]  # fmt: skip
    assert {cell["id"]: cell["after"] for cell in grafted["cells"]} == {
        f"{label}-s0": ["tokenizer-far"] for label in ("zero-shot", "english", "clone")
    }


def test_a_stage_and_a_cell_by_themselves_are_what_the_study_makes(study: Path, tmp_path: Path) -> None:
    recipe, out = transfer_recipe(tmp_path, **grafting()), tmp_path / "out"
    for _ in range(2):
        done = lexigraft("cell", "prepare", "--recipe", recipe, "--stage", "tokenizer-far", "--out", out, "--json")
        assert done.code == 0, done.err
        assert done.json["done"]
    assert "was made before" in done.err
    assert (out / "prepared" / done.json["address"] / "tokenizer.json").exists()
    whole = study.parent / "recipe.yaml"
    alone = lexigraft("cell", "run", "--recipe", whole, "--cell", "clone-s1", "--out", tmp_path / "alone", "--json")
    assert alone.code == 0, alone.err
    (kept,) = study.glob("cells/clone-s1-*/result.json")
    assert alone.json["scores"] == json.loads(kept.read_text())["scores"]
    for arguments, says in (
        (("run", "--recipe", whole, "--cell", "clown-s1"), "Did you mean 'clone-s1'"),
        (("prepare", "--recipe", recipe, "--stage", "tokenizer"), "Did you mean 'tokenizer-far'"),
    ):
        refused = lexigraft("cell", *arguments, "--out", tmp_path / "none")
        assert (refused.code, says in refused.err) == (2, True), refused.err
        assert not (tmp_path / "none").exists() or not list((tmp_path / "none").iterdir())


def test_doctor_looks_through_a_transfer_recipe(tmp_path: Path) -> None:
    task = {"files": {"data": "./tags.tsv"}, "options": {"how": "probe"}}
    target = {"heldout": "./far.heldout.txt", "train": "./far.txt", "tasks": {"pos": task}}
    recipe = transfer_recipe(tmp_path, targets={"far": target})
    tags = [f"wasi{n}\tNOUN\nkan{n}\tVERB\n" for n in range(60)]
    (tmp_path / "tags.tsv").write_text("\n".join(tags), encoding="utf-8")
    done = lexigraft("doctor", recipe, "--rehearse")
    assert done.code == 0, done.out
    # The task is random, so that the model as it is has both seeds too: (1 + 2 + 1) × 2.
    assert "recipe 'tiny transfer': 2 donors, 1 targets, 2 seeds: 8 cells, 2 pairs" in done.out
    assert "held-out text of far: 6 lines" in done.out
    assert "✓ task far.pos: " in done.out
    assert "! a transfer study has no rehearsal" in done.out
    (tmp_path / "bad").mkdir()
    refused = lexigraft("doctor", transfer_recipe(tmp_path / "bad", donors={"english": {"train": "./copied.txt"}}))
    assert refused.code == 2
    assert "share a sequence of 13 words" in refused.out


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"donors": {"near": {"train": "./near.txt"}}}, "'near' is a donor and a target"),
        ({"targets": {"far": {"heldout": "./far.heldout.txt"}}}, "no train text"),
        ({"adaptation": {"steps": 0}}, "adaptation.steps must be at least 1"),
        ({"seeds": [1, 1]}, "seeds repeat"),
        ({"donors": {"english": {"train": "./nowhere.txt"}}}, "nowhere.txt"),
        ({"donors": {"english": {"trian": "./english.txt"}}}, "Did you mean 'train'"),
        ({"donors": {"english": {"train": "./near.heldout.txt"}}}, "text of english"),
        ({"donors": {"english": {"train": "./copied.txt"}}}, "share a sequence of 13 words"),
        ({"evaluation": {"evaluators": ["bits_per_bite"]}}, "Did you mean 'bits_per_byte'"),
        ({"tracking": {"registered_model": "best"}}, "no winner to register"),
        ({"graft": {"strategy": "subword_mean"}}, "needs a tokenizer and train text"),
        (
            {
                "targets": {
                    "far": {"heldout": "./far.heldout.txt", "train": "./far.txt", "language": "eng"},
                }
            },
            "has the language of a target, eng",
        ),
    ],
)
def test_a_bad_recipe_is_one_error(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    done = lexigraft("transfer", transfer_recipe(tmp_path, **changes), "--out", tmp_path / "out")
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert not list((tmp_path / "out").glob("**/result.json"))
