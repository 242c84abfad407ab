"""How fast a model with random weights adapts on a device, in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

import measure  # noqa: F401
from lexigraft.adapters.training import adapt
from lexigraft.core.corpus import Corpus
from lexigraft.core.fixture_models import fixture
from lexigraft.core.fixture_text import SOURCE_TEXT
from lexigraft.core.objective import DEFAULT_OBJECTIVE
from lexigraft.core.recipe import AdaptSettings
from lexigraft.core.registry import make
from lexigraft.core.vocabulary import Vocabulary

# BERT-base and the shape of Llama 3.2 1B.
MASKED = {"vocab_size": 30_522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
CAUSAL = {"vocab_size": 128_256, "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32}
SMALL = {"vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TOKENS = {"masked": 32_768, "causal": 16_384}
STEPS, SETTLED = 20, 5


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Tokens and operations per second, and the operations per second of one large product of matrices."""
    kind, device, small = request["kind"], request["device"], request["small"]
    _, tokenizer, _ = fixture("roberta-tied-bias" if kind == "masked" else "llama-untied")
    vocabulary = Vocabulary.of(tokenizer)
    model = _model(kind, small)
    length = 64 if small else 512
    settings = AdaptSettings(
        steps=STEPS,
        batch_tokens=128 if small else TOKENS[kind],
        sequence_length=length,
        precision="bfloat16",
    )
    objective = make("objective", DEFAULT_OBJECTIVE[kind])
    rows = settings.batch_tokens // length
    text = torch.randint(vocabulary.size, (rows, length), generator=torch.Generator().manual_seed(0))
    batch = objective.batch(text, vocabulary, torch.Generator().manual_seed(0))
    operations, times = 0, []

    def note(step: int, live: Any) -> dict[str, float]:
        nonlocal operations
        if step == 1:
            counter = FlopCounterMode(display=False)
            moved = {name: tensor.to(live.device) for name, tensor in batch.items()}
            with counter, torch.autocast(device, torch.bfloat16):
                objective.loss(live, moved).backward()
            live.zero_grad()
            operations = counter.get_total_flops()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())
        return {}

    lines = SOURCE_TEXT.splitlines() * (rows * length * STEPS // len(SOURCE_TEXT) + 1)
    found = {"parameters": model.num_parameters(), "attention": model.config._attn_implementation}
    adapt(
        model,
        vocabulary,
        Corpus.of(lines),
        settings,
        objective=objective,
        on_step=note,
        eval_steps=(1, SETTLED, STEPS),
    )
    seconds = (times[-1] - times[1]) / (STEPS - SETTLED)
    return found | {
        "tokens_per_second": rows * length / seconds,
        "operations_per_second": operations / seconds,
        "matmul_rate": _matmul_rate(device, 1024 if small else 8192),
    }


def _model(kind: str, small: bool) -> Any:
    torch.manual_seed(0)
    if kind == "masked":
        return BertForMaskedLM(BertConfig(**(SMALL if small else MASKED)))
    shape = SMALL if small else CAUSAL | {"intermediate_size": 8192, "num_key_value_heads": 8}
    return LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=True))


def _matmul_rate(device: str, size: int) -> float:
    """Operations per second of a product of two square matrices in bfloat16, the best of ten."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
