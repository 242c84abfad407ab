"""Augmentation as a user runs it: arms with their control in one recipe, and one adaptation that augments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoTokenizer

from fixtures.annotated import documents
from lexigraft.api.adapt import adapt
from lexigraft.api.compare.run import Compared, compare
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.data.annotated_text import AnnotatedText, write_annotated
from lexigraft.core.errors import LexigraftError
from lexigraft.testing.tiny_models import fixture

TRAINING: dict[str, Any] = {"steps": 2, "probe_step": 1, "batch_tokens": 64, "sequence_length": 32}


def write_world(folder: Path) -> dict[str, Any]:
    """A tiny model with tokenizers and annotated text; returns a recipe of one strategy."""
    model, source, target = fixture("llama-untied")
    model.save_pretrained(folder / "source")
    source.save_pretrained(folder / "source")
    target.save_pretrained(folder / "target")
    write_annotated(folder / "text.jsonl", documents())
    return {
        "name": "augmented",
        "source": "./source",
        "target_tokenizer": "./target",
        "corpus": {"train": "./text.jsonl", "heldout_share": 0.2, "heldout_lines": 3},
        "strategies": ["mean"],
        "reference": "mean",
        "seeds": [0],
        "adaptation": TRAINING,
        "arms": {"right": {"augment": [{"leia": {"p": 1.0}}]}, "left": {"augment": [{"leia": {"side": "left"}}]}},
        "tracking": {"enabled": False},
        "keep_models": True,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("augmented")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(write_world(folder), sort_keys=False))
    return compare(folder / "recipe.yaml", folder / "out")


def test_every_arm_and_its_control_train_on_equal_tokens(whole: Compared) -> None:
    found = {result.cell.label: result for result in whole.results}
    assert list(found) == ["mean, right", "mean, left", "mean, plain"]
    assert {result.cost["tokens_trained"] for result in found.values()} == {2 * 64}
    assert len({result.losses for result in found.values()}) == 3
    assert whole.comparison.reference == "mean, plain"
    assert all(result.value("bits_per_byte/heldout") is not None for result in found.values())
    assert "mean, left" in whole.report.html.read_text()


def test_the_report_sets_each_arm_against_its_control(whole: Compared) -> None:
    text = whole.report.markdown.read_text()
    assert "## Arms against their control" in text
    assert "| mean, right | mean, plain |" in text
    assert "controls" not in text


def test_models_of_augmented_arms_know_the_tags(whole: Compared) -> None:
    tags = {}
    for result in whole.results:
        folder = whole.out / "cells" / result.cell.folder / "model"
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tags[result.cell.label] = "<translate>" in tokenizer.get_vocab()
        rows = json.loads((folder / "config.json").read_text())["vocab_size"]
        assert rows == len(tokenizer.get_vocab())
    assert tags == {"mean, right": True, "mean, left": True, "mean, plain": False}


def test_a_second_start_finds_every_cell(whole: Compared) -> None:
    again = compare(whole.out.parent / "recipe.yaml", whole.out)
    assert again.results == whole.results


def test_anchors_are_part_of_the_keys_of_augmented_arms_alone(whole: Compared, tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    renamed = [
        AnnotatedText(d.text, d.title, tuple(type(a)(a.start, a.end, a.title, None, {"en": "Wasi"}) for a in d.anchors))
        for d in documents()
    ]
    write_annotated(tmp_path / "text.jsonl", renamed)
    recipe["adaptation"] = {**TRAINING, "steps": 0, "probe_step": 0}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    other = compare(tmp_path / "recipe.yaml", tmp_path / "out")
    facts = [dict(cell.parameters) for cell in other.comparison.cells]
    assert ["anchors" in one for one in facts] == [True, True, False]
    first = dict(whole.comparison.cells[0].parameters)
    assert facts[0]["anchors"] != first["anchors"]


def test_adaptation_that_augments_writes_a_model_with_the_tags(tmp_path: Path) -> None:
    write_world(tmp_path)
    settings = AdaptSettings.model_validate({**TRAINING, "augment": ["leia"], "documents": "reset"})
    result = adapt(str(tmp_path / "source"), [tmp_path / "text.jsonl"], out=tmp_path / "out", settings=settings)
    assert result.tokens_trained == 128
    assert "<translate>" in AutoTokenizer.from_pretrained(tmp_path / "out").get_vocab()
    record = json.loads((tmp_path / "out" / "lexigraft.json").read_text())
    assert record["settings"]["augment"] == [{"leia": {}}]
    again = adapt(str(tmp_path / "out"), [tmp_path / "text.jsonl"], out=tmp_path / "more", settings=settings)
    assert again.steps == 2


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (["lea"], "leia"),
        ([{"leia": {"side": "up"}}], "side"),
        ([{"leia": {"tag_rows": "focus"}}], "focus needs"),
        ([{"leia": {"language": "sw"}}], "finds nothing to do"),
    ],
)
def test_augmentation_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, augment: list[Any], message: str
) -> None:
    write_world(tmp_path)
    settings = AdaptSettings.model_validate({**TRAINING, "augment": augment})
    with pytest.raises(LexigraftError, match=message):
        adapt(str(tmp_path / "source"), [tmp_path / "text.jsonl"], out=tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()
