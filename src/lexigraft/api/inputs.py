"""What a user gave for strategies to lean on: which needs it meets, loaders for them, and the content behind each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lexigraft.api.probe import ModelProbe, ProbeSettings, hold_out
from lexigraft.core.config.recipe import DictionarySettings, ParallelSettings, VectorSettings, WordVectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.dictionary import Dictionary, load_dictionary
from lexigraft.core.data.parallel_text import load_parallel
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import donor_loader, poor_model_loader
from lexigraft.core.grafting.resources import Loader, ParallelText, StaticVectors, WordVectors
from lexigraft.core.methods.compass_cache import kept_compass
from lexigraft.core.tokenization.loading import load_vocabulary
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import file_hash, model_hash

T = TypeVar("T")
Text = Callable[[], Corpus]


@dataclass(frozen=True)
class Given:
    """What strategies may lean on; everything may be missing, nothing is loaded before it is asked for.

    Attributes:
        source: The source model, for its tokenizer.
        corpus: Target text.
        source_text: Source-language text.
        vectors: How vectors of the target tokens are trained, or the file they are in.
        word_vectors: How word vectors of both languages are trained, or the files they are in.
        dictionary: Where the word list is.
        parallel: Where the sentences of both languages are.
        poor: The poor model.
        donor: The donor model.
        answer: The links file of a cloned language.
        unseen: Lines that models are measured on; parallel text goes without them.
        probing: How candidates are tried.
    """

    source: str | None = None
    corpus: Text | None = None
    source_text: Text | None = None
    vectors: VectorSettings = field(default_factory=VectorSettings)
    word_vectors: WordVectorSettings = field(default_factory=WordVectorSettings)
    dictionary: DictionarySettings | None = None
    parallel: ParallelSettings | None = None
    poor: str | None = None
    donor: str | None = None
    answer: str | None = None
    unseen: Callable[[], frozenset[str]] = frozenset
    probing: ProbeSettings | None = None

    def met(self) -> frozenset[Need]:
        """The needs that this meets."""
        text = self.corpus is not None
        both = text and self.source_text is not None
        here = {
            Need.TARGET_VECTORS: text or self.vectors.file is not None,
            Need.WORD_VECTORS: both or self.word_vectors.source is not None,
            Need.COMPASS: text and self.source is not None,
            Need.DICTIONARY: self.dictionary is not None,
            Need.PARALLEL: self.parallel is not None,
            Need.DONOR: self.donor is not None,
            Need.POOR_MODEL: text and self.poor is not None,
            Need.TRAINING: text,
            Need.PROBE: text and self.probing is not None,
            Need.ANSWER: self.answer is not None,
        }
        return frozenset(need for need, is_here in here.items() if is_here)

    def loaders(self, target: Vocabulary, cache_folder: Path) -> dict[Need, Loader]:
        """A loader, run once and on first use, for each need that this meets.

        Args:
            target: The target vocabulary.
            cache_folder: Where trained vectors are kept, by content.
        """
        made: dict[Need, Callable[[], Any]] = {
            Need.TARGET_VECTORS: lambda: _vectors(target, self.corpus, self.vectors, cache_folder),
            Need.WORD_VECTORS: lambda: _word_vectors(self.word_vectors, self.source_text, self.corpus, cache_folder),
            Need.COMPASS: lambda: kept_compass(
                _there(self.corpus)(), load_vocabulary(_there(self.source)), target, cache_folder
            ),
            Need.DICTIONARY: lambda: load_dictionary(_there(self.dictionary)),
            Need.PARALLEL: lambda: _parallel(_there(self.parallel), self.unseen()),
            Need.DONOR: lambda: donor_loader(_there(self.donor)),
            Need.POOR_MODEL: lambda: poor_model_loader(
                _there(self.poor), target, token_counts(target, _there(self.corpus)().lines)
            ),
            Need.TRAINING: lambda: _there(self.corpus)(),
            Need.PROBE: lambda: self._probe(target, cache_folder),
            Need.ANSWER: lambda: load_answer(_there(self.answer)),
        }
        return {need: cache(made[need]) for need in sorted(self.met()) if need in made}

    def _probe(self, target: Vocabulary, cache_folder: Path) -> ModelProbe:
        """A probe whose candidates lean on the same things, but learn nothing from the lines they are measured on."""
        train, lines = hold_out(_there(self.corpus)())
        unseen = frozenset(lines.lines)
        inner = replace(self, corpus=lambda: train, unseen=lambda: self.unseen() | unseen, probing=None)
        return ModelProbe(_there(self.probing), target, train, lines, inner.loaders(target, cache_folder))

    def contents(self, needs: frozenset[Need]) -> dict[Need, Any]:
        """The content behind each of some needs, as plain values: never a path. Target text has a hash of its own."""
        made: dict[Need, Callable[[], Any]] = {
            Need.TARGET_VECTORS: lambda: _vectors_content(self.vectors),
            Need.WORD_VECTORS: lambda: _word_vectors_content(self.word_vectors, self.source_text),
            Need.DICTIONARY: lambda: load_dictionary(_there(self.dictionary)).hash,
            Need.PARALLEL: lambda: _parallel_content(_there(self.parallel), self.unseen()),
            Need.DONOR: lambda: model_hash(_there(self.donor)),
            Need.POOR_MODEL: lambda: model_hash(_there(self.poor)),
            Need.ANSWER: lambda: load_answer(_there(self.answer)).hash,
        }
        return {need: made[need]() for need in sorted(needs & self.met()) if need in made}


def _there(value: T | None) -> T:
    assert value is not None
    return value


def load_answer(path: str) -> Dictionary:
    """The counted word links of a cloned language."""
    return load_dictionary(DictionarySettings(path=[path]))


def _vectors(target: Vocabulary, corpus: Text | None, settings: VectorSettings, cache_folder: Path) -> StaticVectors:
    from lexigraft.adapters.vectors.token_vectors import load_vectors, train_target_vectors

    if settings.file:
        return load_vectors(Path(settings.file), target, settings.level)
    text = _there(corpus)()
    if settings.extend_tokenizer is None:
        return train_target_vectors(text, target, settings, cache_folder)
    language = load_vocabulary(settings.extend_tokenizer)
    return _carried_over(train_target_vectors(text, language, settings, cache_folder), language, target)


def _carried_over(vectors: StaticVectors, language: Vocabulary, target: Vocabulary) -> StaticVectors:
    """FOCUS's extend mode: vectors of the language's own tokenizer, looked up for the extended vocabulary's tokens."""
    import torch

    ids = [language.id_of(token) if token else None for token in target.tokens]
    present = np.array([i is not None and bool(vectors.present[i]) for i in ids])
    rows = torch.zeros(target.size, vectors.vectors.shape[1])
    kept = [i for i, here in zip(ids, present, strict=True) if here]
    rows[torch.from_numpy(np.flatnonzero(present))] = vectors.vectors[kept]
    return StaticVectors(rows, present, {**vectors.origin, "extend": True})


