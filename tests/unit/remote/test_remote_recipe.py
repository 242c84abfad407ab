"""A recipe for another machine: its local inputs are found and named by their paths there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lexigraft.core.config.recipe import CompareSettings, TrackingSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.registry import make
from lexigraft.core.remote.remote_recipe import write_remote_recipe

FILES = ("model/config.json", "a1.txt", "a2.txt", "a-1.txt", "b.txt", "held.txt", "words.tsv", "both.vec", "mine.bin")


@pytest.fixture
def recipe(tmp_path: Path) -> CompareSettings:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    values = {
        "source": "./model",
        "target_tokenizer": {"size": 300},
        "corpus": {
            "train": ["./a*.txt", "b.txt", "hub:some/text"],
            "heldout": "./held.txt",
            "also_heldout": {"news": "b.txt"},
        },
        "dictionary": {"path": "words.tsv"},
        "word_vectors": {"source": "both.vec#eng", "target": "both.vec#qu"},
        "donor": "some/donor-on-the-hub",
        "strategies": ["random", {"name": "focus", "label": "b.txt"}],
        "evaluation": {"tasks": {"pos": {"evaluator": "tagging", "files": {"train": "./a1.txt", "test": ["b.txt"]}}}},
        "inputs": {"my_need": {"tables_file": "./mine.bin", "note": "b.txt"}},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return read_recipe(path)


def test_local_inputs_are_named_by_their_paths_there(recipe: CompareSettings, tmp_path: Path) -> None:
    launcher = make("launcher", "ssh", {"host": "never-asked", "remote_dir": "/far"})
    written, inputs = write_remote_recipe(recipe, launcher, tmp_path / "jobs")
    assert {str(path.relative_to(tmp_path)) for path in inputs} == {"model", *FILES[1:]}
    there, far = yaml.safe_load(written.read_text()), f"/far{tmp_path}"
    assert there["source"] == f"{far}/model"
    # The files that the pattern stands for here: there, older ones may lie beside them.
    assert there["corpus"]["train"] == [f"{far}/{n}.txt" for n in ("a-1", "a1", "a2", "b")] + ["hub:some/text"]
    assert there["corpus"]["heldout"] == [f"{far}/held.txt"]
    assert there["corpus"]["also_heldout"] == {"news": [f"{far}/b.txt"]}
    assert there["word_vectors"]["source"] == f"{far}/both.vec#eng"
    [task] = there["evaluation"]["tasks"].values()
    assert task == {"evaluator": "tagging", "files": {"train": [f"{far}/a1.txt"], "test": [f"{far}/b.txt"]}}
    assert there["donor"] == "some/donor-on-the-hub"
    assert [entry["label"] for entry in there["strategies"]] == ["random", "b.txt"]
    assert there["inputs"] == {"my_need": {"tables_file": f"{far}/mine.bin", "note": "b.txt"}}


@pytest.mark.parametrize(
    ("store", "kept"),
    [
        ("{}/mlruns", False),
        ("sqlite:///{}/mlflow.db", False),
        ("https://mlflow.example.org", True),
        ("databricks", True),
    ],
)
def test_a_store_of_runs_on_this_machine_is_no_input(
    recipe: CompareSettings, tmp_path: Path, store: str, kept: bool
) -> None:
    (tmp_path / "mlruns").mkdir()
    uri = store.format(tmp_path)
    tracking = TrackingSettings(uri=uri, experiment="quechua")
    launcher = make("launcher", "ssh", {"host": "never-asked", "remote_dir": "/far"})
    written, inputs = write_remote_recipe(recipe.model_copy(update={"tracking": tracking}), launcher, tmp_path / "jobs")
    assert tmp_path / "mlruns" not in inputs
    there = {"uri": uri} if kept else {}
    assert yaml.safe_load(written.read_text())["tracking"] == {**there, "experiment": "quechua"}


def test_on_machines_that_share_files_nothing_is_moved(recipe: CompareSettings, tmp_path: Path) -> None:
    written, inputs = write_remote_recipe(recipe, make("launcher", "local"), tmp_path / "jobs")
    assert inputs == []
    assert read_recipe(written) == recipe
