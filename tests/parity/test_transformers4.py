"""Written folders give transformers 4.57.1 the ids and logits that they give transformers 5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from fixtures.logits_biases import encoder_decoder, saved
from lexigraft.core.grafting.pipeline import make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer
from parity.environments import TRANSFORMERS_4, ask

pytestmark = [pytest.mark.parity, pytest.mark.slow]
TEXTS = ["Mayu wasikunap ladunta purin.", "  two  spaces\n\tif x == 10:", "中文 ñawi 12345 don't"]
SHAPE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}


def decoder(name: str, rotary: dict[str, Any]) -> tuple[Any, Any, Any]:
    source, target = tiny_tokenizer("byte_bpe"), tiny_tokenizer("byte_bpe", "target")
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(source), num_key_value_heads=2, rope_parameters=rotary, **SHAPE
    )
    torch.manual_seed(0)
    return getattr(transformers, f"{name}ForCausalLM")(config).eval(), source, target


def seq2seq(kind: str) -> tuple[Any, Any, Any]:
    source, target = tiny_tokenizer("unigram"), tiny_tokenizer("unigram", "target")
    return encoder_decoder(kind, source), source, target


CASES: dict[str, tuple[str, Callable[[], tuple[Any, Any, Any]]]] = {
    "roberta": ("AutoModelForMaskedLM", lambda: fixture("roberta-tied-bias")),
    "bert": ("AutoModelForMaskedLM", lambda: fixture("bert-tied-bias")),
    "gpt2": ("AutoModelForCausalLM", lambda: fixture("gpt2-tied")),
    "gemma": ("AutoModelForCausalLM", lambda: fixture("gemma-scaled")),
    "llama3": ("AutoModelForCausalLM", lambda: decoder("Llama", LLAMA3)),
    "qwen2": ("AutoModelForCausalLM", lambda: decoder("Qwen2", {"rope_type": "default", "rope_theta": 1e6})),
    "t5": ("AutoModelForSeq2SeqLM", lambda: fixture("t5-tied")),
    "mt5": ("AutoModelForSeq2SeqLM", lambda: fixture("mt5-untied")),
    "mbart": ("AutoModelForSeq2SeqLM", lambda: seq2seq("MBart")),
    "marian": ("AutoModelForSeq2SeqLM", lambda: seq2seq("Marian")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_grafted_folder_is_read_alike(name: str, tmp_path: Path) -> None:
    auto_class, made = CASES[name]
    model, source, target = made()
    folder = saved(model, source, tmp_path / "source")
    write_graft(
        prepare_graft(str(folder), Vocabulary.of(target), make_chain([("subword_mean", {})]), {}), tmp_path / "out"
    )
    request = {"folder": str(tmp_path / "out"), "texts": TEXTS, "auto_class": auto_class}
    theirs = ask(TRANSFORMERS_4, "transformers4_worker.py", request)
    assert theirs["version"] == "4.57.1"
    assert theirs["ids"] == [target(text)["input_ids"] for text in TEXTS]
    ours = getattr(transformers, auto_class).from_pretrained(tmp_path / "out").eval()
    inputs = {"input_ids": torch.tensor([theirs["ids"][0]])}
    if ours.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = inputs["input_ids"]
    with torch.no_grad():
        difference = ours(**inputs).logits - torch.tensor(theirs["logits"])
    assert difference.abs().max() < 1e-5
