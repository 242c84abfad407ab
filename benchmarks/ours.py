"""Our half of the FOCUS benchmark, in a process of its own: alignment, vectors, rows, and peak memory."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

import measure  # noqa: F401
from parity.ours import our_rows


def main(request: dict[str, str]) -> dict[str, float]:
    """Seconds of each stage and the peak resident size of the process."""
    torch.set_num_threads(int(request["threads"]))
    tokenizers = [PreTrainedTokenizerFast.from_pretrained(request[name]) for name in ("source", "target")]
    ours = our_rows(*tokenizers, np.load(request["table"]), Path(request["vectors"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"align_seconds": ours.seconds["align"], "focus_seconds": sum(ours.seconds.values()), "peak_bytes": peak}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
