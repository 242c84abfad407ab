"""A cell is known by the content of what makes it: never by paths, always by what is in the files."""

from __future__ import annotations

from pathlib import Path

from fixtures.recipes import tiny_recipe
from lexigraft.api.compare.cell_keys import cells_of
from lexigraft.api.compare.inputs import Prepared, load_texts
from lexigraft.api.compare.setup import check_recipe
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.hashing import model_hash
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer


def keys(folder: Path, **overrides: object) -> dict[str, str]:
    recipe = read_recipe(folder / "recipe.yaml", overrides)
    prepared = Prepared(str(folder / "target"), None, model_hash(recipe.source))
    tokenizer_hash = load_vocabulary(folder / "target").hash
    cells = cells_of(recipe, prepared, load_texts(recipe), tokenizer_hash, check_recipe(recipe))
    return {cell.label: cell.key for cell in cells if cell.seed == 0}


def recipe_folder(folder: Path) -> Path:
    folder.mkdir()
    tiny_recipe(folder, strategies=["random", "focus", "oracle"], poor_model=None)
    tiny_tokenizer("unigram", "target").save_pretrained(folder / "target")
    return folder


def test_the_same_content_in_another_folder_is_the_same_cell(tmp_path: Path) -> None:
    assert keys(recipe_folder(tmp_path / "a")) == keys(recipe_folder(tmp_path / "b"))


def test_other_links_are_another_oracle_and_nothing_else(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path / "a")
    before = keys(folder)
    with (folder / "links.tsv").open("a", encoding="utf-8") as file:
        file.write("new\tword\t3\n")
    after = keys(folder)
    assert after["oracle"] != before["oracle"]
    assert {n: after[n] for n in ("random", "focus")} == {n: before[n] for n in ("random", "focus")}


def test_other_vector_settings_are_another_focus_and_nothing_else(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path / "a")
    before, after = keys(folder), keys(folder, **{"target_vectors.dim": 20})
    assert [n for n in before if before[n] != after[n]] == ["focus"]


def test_another_budget_is_another_cell_but_another_name_is_not(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path / "a")
    before = keys(folder)
    assert keys(folder, name="renamed") == before
    assert not set(keys(folder, **{"adaptation.steps": 5}).values()) & set(before.values())


def test_another_yardstick_is_another_cell_but_the_default_spelled_out_is_not(tmp_path: Path) -> None:
    folder = recipe_folder(tmp_path / "a")
    before = keys(folder, **{"evaluation.options.bits_per_byte": {"stripes": 2}})
    spelled_out = {"stripes": 2, "within_word": "left_to_right"}
    assert keys(folder, **{"evaluation.options.bits_per_byte": spelled_out}) == before
    whole = keys(folder, **{"evaluation.options.bits_per_byte": {"stripes": 2, "within_word": "whole"}})
    assert not set(whole.values()) & set(before.values())
