"""The target tokenizer of a recipe as a change of the source's: made once, known by content, and grafted."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.recipes import tiny_recipe
from lexigraft.api.compare.inputs import load_texts
from lexigraft.api.compare.preparation import prepare_tokenizer, tokenizer_path
from lexigraft.api.doctor.findings import Findings, Mark
from lexigraft.api.doctor.recipe import report_recipe
from lexigraft.api.graft import graft_model
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import dump_recipe, read_recipe
from lexigraft.core.config.suite import SuiteRecipe
from lexigraft.core.tokenization.files.loading import load_vocabulary

CHANGES = {
    "extend": {"add": 20},
    "prune": {"drop_unused": True},
    "train": {"like": "source", "size": 400},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("recipe")
    tiny_recipe(made, strategies=["mean"], poor_model=None, reference=None)
    return made


def recipe_of(folder: Path, change: dict[str, object]) -> CompareSettings:
    return read_recipe(folder / "recipe.yaml", {"target_tokenizer": change})


@pytest.mark.parametrize("key", CHANGES)
def test_it_is_made_once_and_grafts(folder: Path, key: str) -> None:
    recipe = recipe_of(folder, {key: CHANGES[key]})
    texts, said = load_texts(recipe), []
    path = prepare_tokenizer(recipe, texts, folder / "prepared", said.append)
    assert said == [f"target tokenizer: {recipe.target_tokenizer.shown()}"]
    assert prepare_tokenizer(recipe, texts, folder / "prepared", said.append) == path
    assert len(said) == 1
    source, target = load_vocabulary(recipe.source), load_vocabulary(path)
    if key == "extend":
        assert target.size == source.size + 20
        grafted = graft_model(recipe.source, path, "mean")
        assert grafted.model.get_input_embeddings().weight.shape[0] == target.size
    elif key == "prune":
        assert set(target.tokens) < set(source.tokens)
    else:
        assert target.size <= 400
        assert target.family is source.family


def test_another_change_lies_elsewhere(folder: Path) -> None:
    changes = [{"extend": {"add": 20}}, {"extend": {"add": 21}}, {"prune": {"keep": 300}}]
    recipes = [recipe_of(folder, change) for change in changes]
    texts = load_texts(recipes[0])
    assert len({tokenizer_path(recipe, texts, folder) for recipe in recipes}) == 3


@pytest.mark.parametrize(
    ("change", "said", "healthy"),
    [
        ({"extend": {"add": 20}}, "the source's, extended by 20 tokens, made from corpus.train", True),
        ({"extend": {"add": 20, "method": "unigram_em"}}, "in a Unigram vocabulary only: BPE", False),
        ({"prune": {"keep": 10**6}}, "not below the size: 1000000", False),
        ({"train": {"like": "source", "type": "wordpiece"}}, "wordpiece", False),
    ],
)
def test_the_doctor_knows_them(folder: Path, change: dict[str, object], said: str, healthy: bool) -> None:
    path = folder / "changed.yaml"
    path.write_text(dump_recipe(recipe_of(folder, change)), encoding="utf-8")
    findings = Findings()
    report_recipe(findings, SuiteRecipe(path=str(path)))
    found = [f for f in findings.findings if said in f.what]
    assert [f.mark is Mark.GOOD for f in found] == [healthy]
