"""Our half of the adaptation benchmark, in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from lexigraft.adapters.training.adapt import adapt
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.models.loading import load_model
from lexigraft.core.registry import make
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE
from lexigraft.core.utils.memory import peak_rss_bytes


def main(request: dict[str, Any]) -> dict[str, float]:
    """Seconds of a step, the last loss, and the peak resident size of the process."""
    torch.set_num_threads(int(request["threads"]))
    model, vocabulary = load_model(f"{request['folder']}/model"), load_vocabulary(f"{request['folder']}/model")
    settings = AdaptSettings(
        steps=request["steps"] + 1,
        batch_tokens=request["batch"] * request["length"],
        sequence_length=request["length"],
        learning_rate=1e-3,
        warmup_share=0.0,
        lora_rank=16,
        lora_alpha=32,
    )
    times: list[float] = []

    def note(step: int, model: Any) -> dict[str, float]:
        times.append(time.perf_counter())
        return {}

    done = adapt(
        model,
        vocabulary,
        load_corpus([Path(request["folder"]) / "text.txt"]),
        settings,
        objective=make("objective", DEFAULT_OBJECTIVE[request["kind"]]),
        on_step=note,
        eval_steps=(1, settings.steps),
    )
    return {
        "step_seconds": (times[-1] - times[0]) / request["steps"],
        "loss": done.losses[-1][1],
        "peak_bytes": peak_rss_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