def _vectors_content(settings: VectorSettings) -> dict[str, Any]:
    extend = settings.extend_tokenizer
    return settings.model_dump(mode="json") | {
        "file": file_hash(Path(settings.file)) if settings.file else None,
        "extend_tokenizer": load_vocabulary(extend).hash if extend else None,
    }


def _word_vectors(
    settings: WordVectorSettings, source_text: Text | None, target_text: Text | None, cache_folder: Path
) -> WordVectors:
    from lexigraft.adapters.vectors.word_vectors import word_vectors

    if settings.source is not None:
        return word_vectors(settings, None, None, cache_folder)
    return word_vectors(settings, _there(source_text)(), _there(target_text)(), cache_folder)


def _word_vectors_content(settings: WordVectorSettings, source_text: Text | None) -> dict[str, Any]:
    from lexigraft.adapters.vectors.word_vectors import words_content

    files = {side: getattr(settings, side) for side in ("source", "target")}
    hashes = {side: words_content(file) if file else None for side, file in files.items()}
    text = source_text().hash if source_text is not None and settings.source is None else None
    return settings.model_dump(mode="json") | hashes | {"source_text": text}


def _parallel(settings: ParallelSettings, unseen: frozenset[str]) -> ParallelText:
    from lexigraft.adapters.word_aligners import ALIGNERS

    pairs = load_parallel(settings, unseen)
    origin = {"hash": pairs.hash, "aligner": settings.aligner, "dropped": pairs.dropped}
    return ParallelText(pairs.source, pairs.target, ALIGNERS[settings.aligner], origin)


def _parallel_content(settings: ParallelSettings, unseen: frozenset[str]) -> dict[str, str]:
    return {"text": load_parallel(settings, unseen).hash, "aligner": settings.aligner}
