"""TEMA's open choices on one language: bits on the tokens that move, before any adaptation, for each variant.

    python benchmarks/strategies/tema_choices.py RECIPE.yaml COMPARISON_FOLDER [MIN_COUNT]

Takes the tokenizer and the poor model that `lexigraft compare RECIPE.yaml --out COMPARISON_FOLDER` made. Every variant
changes only embedding rows, so each is measured on the same masked positions of the recipe's held-out text: all
occurrences of linked tokens that occur fewer than MIN_COUNT times in training ("rare"), one masked word at a time, and
a fixed sample of other words ("others", which should not get worse).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from lexigraft.api.compare.inputs import load_texts, strategy_inputs
from lexigraft.api.compare.preparation import prepare
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.data.corpus import load_corpus, split, without
from lexigraft.core.evaluation.scoring import Item, item_bits
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import graft_model, make_chain
from lexigraft.core.methods.tema import link_tokens
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.token_counts import token_counts

MAX_RARE, OTHERS = 600, 600
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("poor model", {}),
    *[(f"{p}, k={k}", {"projection": p, "k": k}) for p in ("ridge", "procrustes") for k in (1, 5, 20)],
    ("ridge, k=1, penalty 0.1", {"projection": "ridge", "penalty": 0.1}),
    ("ridge, k=1, penalty 10", {"projection": "ridge", "penalty": 10.0}),
    ("ridge, k=5, scale norm", {"projection": "ridge", "k": 5, "scale": "norm"}),
    ("ridge, k=5, single-token translations only", {"projection": "ridge", "k": 5, "multi_token": "skip"}),
    ("ridge, k=5, move all linked", {"projection": "ridge", "k": 5, "move": "linked"}),
    ("ridge, k=5, move all", {"projection": "ridge", "k": 5, "move": "all"}),
    ("control: no reference (ridge)", {"projection": "ridge", "placement": "mapped"}),
    ("control: no reference (procrustes)", {"projection": "procrustes", "placement": "mapped"}),
    ("control: random offset, k=1", {"placement": "random_offset"}),
    ("control: random offset, k=5", {"k": 5, "placement": "random_offset"}),
    ("control: no offset, k=5", {"k": 5, "placement": "no_offset"}),
]


def main(recipe_file: str, folder: str, min_count: str = "15") -> None:
    """Print one line for each variant."""
    recipe = read_recipe(Path(recipe_file))
    texts = load_texts(recipe)
    prepared, target = prepare(recipe, texts, Path(folder) / "prepared")
    source = load_vocabulary(recipe.source)
    loaders = strategy_inputs(recipe, prepared.poor_model, texts).loaders(target, Path(folder) / "prepared" / "vectors")
    dictionary = loaders[Need.DICTIONARY]()
    links = link_tokens(source, target, dictionary, align(source, target), single_only=False, shared=False)
    counts = token_counts(target, texts.train.lines)
    rare = set(links.target_ids[counts[links.target_ids] < int(min_count)].tolist())
    everything = load_corpus(recipe.corpus.train)
    heldout = without(split(everything, recipe.corpus.heldout_share, 0)[1], texts.train).lines
    rare_items, other_items = _items(target, heldout, rare)
    print(f"{len(links)} links, {len(links) - len(rare)} well trained, {len(rare)} rare")
    print(f"held-out occurrences: {len(rare_items)} of rare linked tokens, {len(other_items)} others\n")
    print("| variant | bits per rare linked token | bits per other token |\n|---|--:|--:|")
    for label, fields in VARIANTS:
        chain = [("tema", {"min_count": int(min_count), **fields})] if fields else [("poor", {})]
        grafted = graft_model(recipe.source, target, make_chain(chain), loaders, poor=prepared.poor_model, seed=0)
        figures = [item_bits(grafted.model, items, 8192).mean() for items in (rare_items, other_items)]
        print(f"| {label} | {figures[0]:.3f} | {figures[1]:.3f} |", flush=True)


def _items(target: Any, lines: tuple[str, ...], rare: set[int]) -> tuple[list[Item], list[Item]]:
    """Sequences with one word masked: the rare linked one-token words, and a seeded sample of other one-token words."""
    left, right, mask = target.specials["cls"], target.specials["sep"], target.specials["mask"]
    rng = np.random.default_rng(0)
    found: tuple[list[Item], list[Item]] = ([], [])
    for ids in target.encode(lines):
        framed = np.array([left, *ids[:120], right], np.int64)
        whole = [n for n in range(1, len(framed) - 1) if target.starts[framed[n]] and _ends(target, framed, n)]
        for n in whole:
            group = found[0] if int(framed[n]) in rare else found[1]
            if group is found[1] and rng.random() > 0.05:
                continue
            inputs = framed.copy()
            inputs[n] = mask
            group.append(Item(inputs, np.array([n]), framed[n : n + 1]))
    return found[0][:MAX_RARE], found[1][:OTHERS]


def _ends(target: Any, framed: Any, n: int) -> bool:
    following = int(framed[n + 1])
    return bool(target.starts[following]) or following in target.special_ids


if __name__ == "__main__":
    main(*sys.argv[1:4])
