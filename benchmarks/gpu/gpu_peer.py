"""The same training as in gpu_speed.py by transformers' own Trainer and peft, in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from gpu.gpu_model import SETTLED, STEPS, job, peak_gpu_bytes
from training.adaptation_peer import blocks, trained


def main(request: dict[str, Any]) -> dict[str, float]:
    """Seconds of a step, and the most memory of the GPU."""
    given = job(request["kind"], request["small"])
    given.tokenizer.pad_token = given.tokenizer.pad_token or given.tokenizer.eos_token
    data = blocks(given.tokenizer, "\n".join(given.lines), given.length)
    with tempfile.TemporaryDirectory() as out:
        asked = {"kind": request["kind"], "batch": given.rows, "steps": STEPS - 1, "out": out}
        times, _ = trained(given.model, given.tokenizer, data, asked, bf16=True, use_cpu=request["device"] == "cpu")
    return {"step_seconds": (times[-1] - times[SETTLED]) / (STEPS - SETTLED - 1), "peak_bytes": peak_gpu_bytes()}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
