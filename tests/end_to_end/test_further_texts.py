"""Further texts as a user gives them: arms with replay beside one without, and one adaptation with replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lexigraft.api.adapt import adapt
from lexigraft.api.compare.run import Compared, compare
from lexigraft.api.doctor.findings import Findings
from lexigraft.api.doctor.recipe import report_recipe
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.config.suite import SuiteRecipe
from lexigraft.core.errors import LexigraftError
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_models import fixture

TRAINING: dict[str, Any] = {"steps": 2, "probe_step": 0, "batch_tokens": 128, "sequence_length": 32}
HALF = {"stages": [{"target": 0.5, "source": 0.5}]}


def write_world(folder: Path) -> Path:
    """A tiny model with tokenizers and texts; returns a recipe."""
    model, source, target = fixture("llama-untied")
    model.save_pretrained(folder / "source")
    source.save_pretrained(folder / "source")
    target.save_pretrained(folder / "target")
    (folder / "text.txt").write_text(TARGET_TEXT)
    (folder / "other.txt").write_text(SOURCE_TEXT)
    recipe = {
        "source": "./source",
        "target_tokenizer": "./target",
        "corpus": {"train": "text.txt", "heldout_share": 0.2, "heldout_lines": 2},
        "strategies": ["mean"],
        "seeds": [0],
        "adaptation": TRAINING | {"texts": {"source": "other.txt"}},
        "arms": {"replay": {"mixture": HALF}, "plain": {}},
        "tracking": {"enabled": False},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    recipe = write_world(tmp_path_factory.mktemp("world"))
    return compare(recipe, recipe.parent / "out")


def test_arms_train_on_equal_tokens_and_tell_of_which_text(whole: Compared) -> None:
    costs = {result.cell.label: result.cost for result in whole.results}
    assert {cost["tokens_trained"] for cost in costs.values()} == {256}
    assert costs["mean, replay"]["tokens_trained/source"] == costs["mean, replay"]["tokens_trained/target"] == 128
    assert "tokens_trained/source" not in costs["mean, plain"]


def test_a_cell_is_known_by_its_texts_and_not_by_where_they_lie(whole: Compared, tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    none = {"adaptation.steps": 0}
    same = compare(recipe, tmp_path / "out", overrides=none).comparison.cells
    (tmp_path / "other.txt").write_text(SOURCE_TEXT + "one more line\n")
    changed = compare(recipe, tmp_path / "out", overrides=none).comparison.cells
    of_first, of_same, of_changed = (dict(cells[0].parameters) for cells in (whole.comparison.cells, same, changed))
    assert of_first["texts.source"] == of_same["texts.source"] != of_changed["texts.source"]
    assert [one.key == other.key for one, other in zip(same, changed, strict=True)] == [False, True]
    assert not any(str(tmp_path) in str(value) for value in of_same.values())


def test_files_of_texts_start_from_the_recipe_and_the_doctor_reads_them(tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    assert read_recipe(recipe).adaptation.texts == {"source": [str(tmp_path / "other.txt")]}
    (tmp_path / "other.txt").write_text("")
    findings = Findings()
    report_recipe(findings, SuiteRecipe(path=str(recipe)))
    assert [f.what for f in findings.findings if "corpus is empty" in f.what and "other.txt" in f.what]


def test_one_adaptation_with_replay_tells_its_tokens(tmp_path: Path) -> None:
    write_world(tmp_path)
    values = TRAINING | {"texts": {"source": str(tmp_path / "other.txt")}, "mixture": HALF}
    settings = AdaptSettings.model_validate(values)
    (model, text, out) = (tmp_path / name for name in ("source", "text.txt", "out"))
    result = adapt(str(model), [text], out=out, settings=settings)
    assert result.as_json()["tokens_trained/source"] == 128
    assert json.loads((out / "lexigraft.json").read_text())["settings"]["mixture"]["stages"] == HALF["stages"]
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(LexigraftError, match="corpus is empty"):
        adapt(str(model), [text], out=tmp_path / "none", settings=settings)
    assert not (tmp_path / "none").exists()
