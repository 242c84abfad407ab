"""How fast a model with random weights adapts on a device, in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lexigraft.adapters.training.adapt import adapt
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from gpu.gpu_model import SETTLED, STEPS, Job, job, peak_gpu_bytes

COUNTED_ROWS = 2


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds and operations of a step, and the operations per second of one large product of matrices."""
    kind, device, small = request["kind"], request["device"], request["small"]
    given = job(kind, small)
    objective, vocabulary = make("objective", DEFAULT_OBJECTIVE[kind]), Vocabulary.of(given.tokenizer)
    operations, times = 0, []

    def note(step: int, live: Any) -> dict[str, float]:
        nonlocal operations
        if step == 1:
            operations = _operations(live, objective, vocabulary, given)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())
        return {}

    found = {"parameters": given.model.num_parameters(), "attention": given.model.config._attn_implementation}
    adapt(
        given.model,
        vocabulary,
        Corpus.of(given.lines),
        AdaptSettings(steps=STEPS, batch_tokens=given.batch_tokens, sequence_length=given.length, precision="bfloat16"),
        objective=objective,
        on_step=note,
        eval_steps=(1, SETTLED, STEPS),
    )
    peak = peak_gpu_bytes()
    return found | {
        "step_seconds": (times[-1] - times[1]) / (STEPS - SETTLED),
        "tokens": given.batch_tokens,
        "operations": operations,
        "peak_bytes": peak,
        "matmul_rate": _matmul_rate(device, 1024 if small else 8192),
    }


def _operations(live: Any, objective: Any, vocabulary: Vocabulary, given: Job) -> float:
    """Operations of the matrix products in a step, counted on a few rows: with plain attention, all pairs of tokens."""
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(vocabulary.size, (COUNTED_ROWS, given.length), generator=generator)
    batch = objective.batch(text, vocabulary, generator)
    moved = {name: tensor.to(live.device) for name, tensor in batch.items()}
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.autocast(live.device.type, torch.bfloat16):
        objective.loss(live, moved).backward()
    live.zero_grad()
    return counter.get_total_flops() * given.rows / COUNTED_ROWS


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
