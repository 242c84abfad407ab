"""Configurations that announce what no model has, or a far larger model than their weights: one error, at once."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.loading import load_config, load_model, model_class
from lexigraft.testing.tiny_models import fixture


def changed(folder: Path, **values: object) -> Path:
    fixture("llama-untied")[0].save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 10**6),
        ("num_hidden_layers", 10**30),
        ("num_hidden_layers", -1),
        ("vocab_size", 10**12),
        ("vocab_size", -5),
        ("hidden_size", 1e300),
        ("max_position_embeddings", 10**12),
        ("text_config", {"num_hidden_layers": 10**6}),
    ],
)
def test_impossible_sizes_are_named(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(LexigraftError, match=f"impossible size.*{key}"):
        load_config(changed(tmp_path, **{key: value}))


@pytest.mark.parametrize("key", ["hidden_size", "head_dim", "vocab_size", "intermediate_size"])
def test_a_far_larger_model_than_its_weights_is_refused_before_it_is_made(tmp_path: Path, key: str) -> None:
    folder = changed(tmp_path, **{key: 2**20 if key == "hidden_size" else 2**29})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (lambda: DiskModel(str(folder)).layout, lambda: load_model(folder)):
        with pytest.raises(LexigraftError, match=r"another model than the weights|cannot be made"):
            read()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def test_other_large_numbers_are_left_alone(tmp_path: Path) -> None:
    load_config(changed(tmp_path, rope_theta=1e12, sliding_window=2**40, tokens_seen=10**13))


@pytest.mark.parametrize("names", [1, "LlamaForCausalLM", [{}], [None], ["pipeline"], ["no such class"]])
def test_an_architecture_that_is_no_class_of_a_model_is_refused(tmp_path: Path, names: object) -> None:
    with pytest.raises(LexigraftError, match=r"cannot be read|class is not known"):
        model_class(load_config(changed(tmp_path, architectures=names)))
