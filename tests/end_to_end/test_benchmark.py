"""A suite of comparisons as a user runs it: a leaderboard, and one more strategy beside a published record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from fixtures.commands import lexigraft
from fixtures.recipes import one_cell_recipe
from lexigraft.api.benchmark.comparison_record import recorded_inputs

pytestmark = pytest.mark.slow

UNKNOWN = {"strategies": ["random", "subword_meen"]}
NO_TEXT, NO_MODEL = {"corpus.train": "./none.txt"}, {"source": "./none"}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("suite")
    recipe = one_cell_recipe(
        folder, strategies=["random", "subword_mean"], reference="random", tracking={"enabled": False}
    )
    values = yaml.safe_load(recipe.read_text())
    (folder / "again.yaml").write_text(yaml.safe_dump({**values, "name": "again", "corpus": values["corpus"]}))
    path = folder / "suite.yaml"
    recipes = ["recipe.yaml", {"path": "again.yaml", "overrides": {"adaptation.learning_rate": 0.01}}]
    path.write_text(yaml.safe_dump({"name": "two", "recipes": recipes, "record_file": "out/record.json"}))
    done = lexigraft("benchmark", path, "--out", folder / "out")
    assert done.code == 0, done
    return path, folder / "out"


def test_every_comparison_has_its_report_and_the_suite_its_leaderboard(suite: tuple[Path, Path]) -> None:
    _, out = suite
    for name in ("small", "again"):
        assert (out / name / "report.html").exists()
    record = json.loads((out / "record.json").read_text())
    assert list(record["comparisons"]) == ["small", "again"]
    board = (out / "leaderboard.md").read_text()
    assert "| random | " in board
    assert "| subword_mean | " in board


def test_one_strategy_joins_without_the_others_running_again(suite: tuple[Path, Path], tmp_path: Path) -> None:
    path, out = suite
    done = lexigraft("benchmark", path, "--out", tmp_path, "--only", "mean", "--json")
    assert done.code == 0, done
    assert {row[0] for row in json.loads(done.out)["rows"]} == {"random", "subword_mean", "mean"}
    assert {cell.name.split("-")[0] for cell in (tmp_path / "small" / "cells").iterdir()} == {"mean"}
    before, after = (json.loads((folder / "record.json").read_text())["comparisons"] for folder in (out, tmp_path))
    for name, comparison in before.items():
        for metric, values in comparison["metrics"].items():
            joined = after[name]["metrics"][metric]["figures"]
            assert joined == {**values["figures"], "mean": joined["mean"]}


def test_what_a_strategy_reads_by_itself_is_no_input_of_all() -> None:
    parameters = {"source": "a", "train": "b", "training": "c", "tokenizer": "d", "tasks.x": 1, "versions.torch": "2"}
    parameters |= {"fields.one_to_one.dim": 100, "seed": 0}
    assert recorded_inputs(parameters) == {"source": "a", "train": "b", "tokenizer": "d", "tasks.x": 1}


def test_other_inputs_are_refused_with_what_differs(suite: tuple[Path, Path], tmp_path: Path) -> None:
    path, out = suite
    values = yaml.safe_load(path.read_text())
    recipes = [{"path": str(path.parent / "recipe.yaml"), "overrides": {"adaptation.learning_rate": 0.02}}]
    changed = tmp_path / "suite.yaml"
    changed.write_text(yaml.safe_dump({**values, "recipes": recipes, "record_file": str(out / "record.json")}))
    done = lexigraft("benchmark", changed, "--out", tmp_path / "out", "--only", "mean")
    assert done.code == 2
    assert "'small' was recorded on other inputs" in done.err
    assert "adaptation.learning_rate" in done.err
    assert not (tmp_path / "out").exists(), "nothing ran"


def test_another_tokenizer_is_refused_before_a_cell_runs(suite: tuple[Path, Path], tmp_path: Path) -> None:
    path, out = suite
    trained = {"target_tokenizer": {"type": "unigram", "size": 300}}
    recipes = [{"path": str(path.parent / "recipe.yaml"), "overrides": trained}]
    changed = tmp_path / "suite.yaml"
    changed.write_text(yaml.safe_dump({"name": "x", "recipes": recipes, "record_file": str(out / "record.json")}))
    done = lexigraft("benchmark", changed, "--out", tmp_path / "out", "--only", "mean")
    assert done.code == 2
    assert "do not compare: tokenizer" in done.err
    assert not list((tmp_path / "out").rglob("cells"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "x", "recipes": []}, "recipes"),
        ({"name": "x", "recipes": ["none.yaml"]}, "recipe not found"),
        ({"name": "x", "recipes": ["recipe.yaml", "recipe.yaml"]}, "share a name"),
        ({"name": "x", "recipe": ["recipe.yaml"]}, "recipe"),
        ({"name": "x", "recipes": ["recipe.yaml", {"path": "again.yaml", "overrides": UNKNOWN}]}, "subword_meen"),
        ({"name": "x", "recipes": ["recipe.yaml", {"path": "again.yaml", "overrides": NO_TEXT}]}, "none.txt"),
        ({"name": "x", "recipes": ["recipe.yaml", {"path": "again.yaml", "overrides": NO_MODEL}]}, "model not found"),
    ],
)
def test_a_wrong_suite_is_one_error_before_anything_runs(
    suite: tuple[Path, Path], tmp_path: Path, values: dict[str, object], said: str
) -> None:
    wrong = suite[0].parent / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(values))
    done = lexigraft("benchmark", wrong, "--out", tmp_path / "out")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_only_needs_a_record(suite: tuple[Path, Path], tmp_path: Path) -> None:
    path = suite[0].parent / "plain.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "recipes": ["recipe.yaml"]}))
    done = lexigraft("benchmark", path, "--out", tmp_path / "out", "--only", "mean")
    assert done.code == 2
    assert "no published record" in done.err
