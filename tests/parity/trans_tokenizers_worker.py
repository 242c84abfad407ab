"""Runs inside trans-tokenizers' environment: its mapping of tokens, its smoothing and its rows, from counted words."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transtokenizers.transtokenizers import map_tokens, remap_model, smooth_mapping

# It writes these ids into the configuration; transformers 5 has no such attribute any more.
PreTrainedTokenizerBase.additional_special_tokens_ids = ()

Mapping = dict[str, dict[str, int]]


class FromOutside(dict):
    """A mapping that keeps what smoothing adds aside, so that it supports no later token."""

    def __init__(self, known: Mapping) -> None:
        super().__init__(known)
        self.added: Mapping = {}

    def __setitem__(self, token: str, counts: dict[str, int]) -> None:
        self.added[token] = counts

    def __getitem__(self, token: str) -> dict[str, int]:
        return self.added[token] if token in self.added else super().__getitem__(token)


def in_any_order(target: str, mapping: Mapping) -> list[tuple[str, list[tuple[str, float]]]]:
    """Its smoothing with evidence from outside only; the second call finds every token there and only divides."""
    outside = FromOutside(mapping)
    smooth_mapping(target, outside)
    nothing = {token: defaultdict(int) for token in AutoTokenizer.from_pretrained(target).get_vocab()}
    return smooth_mapping(target, nothing | dict(outside) | outside.added)


def main(request: dict[str, str]) -> dict[str, object]:
    """Save a model with its rows; answer with the shares of source tokens behind each target token.

    ``shares`` come from smoothing without order, and so do the rows; ``untouched`` from smoothing as it is; ``known``
    are the tokens with evidence before.
    """
    torch.set_num_threads(1)
    model, target = request["model"], request["target"]
    mapping, _ = map_tokens(request["counts"], model, target)
    known = sorted(mapping)
    shares = in_any_order(target, mapping)
    remap_model(model, target, shares, model).save_pretrained(request["out"])
    return {"shares": dict(shares), "untouched": dict(smooth_mapping(target, mapping)), "known": known}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
