"""A made pair of languages with all that WECHSEL reads: tokenizers, a source table, word vectors, word pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import fasttext
import numpy as np

from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.installed_docs import documentation_text
from lexigraft.core.tokenization.training import train_tokenizer

SENTENCES = 3000
Kind = Literal["unigram", "byte_bpe"]


@dataclass(frozen=True)
class Languages:
    """Files that both sides read."""

    source: Path
    target: Path
    table: Path
    source_vectors: Path
    target_vectors: Path
    dictionary: Path


def made_languages(folder: Path, kind: Kind, *, dims: tuple[int, int] = (24, 24)) -> Languages:
    """English prose and its clone, a tokenizer of 1,200 tokens for each, and fastText models with n-grams of 5."""
    names = ("source", "target", "table.npy", "source.bin", "target.bin", "dictionary.tsv")
    files = Languages(*(folder / name for name in names))
    english = documentation_text(max_chars=400_000)[:SENTENCES]
    clone = clone_language(english, seed=3)
    clone.dictionary.write(files.dictionary)
    for text, tokenizer, vectors, dim in (
        (english, files.source, files.source_vectors, dims[0]),
        (clone.lines, files.target, files.target_vectors, dims[1]),
    ):
        train_tokenizer(TokenizerSettings(type=kind, size=1200), Corpus.of(text)).save_pretrained(tokenizer)
        split = folder / f"{tokenizer.name}.txt"
        split.write_text("".join(" ".join(words_of(line)) + "\n" for line in text), encoding="utf-8")
        model = fasttext.train_unsupervised(
            str(split), model="cbow", dim=dim, neg=10, epoch=5, minCount=2, minn=5, maxn=5,
            bucket=20_000, thread=1, verbose=0,
        )  # fmt: skip
        model.save_model(str(vectors))
    rows = np.random.default_rng(0).standard_normal((1400, 32), np.float32)
    np.save(files.table, 0.2 * rows)
    return files
