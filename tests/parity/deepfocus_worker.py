"""Runs inside deepfocus's environment: its FOCUS() on two tokenizers, a source table and a fastText file."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import deepfocus
import deepfocus.fasttext_embs
import deepfocus.focus
import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from lexigraft.core.utils.memory import peak_rss_bytes


class Watched:
    """What deepfocus finds on its way, noted down as it calls its own functions.

    Attributes:
        pairs: Matched tokens, ``(target, source)`` ids.
        new: Ids of tokens without a match, by token.
        seconds: How long matching took.
        load_seconds: How long fastText took to read its file.
        rare: Tokens that it took for having no vector.
    """

    def __init__(self, left_out: set[str]) -> None:
        """Watch; tokens that are left out count as if they had no vector, so that new rows do not lean on them."""
        self.rare: set[str] = set()
        self._left_out = left_out
        self.load_seconds = 0.0
        self._load = deepfocus.fasttext_embs.fasttext.load_model
        deepfocus.fasttext_embs.fasttext.load_model = self.load
        self._match, self._is_rare = deepfocus.focus.get_overlapping_tokens, deepfocus.focus.is_very_rare_token
        deepfocus.focus.get_overlapping_tokens, deepfocus.focus.is_very_rare_token = self.match, self.is_rare

    def load(self, path):
        began = time.perf_counter()
        model = self._load(path)
        self.load_seconds += time.perf_counter() - began
        return model

    def match(self, *arguments, **options):
        began = time.perf_counter()
        overlap, new = self._match(*arguments, **options)
        self.seconds = time.perf_counter() - began
        self.pairs = [(found.target.id, found.source[0].id) for found in overlap.values()]
        self.new = {token: found.target.id for token, found in new.items()}
        return overlap, new

    def is_rare(self, token, vectors):
        rare = token in self._left_out or self._is_rare(token, vectors)
        if rare:
            self.rare.add(token)
        return rare


def main(request: dict[str, object]) -> dict[str, object]:
    """Write the rows, the matched pairs and the ids of randomly drawn rows; answer with counts, seconds, peak memory.

    Without a table and vectors, only tokens are matched.
    """
    torch.set_num_threads(int(request.get("threads", 1)))
    source = PreTrainedTokenizerFast.from_pretrained(request["source"])
    target = PreTrainedTokenizerFast.from_pretrained(request["target"])
    special = set() if request.get("special_anchors", True) else set(target.all_special_tokens)
    watched = Watched(special | set(request.get("without", [])))
    found: dict[str, np.ndarray] = {}
    answer: dict[str, object] = {}
    if "vectors" in request:
        table = torch.from_numpy(np.load(request["table"]))
        began = time.perf_counter()
        rows = deepfocus.FOCUS(target, source, table, fasttext_model_path=request["vectors"], processes=1)
        answer["focus_seconds"] = time.perf_counter() - began - watched.load_seconds
        random = sorted(i for token, i in watched.new.items() if token in watched.rare)
        found = {"rows": rows.numpy(), "random": np.array(random, np.int64)}
        answer["random"] = len(random)
    else:
        watched.match(target, source, match_symbols=False, exact_match_all=True, fuzzy_match_all=False)
    np.savez(request["out"], twins=np.array(watched.pairs, np.int64).reshape(-1, 2), **found)
    counts = {"overlap": len(watched.pairs), "new": len(watched.new)}
    peak = peak_rss_bytes()
    return answer | counts | {"align_seconds": watched.seconds, "peak_bytes": peak}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
