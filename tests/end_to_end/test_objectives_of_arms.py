"""Objectives and augmenters that read files and anchors, as the arms of one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.annotated import NAMES, documents
from fixtures.transfers import transfer_recipe
from lexigraft.api.compare.cell_keys import cells_of
from lexigraft.api.compare.inputs import Prepared, load_texts
from lexigraft.api.compare.run import compare
from lexigraft.api.compare.setup import check_recipe
from lexigraft.api.transfer.setup import check_settings
from lexigraft.core.config.recipe_files import read_recipe, read_settings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.data.annotated_text import AnnotatedText, write_annotated
from lexigraft.core.errors import LexigraftError
from lexigraft.testing.tiny_models import fixture

ARMS: dict[str, Any] = {
    "entities": {
        "objective": "entity_prediction",
        "objective_options": {"mlm": True},
        "augment": [{"entity_switch": {"p": 0.5}}],
    },
    "pairs": {"objective": "translation_pairs", "objective_files": {"pairs": "pairs.tsv"}},
    "restored": {"objective": "code_switch_restore", "objective_files": {"dictionary": "words.tsv"}},
    "switched": {"augment": [{"code_switch": {"file": "words.tsv"}}, "noise"]},
}


def write_world(folder: Path) -> None:
    model, source, target = fixture("bert-tied-bias")
    model.save_pretrained(folder / "source")
    source.save_pretrained(folder / "source")
    target.save_pretrained(folder / "target")
    write_annotated(folder / "text.jsonl", documents())
    (folder / "words.tsv").write_text("".join(f"{word}\t{name}\n" for word, name in NAMES.items()))
    (folder / "pairs.tsv").write_text("".join(f"{d.text}\t{d.text.upper()}\n" for d in documents()[:9]))


def write_recipe(folder: Path, **changes: Any) -> Path:
    """A recipe whose paths start from its folder."""
    recipe = {
        "name": "arms",
        "source": "./source",
        "target_tokenizer": "./target",
        "corpus": {"train": "./text.jsonl", "heldout_share": 0.2, "heldout_lines": 2},
        "strategies": ["mean"],
        "seeds": [0],
        "adaptation": {"steps": 1, "probe_step": 0, "batch_tokens": 64, "sequence_length": 32},
        "evaluation": {"options": {"bits_per_byte": {"stripes": 2}}},
        "tracking": {"enabled": False},
        **changes,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return folder / "recipe.yaml"


def keys(path: Path) -> dict[str, str]:
    recipe = read_recipe(path)
    prepared = Prepared("elsewhere", None, "hash")
    cells = cells_of(recipe, prepared, load_texts(recipe), "hash", check_recipe(recipe))
    return {cell.label: cell.key for cell in cells}


def test_files_and_anchors_are_part_of_the_keys_of_the_arms_that_read_them(tmp_path: Path) -> None:
    write_world(tmp_path)
    path = write_recipe(tmp_path, arms=ARMS)
    first = keys(path)
    assert {f"mean, {arm}" for arm in ARMS} < first.keys()
    (tmp_path / "words.tsv").write_text("river\tqaqa\n")
    other_words = keys(path)
    assert {label for label in first if other_words[label] != first[label]} == {"mean, restored", "mean, switched"}
    (tmp_path / "pairs.tsv").write_text("one\ttwo\n")
    other_pairs = keys(path)
    assert {label for label in first if other_pairs[label] != other_words[label]} == {"mean, pairs"}
    (tmp_path / "words.tsv").write_text("qaqa\triver\n")
    with pytest.raises(LexigraftError, match=r"nothing to do.*'qaqa'"):
        keys(path)


def test_a_transfer_study_has_no_anchors_to_learn_from(tmp_path: Path) -> None:
    path = transfer_recipe(tmp_path, adaptation={"steps": 4, "objective": "entity_prediction"})
    with pytest.raises(LexigraftError, match="the text of a study has no anchors: objective: entity_prediction"):
        check_settings(read_settings(path, TransferSettings))


def test_entities_are_learned_without_augmentation_and_without_arms(tmp_path: Path) -> None:
    write_world(tmp_path)
    settings = {"steps": 1, "probe_step": 0, "batch_tokens": 64, "sequence_length": 32}
    path = write_recipe(tmp_path, adaptation={**settings, "objective": "entity_prediction"})
    found = compare(path, tmp_path / "out")
    assert [len(result.losses) for result in found.results] == [1]
    first = keys(path)
    renamed = [AnnotatedText(d.text, d.title, d.anchors[:1]) for d in documents()]
    write_annotated(tmp_path / "text.jsonl", renamed)
    assert keys(path) != first
