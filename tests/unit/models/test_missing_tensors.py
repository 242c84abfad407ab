"""Checkpoints that lack tensors of their model, or hold NaN: refused by name, by every reader."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lexigraft.api.adapt import adapt
from lexigraft.api.evaluate import evaluate
from lexigraft.api.graft import graft
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.checkpoint import WEIGHTS
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.loading import load_model
from lexigraft.testing.tiny_models import FIXTURES, fixture

Tensors = dict[str, torch.Tensor]
TEXT = "the river runs past the old house\n" * 40


def saved(name: str, folder: Path) -> Path:
    model, source, target = fixture(name)
    model.save_pretrained(folder / "model")
    source.save_pretrained(folder / "model")
    target.save_pretrained(folder / "target")
    return folder / "model"


def change(model: Path, how: Callable[[Tensors], Mapping[str, torch.Tensor]]) -> None:
    tensors = load_file(model / WEIGHTS)
    save_file(dict(how(tensors)), model / WEIGHTS, {"format": "pt"})


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


def graft_it(model: Path, **options: Any) -> None:
    graft(str(model), str(model.parent / "target"), "subword_mean", out=model.parent / "out", **options)


def evaluate_it(model: Path, **options: Any) -> None:
    (model.parent / "text.txt").write_text(TEXT)
    evaluate(str(model), [model.parent / "text.txt"], **options)


def adapt_it(model: Path, **options: Any) -> None:
    (model.parent / "text.txt").write_text(TEXT)
    adapt(str(model), [model.parent / "text.txt"], out=model.parent / "out", **options)


USES = {"graft": graft_it, "evaluate": evaluate_it, "adapt": adapt_it}
FAULTS: dict[str, tuple[Callable[[Tensors], Mapping[str, torch.Tensor]], str]] = {
    "input table": (without("word_embeddings"), "word_embeddings"),
    "positions": (without("position_embeddings"), "position_embeddings"),
    "head": (without("lm_head"), "lm_head"),
    "a layer": (without("layer.1."), r"layer\.1\."),
    "body": (without("roberta."), r"roberta\."),
    "other names": (lambda tensors: {f"student.{name}": value for name, value in tensors.items()}, "holds others"),
    "not numbers": (
        lambda tensors: {n: v * math.nan if "layer.1.output.dense.weight" in n else v for n, v in tensors.items()},
        r"NaN or infinite.*layer\.1\.output\.dense\.weight",
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("fault", FAULTS)
def test_missing_and_broken_tensors_are_refused_by_name(tmp_path: Path, fault: str, use: str) -> None:
    how, message = FAULTS[fault]
    model = saved("roberta-tied-bias", tmp_path)
    change(model, how)
    with pytest.raises(LexigraftError, match=message):
        USES[use](model)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_every_single_tensor_is_missed_by_both_readers_alike(tmp_path: Path, name: str) -> None:
    model = saved(name, tmp_path)
    whole = load_file(model / WEIGHTS)
    layout = DiskModel(str(model)).layout
    assert layout is not None
    # mT5's configuration says "tied": one table of the two stands for both.
    stands_in = {n for names in layout.names.values() for n in names} if name == "mt5-untied" else set()
    for absent in whole.keys() - stands_in:
        save_file({n: v for n, v in whole.items() if n != absent}, model / WEIGHTS, {"format": "pt"})
        for read in (lambda: DiskModel(str(model)).layout, lambda: load_model(model)):
            with pytest.raises(LexigraftError, match="lacks tensors"):
                read()


def test_what_is_knowingly_new_may_be_missing_and_is_written(tmp_path: Path) -> None:
    model = saved("roberta-tied-bias", tmp_path)
    change(model, without("lm_head"))
    evaluate_it(model, allow_missing=["lm_head.*"])
    graft_it(model, allow_missing=["lm_head.*"])
    head = {n: p for n, p in load_model(tmp_path / "out").named_parameters() if n.startswith("lm_head.dense")}
    again = dict(load_model(model, allow_missing=["lm_head.*"]).named_parameters())
    assert head
    assert all(torch.equal(value, again[name]) for name, value in head.items())
    with pytest.raises(LexigraftError, match="lacks tensors"):
        load_model(model, allow_missing=["roberta.*"])


def test_tensors_that_the_model_does_not_use_are_no_fault(tmp_path: Path) -> None:
    model = saved("bert-tied-bias", tmp_path)
    change(model, lambda tensors: {**tensors, "cls.seq_relationship.weight": torch.ones(2, 32)})
    load_model(model)
    graft_it(model)


def test_old_names_that_transformers_knows_are_not_missing(tmp_path: Path) -> None:
    model = saved("bert-tied-bias", tmp_path)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def renamed(name: str) -> str:
        for new, before in old.items():
            name = name.replace(new, before)
        return name

    change(model, lambda tensors: {renamed(name): value for name, value in tensors.items()})
    load_model(model)
    graft_it(model)


def test_a_score_that_is_no_number_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = saved("roberta-tied-bias", tmp_path)
    monkeypatch.setattr("lexigraft.core.models.loading.all_finite", lambda tensor: True)
    change(model, lambda tensors: {n: v * math.nan if "layer.1" in n else v for n, v in tensors.items()})
    with pytest.raises(LexigraftError, match=r"no number on heldout: bits_per_byte"):
        evaluate_it(model)
