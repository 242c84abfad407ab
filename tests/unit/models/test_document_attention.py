"""Documents kept apart in a row: what a model says of one does not change with what stands before it."""

from __future__ import annotations

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from fixtures.adapting import load
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.document_attention import model_inputs, refuse_mixing


@pytest.mark.parametrize("name", ["llama-untied", "gpt2-tied", "gemma-scaled", "bert-tied-bias", "roberta-padded"])
def test_logits_are_those_of_each_document_alone(name: str) -> None:
    model, vocabulary = load(name)
    refuse_mixing(model, 24)
    ids = torch.tensor(vocabulary.encode(["The river runs past the old house and the children play"]))[:, :12]
    documents = ids[:, :5], ids[:, 5:9], ids[:, 9:]
    starts = torch.zeros_like(ids, dtype=torch.bool)
    starts[:, [5, 9]] = True
    with torch.no_grad():
        uncached = {} if "bert" in name else {"use_cache": False}
        together = model(**model_inputs(model, {"input_ids": ids, "document_starts": starts}), **uncached).logits
        alone = torch.cat([model(input_ids=document).logits for document in documents], 1)
        mixed = model(**model_inputs(model, {"input_ids": ids})).logits
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(mixed, alone, atol=1e-3)


def test_rows_of_a_batch_each_have_their_own_documents() -> None:
    model, _ = load("llama-untied")
    ids = torch.arange(20, 36).reshape(2, 8)
    starts = torch.zeros_like(ids, dtype=torch.bool)
    starts[0, 3] = starts[1, 6] = True
    inputs = model_inputs(model, {"input_ids": ids, "document_starts": starts})
    assert inputs["position_ids"].tolist() == [[0, 1, 2, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 0, 1]]
    with torch.no_grad():
        together = model(**inputs, use_cache=False).logits
        alone = model(input_ids=ids[1:, :6]).logits
    torch.testing.assert_close(together[1:, :6], alone, atol=1e-4, rtol=1e-4)


def test_a_sliding_window_stays() -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    model = MistralForCausalLM(MistralConfig(vocab_size=40, num_key_value_heads=1, sliding_window=4, **shape)).eval()
    refuse_mixing(model, 24)


@pytest.mark.parametrize("name", ["t5-tied", "mt5-untied"])
def test_models_that_take_no_positions_are_refused(name: str) -> None:
    model, _ = load(name)
    with pytest.raises(LexigraftError, match="cannot keep documents apart"):
        refuse_mixing(model, 24)
