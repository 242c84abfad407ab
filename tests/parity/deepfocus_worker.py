"""Runs inside deepfocus's environment: its FOCUS() on two tokenizers, a source table and a fastText file."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import deepfocus
import deepfocus.focus
import numpy as np
import torch
from deepfocus.fasttext_embs import load_target_token_embedding
from deepfocus.focus import get_overlapping_tokens, is_very_rare_token
from transformers import PreTrainedTokenizerFast


def leave_out_special_anchors(folder: str) -> None:
    """Treat the target's special tokens as if they had no vector: they are copied, but new rows do not lean on them."""
    special = set(PreTrainedTokenizerFast.from_pretrained(folder).all_special_tokens)
    rare = deepfocus.focus.is_very_rare_token
    deepfocus.focus.is_very_rare_token = lambda token, vectors: token in special or rare(token, vectors)


def main(request: dict[str, object]) -> dict[str, object]:
    """Write the rows, the overlap and the ids of randomly drawn rows; answer with counts, seconds and peak memory."""
    torch.set_num_threads(int(request.get("threads", 1)))
    if not request.get("special_anchors", True):
        leave_out_special_anchors(request["target"])
    source = PreTrainedTokenizerFast.from_pretrained(request["source"])
    target = PreTrainedTokenizerFast.from_pretrained(request["target"])

    began = time.perf_counter()
    overlap, new = get_overlapping_tokens(
        target, source, match_symbols=False, exact_match_all=True, fuzzy_match_all=False
    )
    answer: dict[str, object] = {"align_seconds": time.perf_counter() - began, "overlap": len(overlap), "new": len(new)}
    if "vectors" in request:
        table = torch.from_numpy(np.load(request["table"]))
        began = time.perf_counter()
        rows = deepfocus.FOCUS(target, source, table, fasttext_model_path=request["vectors"], processes=1)
        answer["focus_seconds"] = time.perf_counter() - began
        vectors = load_target_token_embedding(target, fasttext_model_path=request["vectors"])
        random = sorted(t.target.id for name, t in new.items() if is_very_rare_token(name, vectors))
        twins = np.array([[o.target.id, o.source[0].id] for o in overlap.values()], np.int64).reshape(-1, 2)
        np.savez(request["out"], rows=rows.numpy(), random=np.array(random, np.int64), twins=twins)
        answer["random"] = len(random)
    answer["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return answer


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
