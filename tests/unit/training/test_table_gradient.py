"""The gradient of a vocabulary table: one tensor of its size however many blocks, and the same as autograd's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import (
    BertConfig,
    BertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from lexigraft.core.models.heads import separable
from lexigraft.core.training.objective import Objective
from lexigraft.plugins.objectives.causal import Causal
from lexigraft.plugins.objectives.masked import Masked

VOCABULARY, WIDTH = 20_000, 64
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": WIDTH,
}
TABLE_BYTES = 4 * VOCABULARY * WIDTH
BLOCK = 2**18  # logits, a fifth of the table, for 13 of the positions


def _llama(tied: bool = True) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=tied))


def _llama_with_bias() -> PreTrainedModel:
    model = _llama()
    model.lm_head.bias = torch.nn.Parameter(torch.randn(VOCABULARY))
    return model


def _gemma() -> PreTrainedModel:
    return Gemma2ForCausalLM(Gemma2Config(**SHAPE, num_key_value_heads=1, head_dim=8, final_logit_softcapping=0.5))


def _bert() -> PreTrainedModel:
    return BertForMaskedLM(BertConfig(**SHAPE, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "tied": _llama,
    "untied": lambda: _llama(tied=False),
    "bias": _llama_with_bias,
    "scaled lookups and a soft cap": _gemma,
    "transform and bias": _bert,
}


def _made(name: str) -> tuple[PreTrainedModel, Objective, dict[str, torch.Tensor]]:
    """A model, its objective and a batch in which tokens occur several times."""
    torch.manual_seed(0)
    model = MODELS[name]()
    ids = torch.randint(50, (4, 16))
    if not isinstance(model, BertForMaskedLM):
        return model, Causal(logits_per_block=BLOCK), {"input_ids": ids, "labels": ids}
    return model, Masked(logits_per_block=BLOCK), {"input_ids": ids, "labels": ids.masked_fill(ids % 3 == 0, -100)}


def _gradients(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("autocast", [False, True])
def test_gradients_are_those_of_the_whole_logits(name: str, autocast: bool) -> None:
    model, objective, batch = _made(name)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert separable(model, batch["input_ids"])
        loss, own = objective.loss(model, batch), model(**batch).loss
    own.backward()
    expected = _gradients(model)
    loss.backward()
    fast = _gradients(model)
    assert fast.keys() == expected.keys()
    for parameter, gradient in expected.items():
        # Some are zero but for rounding: that of a bias that all keys share.
        off = (fast[parameter] - gradient).norm() / (gradient.norm() + 1e-3)
        assert off < (0.02 if autocast else 1e-5), parameter


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_several_batches_add_up(name: str) -> None:
    model, objective, batch = _made(name)
    objective.loss(model, batch).backward()
    once = _gradients(model)
    for share in (0.25, 0.75):
        (objective.loss(model, batch) * share).backward()
    for parameter, gradient in _gradients(model).items():
        torch.testing.assert_close(gradient, once[parameter], atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "untied"])
def test_one_gradient_of_a_tied_tables_size_is_made(name: str) -> None:
    model, objective, batch = _made(name)
    assert separable(model, batch["input_ids"])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        objective.loss(model, batch).backward()
    large = [event.name for event in seen.events() if event.self_cpu_memory_usage >= TABLE_BYTES]
    assert len(large) == 1
    assert model.get_input_embeddings().weight.grad.layout == torch.strided


def test_the_model_is_as_it_was() -> None:
    model, objective, batch = _made("tied")
    table = model.get_input_embeddings().weight
    objective.loss(model, batch).backward()
    assert model.get_input_embeddings().weight is table
    assert model.get_output_embeddings().weight is table
    assert not model.get_input_embeddings().sparse
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("again", [{}, {"retain_graph": True}])
def test_a_second_backward_pass_is_refused_by_torch(again: dict[str, bool]) -> None:
    model, objective, batch = _made("tied")
    loss = objective.loss(model, batch)
    loss.backward(**again)
    with pytest.raises(RuntimeError, match="modified by an inplace operation" if again else "a second time"):
        loss.backward()


def test_without_a_token_to_guess_gradients_are_zero() -> None:
    model, objective, batch = _made("transform and bias")
    loss = objective.loss(model, batch | {"labels": torch.full_like(batch["labels"], -100)})
    loss.backward()
    assert loss.item() == 0
    gradient = model.get_input_embeddings().weight.grad
    assert gradient is not None
    assert not gradient.any()


def test_a_frozen_table_gets_none() -> None:
    model, objective, batch = _made("tied")
    model.get_input_embeddings().weight.requires_grad_(False)
    objective.loss(model, batch).backward()
    found = _gradients(model)
    assert "model.embed_tokens.weight" not in found
    assert found
