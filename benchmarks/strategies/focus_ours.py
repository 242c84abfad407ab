"""Our half of the FOCUS benchmark, in a process of its own: alignment, vectors, rows, and peak memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

import lexigraft.plugins.strategies.focus as focus
from lexigraft.core.utils.memory import peak_rss_bytes

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
import measure
from parity.ours import our_rows


def main(request: dict[str, str]) -> dict[str, float]:
    """Seconds of each stage, the numbers of anchors, mixtures and weights, and the peak resident size."""
    torch.set_num_threads(int(request["threads"]))
    spent = {"mix": 0.0}
    sizes: dict[str, float] = {}
    mix = focus.sparse_mix

    def mixed(queries: torch.Tensor, anchors: torch.Tensor, *arguments: object, **options: object) -> object:
        found = []
        spent["mix"] += measure.seconds(lambda: found.append(mix(queries, anchors, *arguments, **options)))
        shape = {"mixed": len(queries), "anchors": len(anchors), "dim": anchors.shape[1]}
        sizes.update(shape, weights=len(found[0].indices) / len(queries))
        return found[0]

    focus.sparse_mix = mixed
    tokenizers = [PreTrainedTokenizerFast.from_pretrained(request[name]) for name in ("source", "target")]
    table = np.load(request["table"])
    before = peak_rss_bytes()
    ours = our_rows(*tokenizers, table, Path(request["vectors"]))
    return sizes | {
        "align_seconds": ours.seconds["align"],
        "mix_seconds": spent["mix"],
        "vectors_seconds": ours.seconds["vectors"],
        "focus_seconds": sum(ours.seconds.values()),
        "peak_bytes": peak_rss_bytes(),
        "held_bytes": before + ours.rows.nbytes + 4 * len(ours.rows) * sizes["dim"],
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
