"""Recipes: validated whole, unknown keys answered with the closest, relative paths, and back to YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import dump_recipe, read_recipe
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.errors import LexigraftError

BASE: dict[str, Any] = {
    "source": "bert-base-uncased",
    "target_tokenizer": {"type": "unigram", "size": 4000},
    "corpus": {"train": "text.txt"},
    "strategies": ["mean"],
}


def write_recipe(folder: Path, more: dict[Any, object] | None = None, **changed: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(BASE | changed | (more or {}), allow_unicode=True), encoding="utf-8")
    return path


def problem(folder: Path, **changed: object) -> str:
    with pytest.raises(LexigraftError) as caught:
        read_recipe(write_recipe(folder, **changed))
    return str(caught.value)


def test_strategies_may_be_names_fields_or_chains(tmp_path: Path) -> None:
    strategies = [
        "mean",
        {"name": "focus", "temperature": 0.5},
        {"name": "focus", "label": "warm", "temperature": 2.0},
        {"chain": ["focus", {"name": "subword_mean"}, "random"]},
        {"chain": ["focus", "random"], "label": "short"},
    ]
    found = read_recipe(write_recipe(tmp_path, strategies=strategies)).strategies
    assert [s.label for s in found] == ["mean", "focus[temperature=0.5]", "warm", "focus+subword_mean+random", "short"]
    assert found[1].chain == [("focus", {"temperature": 0.5})]
    assert found[3].chain == [("focus", {}), ("subword_mean", {}), ("random", {})]


def test_a_recipe_survives_the_way_to_yaml_and_back(tmp_path: Path) -> None:
    strategies = ["mean", {"name": "focus", "temperature": 0.5}, {"chain": ["focus", "random"], "label": "ñan"}]
    more = {
        "dictionary": {"pivot": ["a.tsv", "b.tsv"]},
        "poor_model": {"steps": 5},
        "seeds": [3, 1],
        "reference": "mean",
    }
    recipe = read_recipe(write_recipe(tmp_path, strategies=strategies, **more))
    again = tmp_path / "again.yaml"
    again.write_text(dump_recipe(recipe), encoding="utf-8")
    assert read_recipe(again) == recipe


def test_a_training_is_the_same_with_and_without_its_key(tmp_path: Path) -> None:
    short = read_recipe(write_recipe(tmp_path))
    assert read_recipe(write_recipe(tmp_path, target_tokenizer={"train": BASE["target_tokenizer"]})) == short


@pytest.mark.parametrize(
    ("change", "tokens"),
    [
        ({"extend": {"add": 500}}, 1500),
        ({"extend": {"add": 500, "method": "exchange"}}, 1000),
        ({"prune": {"keep": 700}}, 700),
        ({"prune": {"drop_unused": True}}, 1000),
        ({"train": {"like": "source", "size": 900}}, 900),
    ],
)
def test_a_change_of_the_sources_tokenizer(tmp_path: Path, change: dict[str, object], tokens: int) -> None:
    recipe = read_recipe(write_recipe(tmp_path, target_tokenizer=change))
    found = recipe.target_tokenizer
    assert isinstance(found, TokenizerChangeSettings)
    assert found.tokens(1000) == tokens
    again = tmp_path / "again.yaml"
    again.write_text(dump_recipe(recipe), encoding="utf-8")
    assert read_recipe(again) == recipe


def test_every_fault_is_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    said = problem(tmp_path, sorce="x", adaptation={"learning_rat": 1, "steps": -2}, corpus={"trein": "x"})
    assert "unknown key 'sorce'. Did you mean 'source'?" in said
    assert "unknown key 'adaptation.learning_rat'. Did you mean 'learning_rate'?" in said
    assert "adaptation.steps" in said
    assert "unknown key 'corpus.trein'. Did you mean 'train'?" in said
    assert "corpus.train: Field required" in said


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"strategies": []}, "at least one strategy"),
        ({"strategies": [3]}, "a strategy is a name"),
        ({"strategies": ["mean", "mean"]}, "share the label 'mean'"),
        ({"strategies": [{"chain": ["mean"], "temperature": 1}]}, "'temperature' beside 'chain'"),
        ({"reference": "focus"}, "reference 'focus' is not among"),
        ({"seeds": [1, 1]}, "seeds repeat"),
        ({"seeds": []}, "seeds"),
        ({"dictionary": {}}, "either path or pivot"),
        ({"target_vectors": {"level": "word"}}, "need a file"),
        ({"corpus": {"train": "a", "heldout_share": 0}}, "heldout_share above 0"),
        ({"graft": {"memory_budget": "2XB"}}, "graft.memory_budget: not a memory size: 2XB"),
        ({"graft": {"memory_budget": 0}}, "graft.memory_budget"),
        ({"adaptation": {"body": "half"}}, "adaptation.body"),
        ({"adaptation": {"steps": 5, "phases": [{"steps": 4}]}}, "must add up"),
        ({"target_tokenizer": {"type": "unigrm"}}, "target_tokenizer"),
        ({"target_tokenizer": {"train": {"sise": 300}}}, "unknown key 'target_tokenizer.sise'. Did you mean 'size'?"),
        ({"target_tokenizer": {"extend": {"ad": 9}}}, "'target_tokenizer.extend.ad'. Did you mean 'add'?"),
        ({"target_tokenizer": {"extend": {"add": 9}, "prune": {"keep": 9}}}, "one of extend, prune and train"),
        ({"target_tokenizer": {"prune": {}}}, "target_tokenizer.prune: give either keep or drop_unused"),
        ({"target_tokenizer": {"train": {"like": "gpt2"}}}, "target_tokenizer.train.like"),
        ({"strategies": [{"chain": None}]}, "chain must be a list"),
        ({"strategies": [{"chain": []}]}, "chain must be a list"),
        ({"strategies": [{"chain": "mean"}]}, "chain must be a list"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"seeds": [2**32]}, "seeds.0"),
        ({"adaptation": {"seed": -1}}, "adaptation.seed"),
        ({"adaptation": {"steps": 10**30}}, "adaptation.steps"),
        ({"adaptation": {"batch_tokens": 10**12}}, "adaptation.batch_tokens"),
        ({"adaptation": {"learning_rate": float("inf")}}, "adaptation.learning_rate"),
        ({"adaptation": {"body": "top_bottom:0"}}, "adaptation.body"),
        ({"adaptation": {"body": "top_bottom:" + "9" * 5000}}, "adaptation.body"),
        ({"adaptation": {"steps": 4, "phases": [{"steps": 4, "body": "half"}]}}, "adaptation.phases.0.body"),
        ({"target_tokenizer": {"size": 10**12}}, "target_tokenizer"),
        ({"target_vectors": {"dim": 10**9}}, "target_vectors.dim"),
        ({"corpus": {"train": "a", "limit_lines": -5}}, "corpus.limit_lines"),
        ({"graft": {"memory_budget": "9" * 400 + "GB"}}, "not valid"),
        ({"graft": {"memory_budget": float("inf")}}, "not valid"),
        ({"graft": {"memory_budget": "900PB"}}, "graft.memory_budget"),
        ({1: "a"}, "not valid"),
        ({"source": "a\0b"}, "NUL"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(LexigraftError) as caught:
        read_recipe(write_recipe(tmp_path, changed))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("2GB", 2 * 10**9), ("2GiB", 2**31), ("500m", 5 * 10**8), ("1.5 MB", 1_500_000), (1048576, 2**20)],
)
def test_memory_sizes_are_read_as_people_write_them(tmp_path: Path, written: object, expected: int) -> None:
    recipe = read_recipe(write_recipe(tmp_path, graft={"memory_budget": written}))
    assert recipe.graft.memory_budget == expected
    again = tmp_path / "again.yaml"
    again.write_text(dump_recipe(recipe), encoding="utf-8")
    assert read_recipe(again) == recipe


def test_relative_paths_start_from_the_recipe_and_hub_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "recipes"
    home.mkdir()
    (home / "text.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe(
        write_recipe(home, corpus={"train": ["text.txt", "../other.txt", "hub:wiki"], "heldout": "./*.gz"})
    )
    assert recipe.corpus.train == [str(home / "text.txt"), str(tmp_path / "other.txt"), "hub:wiki"]
    assert recipe.corpus.heldout == [str(home / "*.gz")]
    assert recipe.source == "bert-base-uncased"


def test_dotted_overrides_replace_values_before_validation(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    recipe = read_recipe(path, {"adaptation.steps": 7, "seeds": [5], "target_tokenizer.size": 500})
    assert (recipe.adaptation.steps, recipe.seeds) == (7, [5])
    assert recipe.target_tokenizer.size == 500  # type: ignore[union-attr]
    with pytest.raises(LexigraftError, match="Did you mean 'steps'"):
        read_recipe(path, {"adaptation.step": 7})
    with pytest.raises(LexigraftError, match="holds a value, not a group"):
        read_recipe(path, {"source.name": "x"})


def test_files_that_are_no_recipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="recipe not found"):
        read_recipe(tmp_path / "no.yaml")
    for content, expected in ((b"a: [", "not readable YAML"), (b"\xff\xfe", "not readable YAML"), (b"- a", "mapping")):
        (tmp_path / "r.yaml").write_bytes(content)
        with pytest.raises(LexigraftError, match=expected):
            read_recipe(tmp_path / "r.yaml")
    with pytest.raises(LexigraftError):
        read_recipe(tmp_path)


def test_settings_are_frozen() -> None:
    settings = validate(AdaptSettings, {"steps": 3}, "adapt")
    with pytest.raises(Exception, match="frozen"):
        settings.steps = 4  # type: ignore[misc]
    assert CompareSettings.model_validate(BASE).model_config["frozen"]


@pytest.mark.parametrize("source", ["x" * 5000, "~nobody-of-this-name/model", "./" + "y" * 300])
def test_a_path_that_no_system_takes_is_left_for_the_reader_of_the_model(tmp_path: Path, source: str) -> None:
    assert source[-9:] in read_recipe(write_recipe(tmp_path, source=source)).source


def test_a_path_that_leads_in_a_circle_is_left_for_the_reader_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert "loop" in read_recipe(write_recipe(tmp_path, source="./loop")).source


def test_a_recipe_that_is_a_pipe_or_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", tmp_path):
        with pytest.raises(LexigraftError, match="recipe is not a file"):
            read_recipe(path)
