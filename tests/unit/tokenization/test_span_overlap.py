"""Segments that two tokenisations share, and what the attention brings from one to another."""

from __future__ import annotations

import pytest
import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.methods.attention_influence import influence, influence_gap
from lexigraft.core.models.attention_capture import CapturedAttention, capture_attention, take_captured
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.tokenization.matching.span_overlap import common_segments
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture


def ends(vocabulary, text: str) -> list[int]:
    return [end for _, end in vocabulary.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).offsets]


def test_a_text_is_cut_where_both_end_a_token() -> None:
    # "qhatukuna purin": qha tu kuna | pu rin, and qhatu kuna | purin
    assert common_segments([3, 5, 9, 12, 15], [5, 9, 15]) == ([0, 0, 1, 2, 2], [0, 1, 2], 3)


def test_bytes_of_one_character_stay_together_and_what_one_side_drops_at_the_end_is_left_out() -> None:
    assert common_segments([1, 2, 2, 3], [2, 3]) == ([0, 0, 0, 1], [0, 1], 2)
    assert common_segments([2, 4, 6], [2, 5]) == ([0], [0], 1)
    assert common_segments([2], [1]) == ([], [], 0)
    assert common_segments([], []) == ([], [], 0)


@pytest.mark.parametrize("name", ["roberta-tied-bias", "bert-tied-bias", "llama-untied", "gpt2-tied", "llama-bf16"])
def test_words_are_segments_whatever_the_tokenizers_do_with_spaces(name: str) -> None:
    where, text = cached_fixture(name), "Mayu wasikunap ladunta purin"
    found = common_segments(ends(where.source, text), ends(where.target, text))
    assert found.number >= 4
    assert len(found.first) == len(ends(where.source, text))
    assert len(found.second) == len(ends(where.target, text))
    assert sorted(set(found.first)) == sorted(set(found.second)) == list(range(found.number))


def test_influence_by_hand() -> None:
    # One head, values of width 1: 1, 2, 4. Segments: tokens 0 and 1, then token 2. Their last tokens are 1 and 2.
    weights = torch.tensor([[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]]])
    seen = CapturedAttention(weights, torch.tensor([[[[1.0], [2.0], [4.0]]]]))
    found = influence(seen, 0, [0, 0, 1], 2, total=False)
    # Token 1 takes 0.5 * 1 + 0.5 * 2 = 1.5 from segment 0; token 2 takes 0.2 + 0.6 = 0.8 from 0 and 0.5 * 4 = 2 from 1.
    torch.testing.assert_close(found, torch.tensor([[[[1.5], [0.0]], [[0.8], [2.0]]]]))
    torch.testing.assert_close(influence(seen, 0, [0, 0, 1], 2, total=True), torch.tensor([[[[1.5]], [[2.8]]]]))
    # Against nothing: (1.5² + 0.8² + 2²) over the 3 pairs that a causal model has, or over all 4.
    nothing = torch.zeros_like(found)
    assert influence_gap(nothing, found, both_ways=False).item() == pytest.approx((2.25 + 0.64 + 4) / 3)
    assert influence_gap(nothing, found, both_ways=True).item() == pytest.approx((2.25 + 0.64 + 4) / 4)


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_weights_times_values_are_the_attention_outputs_of_the_model(name: str) -> None:
    """Checked where it can be seen from outside: at the projection behind the attention."""
    where = cached_fixture(name)
    ids = torch.tensor([where.source.encode(["The river runs past the old house."])[0]])
    frozen = FrozenModel.of(where.model, where.source.size)
    given: list[torch.Tensor] = []
    behind = ("o_proj", "c_proj", "SelfAttention.o", "output.dense")
    names = [n for n, _ in frozen.stack.named_modules() if n.endswith(behind) and "mlp" not in n]
    projections = [frozen.stack.get_submodule(n) for n in names if not n.endswith("output.dense") or "attention" in n]
    hooks = [p.register_forward_pre_hook(lambda _m, args: given.append(args[0])) for p in projections]
    before = where.model.config._attn_implementation
    try:
        with capture_attention(where.model) as seen, torch.no_grad():
            watched_states = frozen.states(ids, torch.ones_like(ids))
            taken = take_captured(seen, frozen.depth, where.model)
    finally:
        for hook in hooks:
            hook.remove()
    assert where.model.config._attn_implementation == before
    assert len(given) == len(taken) == 2
    for output, (weights, values) in zip(given, taken, strict=True):
        torch.testing.assert_close((weights @ values).transpose(1, 2).flatten(2), output, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(watched_states, frozen.states(ids, torch.ones_like(ids)), atol=1e-4, rtol=1e-4)


def test_a_model_whose_values_cannot_be_seen_is_refused_in_plain_words() -> None:
    from transformers import BloomConfig, BloomForCausalLM

    with torch.random.fork_rng(devices=[]):
        model = BloomForCausalLM(BloomConfig(vocab_size=20, hidden_size=8, n_layer=1, n_head=2)).eval()
    with capture_attention(model) as seen:
        FrozenModel.of(model, 20).states(torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.long))
        with pytest.raises(LexigraftError, match=r"BloomForCausalLM.*token_distillation"):
            take_captured(seen, 1, model)
