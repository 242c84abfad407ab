"""The peer's half of the WECHSEL benchmark; runs inside wechsel's environment."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(json.loads(sys.argv[1])["threads"])
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import wechsel
from transformers import PreTrainedTokenizerFast

from lexigraft.core.utils.memory import peak_rss_bytes


def main(request: dict[str, object]) -> dict[str, float]:
    """Seconds, how far memory rose above vectors, table and rows, and how many rows are ours."""
    folder = request["folder"]
    source, target = (PreTrainedTokenizerFast.from_pretrained(f"{folder}/{side}") for side in ("source", "target"))
    queries, anchors, table = (np.load(f"{folder}/{name}.npy") for name in ("queries", "anchors", "table"))
    before, began = peak_rss_bytes(), time.perf_counter()
    made = wechsel.create_target_embeddings(anchors, queries, source, target, table, verbose=False)
    seconds = time.perf_counter() - began
    rows = np.asarray(made[0] if isinstance(made, tuple) else made)
    beyond = peak_rss_bytes() - before - rows.nbytes
    plain = np.setdiff1d(np.arange(len(rows)), target.all_special_ids)  # of special tokens it copies the rows
    apart = np.abs(rows - np.load(f"{folder}/rows.npy"))[plain].max(axis=1)
    return {"seconds": seconds, "beyond_bytes": beyond, "alike": float((apart < 1e-5).mean())}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
