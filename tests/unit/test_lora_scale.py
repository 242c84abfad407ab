"""LoRA layers that scale sooner: PEFT's numbers, PEFT's files, PEFT's merged weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode

from fixtures.adapting import load
from lexigraft.adapters.peft_warnings import expected_peft_warnings
from lexigraft.adapters.trainable import add_lora
from lexigraft.core.recipe import AdaptSettings, Phase

IDS = torch.arange(5, 37).reshape(2, 16)


class Multiplied(TorchDispatchMode):
    """Counts the values that are multiplied one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it; note how large a product is."""
        found = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten.mul.Tensor, torch.ops.aten.mul.Scalar):
            self.values += found.numel()
        return found


def both(name: str, alpha: float) -> tuple[Any, Any, Any]:
    """A plain model, and with LoRA layers that do something: as PEFT makes it, and as we do."""
    torch.manual_seed(0)
    plain, _ = load(name)
    theirs, ours = copy.deepcopy(plain), copy.deepcopy(plain)
    settings = AdaptSettings(lora_dropout=0.0, lora_alpha=alpha)
    ours = add_lora(ours, settings, [Phase(steps=1)])
    config = LoraConfig(**{**ours.peft_config["default"].to_dict(), "inference_mode": False})
    with expected_peft_warnings():
        theirs = get_peft_model(theirs, config)
    state = {key: torch.randn_like(value) if "lora_B" in key else value for key, value in theirs.state_dict().items()}
    for made in (theirs, ours):
        made.load_state_dict(state)
        made.train()
    return plain, theirs, ours


def gradients(model: Any) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for name, p in model.named_parameters() if "lora_" in name])


@pytest.mark.parametrize("name", ["llama-untied", "roberta-tied-bias", "gpt2-tied"])
def test_a_power_of_two_gives_the_same_bits(name: str) -> None:
    _, theirs, ours = both(name, alpha=16)
    logits, counts = [], []
    for model in (theirs, ours):
        with Multiplied() as multiplied:
            logits.append(model(IDS).logits)
            logits[-1].logsumexp(-1).sum().backward()
        counts.append(multiplied.values)
    assert torch.equal(*logits)
    torch.testing.assert_close(gradients(ours), gradients(theirs), rtol=1e-5, atol=1e-6)
    assert counts[1] < counts[0]


def test_another_scale_gives_the_same_numbers() -> None:
    _, theirs, ours = both("llama-untied", alpha=11)
    torch.testing.assert_close(ours(IDS).logits, theirs(IDS).logits)


@pytest.mark.parametrize("safe", [False, True])
def test_merged_weights_are_pefts(safe: bool) -> None:
    _, theirs, ours = both("llama-untied", alpha=16)
    for model in (theirs, ours):
        model.merge_adapter(safe_merge=safe)
    assert torch.equal(ours(IDS).logits, theirs(IDS).logits)
    for model in (theirs, ours):
        model.unmerge_adapter()
    assert torch.equal(ours(IDS).logits, theirs(IDS).logits)
    merged = [model.merge_and_unload(safe_merge=safe).state_dict() for model in (theirs, ours)]
    assert all(torch.equal(merged[0][key], merged[1][key]) for key in merged[0])


def test_the_files_are_plain_loras(tmp_path: Path) -> None:
    plain, _, ours = both("llama-untied", alpha=16)
    ours.save_pretrained(tmp_path)
    with expected_peft_warnings():
        again = PeftModel.from_pretrained(plain, str(tmp_path))
    assert torch.equal(again(IDS).logits, ours.eval()(IDS).logits)
