"""The models with random weights, and the text, that both sides of the speed check on a GPU train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

# BERT-base and the shape of Llama 3.2 1B.
MASKED = {"vocab_size": 30_522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
CAUSAL = {"vocab_size": 128_256, "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32}
SMALL = {"vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TOKENS = {"masked": 65_536, "causal": 16_384}
STEPS, SETTLED = 20, 5


@dataclass(frozen=True)
class Job:
    """What is trained.

    Attributes:
        model: With random weights.
        tokenizer: Its ids are a few of the model's.
        rows: Sequences in a batch.
        length: Tokens in a sequence.
        lines: Enough for every step.
    """

    model: Any
    tokenizer: Any
    rows: int
    length: int
    lines: list[str]

    @property
    def batch_tokens(self) -> int:
        """Tokens of a step."""
        return self.rows * self.length


def job(kind: str, small: bool) -> Job:
    """The model of a kind in full size, or one that processors can train."""
    _, tokenizer, _ = fixture("roberta-tied-bias" if kind == "masked" else "llama-untied")
    length = 64 if small else 512
    rows = 2 if small else TOKENS[kind] // length
    lines = SOURCE_TEXT.splitlines() * (rows * length * STEPS // len(SOURCE_TEXT) + 1)
    torch.manual_seed(0)
    if kind == "masked":
        return Job(BertForMaskedLM(BertConfig(**(SMALL if small else MASKED))), tokenizer, rows, length, lines)
    shape = SMALL if small else CAUSAL | {"intermediate_size": 8192, "num_key_value_heads": 8}
    model = LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=True))
    return Job(model, tokenizer, rows, length, lines)


def peak_gpu_bytes() -> int:
    """The most that tensors of this process took of the GPU at a time; 0 without one."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
