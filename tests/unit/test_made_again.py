"""Outputs of activations are let go and made again, to the same gradients; a changed tensor is found out."""

from __future__ import annotations

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from transformers.activations import GELUActivation, MishActivation, NewGELUActivation

from fixtures.adapting import load
from lexigraft.adapters.training.trainable import add_lora
from lexigraft.core.config.recipe import AdaptSettings, Phase
from lexigraft.core.training.activation_recompute import outputs_made_again

IDS = torch.arange(5, 37).reshape(2, 16)


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("name", ["llama-untied", "roberta-tied-bias", "gpt2-tied", "gemma-scaled", "mt5-untied"])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_gradients_are_the_same_bits(name: str, bfloat16: bool) -> None:
    model, _ = load(name)
    add_lora(model, AdaptSettings(lora_dropout=0.0), [Phase(steps=1)])
    model.train()
    options = {"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {}

    def backward() -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = model(input_ids=IDS, **options).logits.float().square().mean()
        loss.backward()
        return gradients(model)

    plain = backward()
    with outputs_made_again([model]):
        again = backward()
    assert plain.keys() == again.keys()
    assert all(torch.equal(plain[name], again[name]) for name in plain)


def layer(activation: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 32), activation, torch.nn.Linear(32, 8))


def output_kept(network: torch.nn.Module, states: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """The result, and whether what the activation gave is still in memory."""
    found: list[StorageWeakRef] = []
    handle = network[1].register_forward_hook(
        lambda m, _, output: found.append(StorageWeakRef(output.untyped_storage()))
    )
    result = network(states)
    handle.remove()
    return result, not found[0].expired()


KEEP_INPUTS = [torch.nn.SiLU(), torch.nn.Hardswish(), GELUActivation(), NewGELUActivation(), MishActivation()]


@pytest.mark.parametrize("activation", KEEP_INPUTS, ids=lambda module: type(module).__name__)
def test_an_output_goes_where_its_input_is_kept(activation: torch.nn.Module) -> None:
    network, states = layer(activation), torch.randn(3, 8)
    plain, kept = output_kept(network, states)
    assert kept
    with outputs_made_again([network]):
        result, kept = output_kept(network, states)
        assert not kept
        plain.sum().backward()
        wanted = gradients(network)
        result.sum().backward()
    assert all(torch.equal(wanted[name], found) for name, found in gradients(network).items())
    assert output_kept(network, states)[1]


def test_an_output_stays_where_the_activation_itself_needs_it() -> None:
    network = layer(torch.nn.Tanh())
    with outputs_made_again([network]):
        result, kept = output_kept(network, torch.randn(3, 8))
        assert kept
        result.sum().backward()


def test_an_output_that_was_changed_is_not_made_again() -> None:
    class Doubled(torch.nn.Module):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return states.mul_(2)

    torch.manual_seed(0)
    parts = [torch.nn.Linear(8, 32), torch.nn.SiLU(), Doubled(), torch.nn.Linear(32, 8)]
    network = torch.nn.Sequential(*parts)
    states = torch.randn(3, 8)
    network(states).sum().backward()
    wanted = gradients(network)
    with outputs_made_again([network]):
        network(states).sum().backward()
    assert all(torch.equal(wanted[name], found) for name, found in gradients(network).items())


@pytest.mark.parametrize("place", [0, 1])
def test_a_tensor_changed_after_it_was_kept_is_an_error(place: int) -> None:
    network = layer(torch.nn.SiLU())
    caught: list[torch.Tensor] = []
    network[place].register_forward_hook(lambda m, given, output: caught.append(given[0]))
    with outputs_made_again([network]):
        result = network(torch.randn(3, 8))
        with torch.no_grad():
            caught[0].add_(1)
        with pytest.raises(RuntimeError, match="changed in place"):
            result.sum().backward()
