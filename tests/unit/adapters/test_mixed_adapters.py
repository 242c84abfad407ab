"""Mixtures of adapters: the weighted sum of what each changes, exactly, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import lexigraft
from fixtures.adapting import adapted, load, weights
from lexigraft.adapters.training.export import save_adapter
from lexigraft.core.errors import LexigraftError

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
        ({home / "one": 0.5, home / "none": 0.5}, "no adapter in this folder"),
        ({home / "one": 0.5, home / "tables": 0.5}, "replaces weights of the model itself"),
    ):
        with pytest.raises(LexigraftError, match=expected):
            lexigraft.mix_adapters(folders, base)
