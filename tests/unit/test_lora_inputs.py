"""Inputs of LoRA layers: cast once under autocast, untouched without it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode

from fixtures.adapting import load
from lexigraft.adapters.lora_inputs import cast_inputs_once
from lexigraft.adapters.peft_warnings import expected_peft_warnings

IDS = torch.arange(5, 37).reshape(2, 16)


class Casts(TorchDispatchMode):
    """Counts the tensors that were cast."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it; note what makes a copy in another dtype."""
        self.count += func is torch.ops.aten._to_copy.default
        return func(*args, **(kwargs or {}))


def with_lora(dropout: float = 0.0) -> tuple[Any, Any]:
    """A model with LoRA layers that do something, as PEFT leaves it and with inputs cast once."""
    torch.manual_seed(0)
    model, _ = load("llama-untied")
    config = LoraConfig(target_modules="all-linear", init_lora_weights=False, lora_dropout=dropout)
    with expected_peft_warnings():
        left = get_peft_model(model, config)
    once = copy.deepcopy(left)
    cast_inputs_once(once)
    return left, once


def test_without_autocast_nothing_changes() -> None:
    left, once = with_lora()
    with torch.no_grad():
        assert torch.equal(once(IDS).logits, left(IDS).logits)


def test_under_autocast_the_same_logits_and_gradients_with_fewer_casts() -> None:
    counts, results = [], []
    for model in with_lora():
        with Casts() as casts, torch.autocast("cpu", torch.bfloat16):
            logits = model(IDS).logits
        logits.float().logsumexp(-1).sum().backward()
        counts.append(casts.count)
        results.append((logits, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])))
    for theirs, ours in zip(*results, strict=True):
        assert (theirs.float() - ours.float()).norm() <= 1e-2 * theirs.float().norm()
    assert counts[1] < 0.8 * counts[0]


def test_autocast_may_come_and_go() -> None:
    left, once = with_lora()
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            once(IDS)
        assert torch.equal(once(IDS).logits, left(IDS).logits)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_bfloat16_weights_under_float32_layers_still_evaluate(dropout: float) -> None:
    left, once = with_lora(dropout)
    for model in (left, once):
        model.eval()
        for name, parameter in model.named_parameters():
            if ".lora_" not in name:
                parameter.data = parameter.data.bfloat16()
    with torch.no_grad():
        assert torch.equal(once(IDS).logits, left(IDS).logits)
