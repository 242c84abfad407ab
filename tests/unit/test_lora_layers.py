"""LoRA layers in one function: PEFT's numbers, PEFT's files, PEFT's merged weights, and fewer passes over memory."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode

from fixtures.adapting import load
from lexigraft.adapters.training.peft_warnings import expected_peft_warnings
from lexigraft.adapters.training.trainable import add_lora
from lexigraft.core.config.recipe import AdaptSettings, Phase

IDS = torch.arange(5, 37).reshape(2, 16)


class Made(TorchDispatchMode):
    """Counts the values of new tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it; note how large what it made is."""
        found = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in args if isinstance(t, torch.Tensor)}
        if isinstance(found, torch.Tensor) and found.untyped_storage().data_ptr() not in given:
            self.values += found.numel()
        return found


def both(name: str, dropout: float = 0.0) -> tuple[Any, Any, Any]:
    """A plain model, and with LoRA layers that do something: as PEFT makes it, and as we do."""
    torch.manual_seed(0)
    plain, _ = load(name)
    theirs, ours = copy.deepcopy(plain), copy.deepcopy(plain)
    settings = AdaptSettings(lora_dropout=dropout, lora_alpha=11)
    ours = add_lora(ours, settings, [Phase(steps=1)])
    config = LoraConfig(**{**ours.peft_config["default"].to_dict(), "inference_mode": False})
    with expected_peft_warnings():
        theirs = get_peft_model(theirs, config)
    state = {
        key: 0.1 * torch.randn_like(value) if "lora_B" in key else value for key, value in theirs.state_dict().items()
    }
    for made in (theirs, ours):
        made.load_state_dict(state)
        # As where adaptation trains the tables: the body's first layer has a gradient to hand on.
        made.get_input_embeddings().weight.requires_grad_(True)
        made.train()
        for module in made.modules():
            if isinstance(module, torch.nn.Dropout) and module.p != dropout:
                module.p = 0.0
    return plain, theirs, ours


def apart(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """How far, in the length of theirs."""
    return float(((ours - theirs).norm() / theirs.norm()).detach())


def gradients(model: Any) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def passes(model: Any) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Logits, gradients, and how many values new tensors had."""
    torch.manual_seed(1)
    with Made() as made:
        logits = model(IDS).logits
        logits.logsumexp(-1).sum().backward()
    return logits, gradients(model), made.values


@pytest.mark.parametrize("name", ["llama-untied", "roberta-tied-bias", "gpt2-tied"])
def test_numbers_are_pefts_and_less_is_made(name: str) -> None:
    _, theirs, ours = both(name)
    (logits, slopes, made), (our_logits, our_slopes, our_made) = passes(theirs), passes(ours)
    assert apart(our_logits, logits) < 1e-5
    assert apart(our_slopes, slopes) < 1e-5
    assert our_made < 0.9 * made


def test_what_lora_reads_is_dropped_out_and_what_the_layer_reads_is_not() -> None:
    _, theirs, ours = both("llama-untied", dropout=0.5)
    # PEFT draws for a batch of rows, we for its positions one after another: the same draws.
    (logits, slopes, _), (our_logits, our_slopes, _) = passes(theirs), passes(ours)
    assert apart(our_logits, logits) < 1e-5
    assert apart(our_slopes, slopes) < 1e-5
    assert not torch.allclose(our_logits, ours.eval()(IDS).logits, atol=1e-3)


@pytest.mark.parametrize("state", ["disabled", "merged", "base trains", "two adapters", "hooked"])
def test_what_is_not_plain_is_pefts(state: str) -> None:
    _, theirs, ours = both("llama-untied")
    for model in (theirs, ours):
        if state == "merged":
            model.merge_adapter()
        if state == "base trains":
            for name, parameter in model.named_parameters():
                parameter.requires_grad_("base_layer" in name)
        if state == "two adapters":
            with expected_peft_warnings():
                model.add_adapter("other", model.peft_config["default"])
            model.base_model.set_adapter(["default", "other"])
        if state == "hooked":
            hooked = [m for name, m in model.named_modules() if name.endswith("base_layer")]
            for module in hooked:
                module.register_forward_hook(lambda module, given, output: 2 * output)
    ours.load_state_dict(theirs.state_dict())
    if state == "disabled":
        with theirs.disable_adapter(), ours.disable_adapter():
            assert torch.equal(ours(IDS).logits, theirs(IDS).logits)
        return
    (logits, slopes, _), (our_logits, our_slopes, _) = passes(theirs), passes(ours)
    assert torch.equal(our_logits, logits)
    assert torch.equal(our_slopes, slopes)


@pytest.mark.parametrize("safe", [False, True])
def test_merged_weights_are_pefts(safe: bool) -> None:
    _, theirs, ours = both("llama-untied")
    for model in (theirs, ours):
        model.merge_adapter(safe_merge=safe)
    assert torch.equal(ours(IDS).logits, theirs(IDS).logits)
    for model in (theirs, ours):
        model.unmerge_adapter()
    merged = [model.merge_and_unload(safe_merge=safe).state_dict() for model in (theirs, ours)]
    assert all(torch.equal(merged[0][key], merged[1][key]) for key in merged[0])


def test_files_are_plain_loras_and_copies_compute_alone(tmp_path: Path) -> None:
    plain, _, ours = both("llama-untied")
    expected = ours.eval()(IDS).logits
    ours.save_pretrained(tmp_path)
    with expected_peft_warnings():
        again = PeftModel.from_pretrained(plain, str(tmp_path))
    assert apart(again(IDS).logits, expected) < 1e-5
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        for name, parameter in ours.named_parameters():
            other.get_parameter(name).data.copy_(parameter + 1 if "lora_B" in name else parameter)
        assert not torch.allclose(other(IDS).logits, expected, atol=1e-2)
        assert torch.equal(ours(IDS).logits, expected)
