"""Mixtures of adapters: the weighted sum of what each changes, exactly, and clear refusals."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

import lexigraft
from fixtures.adapting import adapted, load, weights
from fixtures.commands import lexigraft as command
from lexigraft.adapters.training.export import save_adapter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.loading import load_model

LORA = {"embeddings": "frozen", "head": "frozen", "body": "lora", "steps": 3}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model, two adapters of it, and one that trained its tables too."""
    folder = tmp_path_factory.mktemp("adapters")
    model, vocabulary = load("gpt2-tied")
    model.save_pretrained(folder / "base")
    vocabulary.tokenizer.save_pretrained(folder / "base")
    for name, options in (
        ("one", {"seed": 1}),
        ("two", {"seed": 2, "lora_rank": 3}),
        ("tables", {"embeddings": "full"}),
    ):
        model, vocabulary = load("gpt2-tied")
        save_adapter(adapted(model, vocabulary, LORA | options), folder / name)
    return folder


def test_the_model_changes_by_the_weighted_sum_of_what_each_adapter_changes(home: Path) -> None:
    base = str(home / "base")
    start = weights(load("gpt2-tied")[0])
    one, two = (weights(lexigraft.load_adapter(home / name, base)) for name in ("one", "two"))
    mixed = weights(lexigraft.mix_adapters({home / "one": 0.25, home / "two": 2.0}, base))
    changed = {name for name in start if not torch.equal(one[name], two[name])}
    assert len(changed) >= 8
    for name, before in start.items():
        wanted = before + 0.25 * (one[name] - before) + 2.0 * (two[name] - before)
        torch.testing.assert_close(mixed[name], wanted, atol=1e-6, rtol=1e-6)


def test_one_adapter_with_weight_one_is_that_adapter(home: Path) -> None:
    base = str(home / "base")
    alone = weights(lexigraft.load_adapter(home / "one", base))
    mixed = weights(lexigraft.mix_adapters({home / "one": 1.0}, base))
    assert all(torch.equal(alone[name], mixed[name]) for name in alone)


def test_adapters_that_cannot_be_mixed_are_refused(home: Path) -> None:
    base = str(home / "base")
    for folders, expected in (
        ({}, "no adapter to mix"),
        ({home / "one": math.nan}, "weight of an adapter is not finite"),
        ({home / "one": 0.5, home / "none": 0.5}, "no adapter in this folder"),
        ({home / "one": 0.5, home / "tables": 0.5}, "replaces weights of the model itself"),
    ):
        with pytest.raises(LexigraftError, match=expected):
            lexigraft.mix_adapters(folders, base)


@pytest.fixture
def named(home: Path, tmp_path: Path) -> dict[str, Path]:
    """Both adapters as the command `adapt` writes them, with the name of their model."""
    for name in ("one", "two"):
        shutil.copytree(home / name, tmp_path / name)
        name_base(tmp_path / name, home / "base")
    return {name: tmp_path / name for name in ("one", "two")}


def name_base(adapter: Path, base: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(base)}))


def test_the_command_writes_the_mixture_as_a_model(home: Path, named: dict[str, Path], tmp_path: Path) -> None:
    given = [f"{named['one']}=0.25", f"{named['two']}=2"]
    done = command("mix-adapters", *given, "--out", tmp_path / "mixed", "--json")
    assert done.code == 0, done
    shown = {str(named["one"]): 0.25, str(named["two"]): 2.0}
    assert done.json == {"base": str(home / "base"), "weights": shown, "out": str(tmp_path / "mixed")}
    wanted = weights(lexigraft.mix_adapters({named["one"]: 0.25, named["two"]: 2.0}))
    written = weights(load_model(tmp_path / "mixed"))
    assert all(torch.equal(written[name], value) for name, value in wanted.items())
    again = command("mix-adapters", *given, "--out", tmp_path / "mixed")
    assert (again.code, "output folder exists" in again.err) == (2, True)


def test_the_command_refuses_what_does_not_belong_together(home: Path, named: dict[str, Path], tmp_path: Path) -> None:
    one, two = named.values()
    (tmp_path / "other").mkdir()
    name_base(two, tmp_path / "other")
    for given, said in (
        ((f"{one}=0.5", f"{two}=0.5"), "the adapters were trained from different models"),
        ((f"{one}=0.5", f"{one}=0.5"), "no adapter with a weight"),
        ((str(one),), "no adapter with a weight"),
        ((f"{one}=much",), "no adapter with a weight"),
        ((f"{tmp_path / 'none'}=1",), "no adapter in this folder"),
    ):
        done = command("mix-adapters", *given, "--out", tmp_path / "mixed")
        assert (done.code, said in done.err) == (2, True), done
        assert not (tmp_path / "mixed").exists()
    moved = command("mix-adapters", f"{one}=0.5", f"{two}=0.5", "--out", tmp_path / "mixed", "--base", home / "base")
    assert moved.code == 0, moved
