"""Pairs of languages with what trans-tokenization reads: a model, a tokenizer, parallel text, counted word pairs."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.installed_docs import documentation_text
from lexigraft.core.grafting.resources import ParallelText
from lexigraft.core.methods.word_alignment.fast_align import align_words
from lexigraft.core.methods.word_alignment.translation_counts import word_pairs
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.training import train_tokenizer
from parity.sentencepiece_pairs import DATA

JOINT = "—"
"""The package joins the tokens of a word with it, so that no text may hold it."""

Type = Literal["unigram", "byte_bpe"]


@dataclass(frozen=True)
class ParallelPair:
    """Files that both sides read, and the text with its aligner, which is ours alone."""

    model: Path
    target: Path
    counts: Path
    text: ParallelText


def made_parallel_pair(folder: Path, target_type: Type) -> ParallelPair:
    """From a clone of English, which has letters beyond ASCII, to English; a target tokenizer of the type asked for."""
    english = [line for line in documentation_text(max_chars=400_000)[:2000] if JOINT not in line]
    return _write(folder, list(clone_language(english, seed=3).lines), english, target_type, (900, 1000))


def real_parallel_pair(folder: Path) -> ParallelPair:
    """English and Swahili news, two Unigram tokenizers."""
    sides = []
    for language in ("en", "swa"):
        with gzip.open(DATA / "swahili" / f"train.{language}.gz", "rt", encoding="utf-8") as file:
            sides.append([line.strip() for _, line in zip(range(5000), file, strict=False)])
    pairs = [pair for pair in zip(*sides, strict=True) if all(pair) and JOINT not in "".join(pair)]
    english, swahili = (list(side) for side in zip(*pairs, strict=True))
    return _write(folder, english, swahili, "unigram", (2000, 2000))


def _write(
    folder: Path, source: list[str], target: list[str], target_type: Type, sizes: tuple[int, int]
) -> ParallelPair:
    text = ParallelText(tuple(source), tuple(target), align_words, {})
    pair = ParallelPair(folder / "model", folder / "target", folder / "counts.tsv", text)
    tokenizer = _trained(source, "unigram", sizes[0])
    tokenizer.save_pretrained(pair.model)
    _tiny_llama(len(tokenizer)).save_pretrained(pair.model)
    _trained(target, target_type, sizes[1]).save_pretrained(pair.target)
    _write_counts(pair)
    return pair


def _trained(lines: list[str], kind: Type, size: int) -> Any:
    return train_tokenizer(TokenizerSettings(type=kind, size=size), Corpus.of(lines))


def _tiny_llama(tokens: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(vocab_size=tokens, tie_word_embeddings=False, **sizes))


def _write_counts(pair: ParallelPair) -> None:
    """A line for each pair of words as the authors' aligner writes it: old, new, a log probability unused, count."""
    source, target = load_vocabulary(pair.model), load_vocabulary(pair.target)
    with pair.counts.open("w", encoding="utf-8") as file:
        for (old, new), count in sorted(word_pairs(source, target, pair.text).items()):
            words = (JOINT.join(v.tokens[i] for i in word) for v, word in ((source, old), (target, new)))
            file.write("\t".join((*words, "0.0", str(count))) + "\n")
