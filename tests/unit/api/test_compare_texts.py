"""Texts of a recipe: what is measured is in no training text, of whichever language."""

from __future__ import annotations

from pathlib import Path

from fixtures.recipes import tiny_recipe
from lexigraft.api.compare.inputs import load_texts
from lexigraft.core.config.recipe_files import read_recipe


def test_source_text_that_is_measured_under_a_name_of_its_own_trains_no_vectors(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    for name, text in {"news": "one two\nthree four\n", "train": "three four\nfive six\nHello there.\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    further = {"corpus.also_heldout": {"news": "news.txt"}, "corpus.source_train": "train.txt"}
    texts = load_texts(read_recipe(recipe, further))
    assert set(texts.measured) == {"heldout", "source", "news"}
    assert list(texts.source_train.lines) == ["five six", "Hello there."]
