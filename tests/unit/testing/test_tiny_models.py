"""The tiny models are what their names say, the same every time, and survive saving."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from lexigraft.core.errors import UnknownName
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_models import FIXTURES, FixtureSpec, build, fixture
from lexigraft.testing.tiny_tokenizers import Family, tiny_tokenizer

LOADERS = {
    "roberta": AutoModelForMaskedLM,
    "bert": AutoModelForMaskedLM,
    "t5": AutoModelForSeq2SeqLM,
    "mt5": AutoModelForSeq2SeqLM,
}


def logits(model, ids):
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        return model(**inputs).logits


@pytest.mark.parametrize("chosen", FIXTURES, ids=lambda s: s.name)
def test_round_trip_keeps_logits_ties_and_traits(chosen: FixtureSpec, tmp_path: Path) -> None:
    model, source, target = fixture(chosen.name)
    ids = source(["The river runs past the old house."], return_tensors="pt").input_ids
    before = logits(model, ids)
    model.save_pretrained(tmp_path)
    again = LOADERS.get(chosen.architecture, AutoModelForCausalLM).from_pretrained(tmp_path).eval()

    assert torch.equal(before, logits(again, ids))
    for each in (model, again):
        table, head = each.get_input_embeddings().weight, each.get_output_embeddings()
        assert (table.data_ptr() == head.weight.data_ptr()) is chosen.tied
        assert (head.bias is not None) is chosen.bias
        assert table.dtype == getattr(torch, chosen.dtype)
        assert (table.shape[0] > len(source)) is (chosen.pad_rows_to > 1)
    norms = model.get_input_embeddings().weight.float().norm(dim=1)
    assert norms.std() > 0.1
    assert torch.isfinite(before).all()
    if chosen.bias:
        assert model.get_output_embeddings().bias.abs().min() > 0
    assert set(source.get_vocab()) & set(target.get_vocab())


def test_building_is_repeatable_and_leaves_the_global_random_state() -> None:
    state = torch.get_rng_state()
    one, two = build(FIXTURES[0]).state_dict(), build(FIXTURES[0]).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize("variant", ["source", "target"])
@pytest.mark.parametrize("family", get_args(Family))
def test_tokenizers_have_their_roles_and_reload(family: Family, variant: str, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(family, variant)
    text = SAMPLE[variant].splitlines()
    assert 300 <= len(tokenizer) <= 600
    assert len(tokenizer) == max(tokenizer.get_vocab().values()) + 1
    assert tokenizer.pad_token_id is not None
    assert tokenizer.unk_token_id is not None
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(text).input_ids == tokenizer(text).input_ids
    if family != "wordpiece":
        decoded = tokenizer.batch_decode(tokenizer(text[:3]).input_ids, skip_special_tokens=True)
        assert decoded == text[:3]


@pytest.mark.parametrize("family", ["bpe_byte_fallback", "unigram_byte_fallback"])
def test_byte_fallback_is_used_for_rare_letters(family: Family) -> None:
    tokenizer = tiny_tokenizer(family, "source")
    pieces = tokenizer.tokenize("水")
    assert [p for p in pieces if p.startswith("<0x")] == ["<0xE6>", "<0xB0>", "<0xB4>"]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownName, match="llama-untied"):
        fixture("llama-unted")
