"""Loaders for what strategies need, made from what the user gave."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.corpus import Corpus
from lexigraft.core.dictionary import Dictionary, load_dictionary
from lexigraft.core.pipeline import donor_loader, poor_model_loader
from lexigraft.core.recipe import DictionarySettings, VectorSettings
from lexigraft.core.resources import Loader, StaticVectors
from lexigraft.core.strategy import Need
from lexigraft.core.tokenizer_files import load_vocabulary
from lexigraft.core.vocabulary import Vocabulary


def supplies(
    target: Vocabulary,
    *,
    cache_folder: Path,
    corpus: Corpus | None = None,
    vectors: VectorSettings | None = None,
    dictionary: DictionarySettings | None = None,
    poor: str | None = None,
    donor: str | None = None,
    answer: str | None = None,
) -> dict[Need, Loader]:
    """A loader, run on first use, for each need that the given inputs can meet.

    Args:
        target: The target vocabulary.
        cache_folder: Where trained vectors are kept, by content.
        corpus: Target text.
        vectors: How vectors are trained, or the file they are in.
        dictionary: Where the word list is.
        poor: The poor model.
        donor: The donor model.
        answer: The links file of a cloned language.
    """
    settings = vectors or VectorSettings()
    found: dict[Need, Any] = {}
    if corpus is not None or settings.file:
        found[Need.TARGET_VECTORS] = lambda: _vectors(target, corpus, settings, cache_folder)
    if dictionary is not None:
        found[Need.DICTIONARY] = lambda: load_dictionary(dictionary)
    if poor is not None and corpus is not None:
        found[Need.POOR_MODEL] = lambda: poor_model_loader(poor, target, token_counts(target, corpus))
    if donor is not None:
        found[Need.DONOR] = lambda: donor_loader(donor)
    if answer is not None:
        found[Need.ANSWER] = lambda: load_answer(answer)
    if corpus is not None:
        found[Need.TRAINING] = lambda: corpus
    return {need: cache(loader) for need, loader in found.items()}


def load_answer(path: str) -> Dictionary:
    """The counted word links of a cloned language."""
    return load_dictionary(DictionarySettings(path=[path]))


def token_counts(vocabulary: Vocabulary, corpus: Corpus) -> npt.NDArray[np.int64]:
    """How often each token occurs in a corpus, int64, shape ``(size,)``."""
    counts = np.zeros(vocabulary.size, np.int64)
    for start in range(0, len(corpus.lines), 4096):
        batch = vocabulary.encode(corpus.lines[start : start + 4096])
        flat = np.fromiter((i for ids in batch for i in ids), np.int64)
        counts += np.bincount(flat, minlength=vocabulary.size)
    return counts


def _vectors(target: Vocabulary, corpus: Corpus | None, settings: VectorSettings, cache_folder: Path) -> StaticVectors:
    from lexigraft.adapters.fasttext_vectors import load_vectors, train_target_vectors

    if settings.file:
        return load_vectors(Path(settings.file), target, settings.level)
    assert corpus is not None
    if settings.extend_tokenizer is None:
        return train_target_vectors(corpus, target, settings, cache_folder)
    language = load_vocabulary(settings.extend_tokenizer)
    return _carried_over(train_target_vectors(corpus, language, settings, cache_folder), language, target)


def _carried_over(vectors: StaticVectors, language: Vocabulary, target: Vocabulary) -> StaticVectors:
    """FOCUS's extend mode: vectors of the language's own tokenizer, looked up for the extended vocabulary's tokens."""
    import torch

    ids = [language.id_of(token) if token else None for token in target.tokens]
    present = np.array([i is not None and bool(vectors.present[i]) for i in ids])
    rows = torch.zeros(target.size, vectors.vectors.shape[1])
    kept = [i for i, here in zip(ids, present, strict=True) if here]
    rows[torch.from_numpy(np.flatnonzero(present))] = vectors.vectors[kept]
    return StaticVectors(rows, present, {**vectors.origin, "extend": True})
