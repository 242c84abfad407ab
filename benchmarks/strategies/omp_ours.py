"""Our half of the OMP benchmark, in a process of its own: the whole graft from folder to folder, and peak memory."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers.models.llama.modeling_llama  # noqa: F401  imports are not counted

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import load_donor, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.registry import make
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.memory import peak_rss_bytes


def main(request: dict[str, Any]) -> dict[str, float]:
    """Seconds of the run and of the strategy in it, and the peak resident size of the process."""
    torch.set_num_threads(int(request["threads"]))
    chain = [make("strategy", "omp", {"k": request["k"]})]
    began, processor = time.perf_counter(), time.process_time()
    loaders = {Need.DONOR: lambda: load_donor(request["donor"])}
    made = prepare_graft(request["model"], load_vocabulary(request["donor"]), chain, loaders)
    write_graft(made, Path(request["out"]), verified=False)
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - processor,
        "plan_seconds": made.facts["seconds"]["plan"],
        "peak_bytes": peak_rss_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
