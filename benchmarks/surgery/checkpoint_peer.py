"""The peer's half of the surgery benchmark: what transformers offers, which is to load the model and to resize it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from lexigraft.core.utils.memory import peak_rss_bytes


def main(request: dict[str, Any]) -> dict[str, float]:
    """Seconds until the model is on the disk, and the peak resident size of the process."""
    folder = Path(request["folder"])
    began = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype="auto")
    tokenizer = AutoTokenizer.from_pretrained(folder / "target")
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder / "theirs")
    tokenizer.save_pretrained(folder / "theirs")
    for path in (folder / "theirs").iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return {
        "seconds": time.perf_counter() - began,
        "peak_bytes": peak_rss_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
