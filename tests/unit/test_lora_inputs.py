"""Inputs of LoRA layers: cast once under autocast, untouched without it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode

from fixtures.adapting import load
from lexigraft.adapters.training.peft_warnings import expected_peft_warnings
from lexigraft.adapters.training.trainable import add_lora
from lexigraft.core.config.recipe import AdaptSettings, Phase

IDS = torch.arange(5, 37).reshape(2, 16)
SETTINGS = AdaptSettings(lora_dropout=0.0)


class Casts(TorchDispatchMode):
    """Counts the tensors that were cast."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it; note what makes a copy in another dtype."""
        self.count += func is torch.ops.aten._to_copy.default
        return func(*args, **(kwargs or {}))


def with_lora() -> tuple[Any, Any]:
    """A model with LoRA layers that do something, as PEFT makes it and as we do."""
    torch.manual_seed(0)
    model, _ = load("llama-untied")
    twin = copy.deepcopy(model)
    with expected_peft_warnings():
        theirs = get_peft_model(
            model, LoraConfig(r=SETTINGS.lora_rank, lora_alpha=SETTINGS.lora_alpha, target_modules="all-linear")
        )
    ours = add_lora(twin, SETTINGS, [Phase(steps=1)])
    state = {
        name: torch.randn_like(value) if "lora_B" in name else value for name, value in theirs.state_dict().items()
    }
    for made in (theirs, ours):
        made.load_state_dict(state)
        made.eval()
    return theirs, ours


def test_without_autocast_nothing_changes() -> None:
    theirs, ours = with_lora()
    with torch.no_grad():
        torch.testing.assert_close(ours(IDS).logits, theirs(IDS).logits)


def results(model: Any, autocast: bool) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Logits, the gradients of LoRA's weights, and how many tensors were cast for the logits."""
    with Casts() as casts, torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = model(IDS).logits
    logits.float().logsumexp(-1).sum().backward()
    slopes = torch.cat([p.grad.flatten() for name, p in model.named_parameters() if "lora_" in name])
    model.zero_grad()
    return logits.detach().float(), slopes, casts.count


def test_under_autocast_as_near_to_float32_with_fewer_casts() -> None:
    theirs, ours = with_lora()
    *exact, _ = results(theirs, autocast=False)
    *their_own, their_casts = results(theirs, autocast=True)
    *our_own, our_casts = results(ours, autocast=True)
    for wanted, found, allowed in zip(exact, our_own, their_own, strict=True):
        assert found.dtype == torch.float32
        assert 0 < (found - wanted).norm() < 1.2 * (allowed - wanted).norm() < 0.1 * wanted.norm()
    assert our_casts < 0.8 * their_casts


def test_autocast_may_come_and_go() -> None:
    theirs, ours = with_lora()
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            ours(IDS)
        torch.testing.assert_close(ours(IDS).logits, theirs(IDS).logits)


def test_bfloat16_weights_under_float32_layers_still_evaluate() -> None:
    theirs, ours = with_lora()
    for model in (theirs, ours):
        for name, parameter in model.named_parameters():
            if ".lora_" not in name:
                parameter.data = parameter.data.bfloat16()
    with torch.no_grad():
        assert torch.equal(ours(IDS).logits, theirs(IDS).logits)
