"""Inputs behind the declared needs of a strategy, loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, refuse_missing
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import PluginSpec

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.data.corpus import Corpus
    from lexigraft.core.data.dictionary import Dictionary
    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class StaticVectors:
    """Static vectors of the target tokens.

    Attributes:
        vectors: float32, shape ``(target, dim)``; rows of absent tokens are zero.
        present: Which tokens have a vector, bool, shape ``(target,)``.
        origin: Where they came from: settings, or a file.
    """

    vectors: torch.Tensor
    present: npt.NDArray[np.bool_]
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class PoorModel:
    """Model that was pre-trained on target text with the target tokenizer (TEMA's L2).

    Attributes:
        tables: Its tables by role, float32, ``(target, hidden)``.
        vocabulary: Its vocabulary; the same tokenizer as the target.
        counts: How often each token occurs in the target corpus, int64, shape ``(target,)``.
    """

    tables: Mapping[Role, torch.Tensor]
    vocabulary: Vocabulary
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Donor:
    """A second model that already uses the target tokenizer.

    Attributes:
        tables: Its tables by role, float32, ``(donor, hidden)``; its width may differ from the source's.
        vocabulary: Its vocabulary.
    """

    tables: Mapping[Role, torch.Tensor]
    vocabulary: Vocabulary


@dataclass(frozen=True)
class WordSpace:
    """Word vectors of one language.

    Attributes:
        words: The words, most frequent first.
        vectors: float32, shape ``(words, dim)``.
        counts: How often each word occurs, int64, shape ``(words,)``; ``None`` when the file does not say.
        spell: The vectors of any strings from their character n-grams, float32, ``(strings, dim)``, zero for a string
            without one; the field itself is ``None`` where the vectors cannot do that (text files).
    """

    words: tuple[str, ...]
    vectors: torch.Tensor
    counts: npt.NDArray[np.int64] | None = None
    spell: Callable[[Sequence[str]], npt.NDArray[np.float32]] | None = None


@dataclass(frozen=True)
class WordVectors:
    """Word vectors of both languages, each in its own space unless ``shared``.

    Attributes:
        source: The source language's.
        target: The target language's.
        shared: Whether both already lie in one space (then no dictionary is needed to bring them together).
        origin: Where they came from.
    """

    source: WordSpace
    target: WordSpace
    shared: bool
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class Compass:
    """Vectors of both vocabularies' tokens in one space, learned on the same target text.

    Attributes:
        source: Of the source tokens that occur in it, ``(source, dim)``.
        target: Of the target tokens that occur in it, ``(target, dim)``.
    """

    source: StaticVectors
    target: StaticVectors


Words = Sequence[Sequence[str]]

Aligner = Callable[[Words, Words], list[list[tuple[int, int]]]]


@dataclass(frozen=True)
class ParallelText:
    """Sentences of both languages, line by line, and a word aligner.

    Attributes:
        source: Sentences of the source language.
        target: Their translations, as many.
        align: Given both sides as lists of units (words or tokens), returns for each sentence pair the linked positions
            ``(source, target)``.
        origin: Where they came from, and which aligner.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    align: Aligner
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class ProbeRun:
    """One short adaptation of a candidate, measured on lines held out of the training text.

    Attributes:
        bits: What the model needs for each line at the end, float64, shape ``(lines,)``; lower is better.
        bytes: The UTF-8 bytes of each line, the same for every candidate, int64, shape ``(lines,)``.
        tokens: Tokens of text that the candidate and its adaptation learned on, repetitions included.
    """

    bits: npt.NDArray[np.float64]
    bytes: npt.NDArray[np.int64]
    tokens: int


Watch = Callable[[int, npt.NDArray[np.float64]], bool]
"""Gets a step of a trial and the bits of each line there; False ends the trial."""


class Probe(Protocol):
    """Grafts the source model with a chain, adapts it for some steps, and measures it.

    Attributes:
        adaptation_steps: How many steps the whole adaptation has that the trials are short ones of.
        batch_tokens: How many tokens each of them trains on.
    """

    @property
    def adaptation_steps(self) -> int: ...

    @property
    def batch_tokens(self) -> int: ...

    def __call__(
        self,
        chain: Sequence[PluginSpec],
        *,
        steps: int,
        seed: int,
        batch_tokens: int | None = None,
        watch: Watch = lambda step, bits: True,
        looks: Collection[int] = (),
    ) -> ProbeRun:
        """Try a chain.

        Args:
            chain: Strategies with their fields, in the order of a graft.
            steps: How long the adaptation is.
            seed: Decides everything random in the graft and the adaptation; the held-out lines are always the same.
            batch_tokens: Tokens in a batch; without, as many as in the adaptation.
            watch: Called at each of ``looks``; a trial that it ends is what it was there.
            looks: Steps before the last at which the model is measured too, which changes nothing in the trial.

        Raises:
            LexigraftError: The chain cannot be grafted or adapted.
        """
        ...


Loader = Callable[[], Any]


class Resources:
    """The declared needs of one strategy, each loaded once, on first use.

    Args:
        declared: The needs that the strategy declares.
        loaders: A loader for each need the caller can supply.
    """

    def __init__(self, declared: frozenset[Need], loaders: Mapping[Need, Loader]) -> None:
        self.declared = declared
        self._loaders = {
            need: loader if hasattr(loader, "cache_info") else cache(loader) for need, loader in loaders.items()
        }

    def get(self, need: Need) -> Any:
        """Load the input behind a need; the built-in needs have methods of their own below.

        Raises:
            LexigraftError: The strategy does not declare the need, or it is not supplied.
        """
        if need not in self.declared:
            raise LexigraftError("the strategy used a need it does not declare", need, "Add it to the strategy's needs")
        refuse_missing({"this strategy": frozenset({need})}, self._loaders)
        return self._loaders[need]()

    def target_vectors(self) -> StaticVectors:
        """Static vectors of the target tokens."""
        vectors: StaticVectors = self.get(Need.TARGET_VECTORS)
        return vectors

    def dictionary(self) -> Dictionary:
        """Bilingual word pairs."""
        pairs: Dictionary = self.get(Need.DICTIONARY)
        return pairs

    def poor_model(self) -> PoorModel:
        """The poor target-language model's tables and counts."""
        poor: PoorModel = self.get(Need.POOR_MODEL)
        return poor

    def donor(self) -> Donor:
        """The donor's tables and vocabulary."""
        donor: Donor = self.get(Need.DONOR)
        return donor

    def word_vectors(self) -> WordVectors:
        """Word vectors of both languages."""
        words: WordVectors = self.get(Need.WORD_VECTORS)
        return words

    def compass(self) -> Compass:
        """Vectors of both vocabularies' tokens in one space."""
        compass: Compass = self.get(Need.COMPASS)
        return compass

    def parallel(self) -> ParallelText:
        """Sentences of both languages with an aligner."""
        parallel: ParallelText = self.get(Need.PARALLEL)
        return parallel

    def model(self) -> PreTrainedModel:
        """The source model, in evaluation mode. Never change it: call it with ``torch.func.functional_call``."""
        model: PreTrainedModel = self.get(Need.MODEL)
        return model

    def training(self) -> Corpus:
        """Target text to learn on."""
        corpus: Corpus = self.get(Need.TRAINING)
        return corpus

    def probe(self) -> Probe:
        """A probe that tries candidate chains on target text."""
        probe: Probe = self.get(Need.PROBE)
        return probe

    def missing(self, needs: frozenset[Need]) -> list[Need]:
        """The given needs that cannot be met here: those not supplied, and those not declared."""
        return sorted(need for need in needs if need not in self.declared or need not in self._loaders)

    def gold_links(self) -> Dictionary:
        """The true, counted word links of a cloned language."""
        links: Dictionary = self.get(Need.GOLD_LINKS)
        return links

    def restricted_to(self, declared: frozenset[Need]) -> Resources:
        """The same loaders, with what they have loaded, for a strategy with other needs."""
        return Resources(declared, self._loaders)
