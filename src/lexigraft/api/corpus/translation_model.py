"""Encoder-decoder models that translate, and their scores of translations with markers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexigraft.api.corpus.marker_search import Floats, Markers, Query
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.frames import decoder_start
from lexigraft.core.evaluation.generation import Generation, generate
from lexigraft.core.evaluation.scoring import Ids, Item, target_bits
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.models.loading import load_config, load_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.devices import usable_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class TranslationModel:
    """A model with what it reads before a source text and writes before a translation.

    Attributes:
        model: The model.
        vocabulary: Its vocabulary.
        markers: The tokens of the markers.
        read_first: Tokens before a source text: its language.
        written_first: Tokens before a translation: its language.
        end: The token behind both.
    """

    model: PreTrainedModel
    vocabulary: Vocabulary
    markers: Markers
    read_first: tuple[int, ...]
    written_first: tuple[int, ...]
    end: int

    @property
    def longest(self) -> int:
        """How many tokens the model reads or writes at most."""
        return context_length(self.model)

    def reading(self, texts: Sequence[str]) -> list[Ids]:
        """What the encoder reads of each text."""
        return [np.array([*self.read_first, *ids, self.end], np.int64) for ids in self.vocabulary.encode(texts)]

    def scores(self, read: Ids, queries: Sequence[Query]) -> list[tuple[Floats, Floats]]:
        """Log-probabilities of tokens and markers, given a source text: see :data:`marker_search.Scores`.

        Args:
            read: What the encoder reads.
            queries: The sequences.
        """
        start = decoder_start(self.model, self.vocabulary)
        items = [
            Item(
                read,
                np.array([*range(len(tokens)), *places], np.int64),
                np.array([*tokens, *[marker] * len(places)], np.int64),
                np.array([start, *tokens[:-1]], np.int64),
            )
            for tokens, marker, places in queries
        ]
        found = -math.log(2) * target_bits(self.model, items, _BATCH_TOKENS)
        parts = np.split(found, np.cumsum([len(item.targets) for item in items])[:-1])
        lengths = [len(query.tokens) for query in queries]
        return [(part[:length], part[length:]) for part, length in zip(parts, lengths, strict=True)]

    def translations(self, texts: Sequence[str], beams: int) -> list[str]:
        """Translations of texts, one line each; empty where a text is longer than the model reads.

        Args:
            texts: The texts.
            beams: Beams of the search.
        """
        read = self.reading(texts)
        fitting = [n for n, ids in enumerate(read) if len(ids) <= self.longest]
        settings = Generation(self.longest - 1, beams)
        made = iter(generate(self.model, self.vocabulary, [read[n] for n in fitting], settings))
        lines = [""] * len(texts)
        for n in fitting:
            lines[n] = " ".join(next(made).split())
        return lines


def load_translation_model(
    name: str, markers: tuple[str, str], languages: tuple[str, str] | None = None
) -> TranslationModel:
    """Load a model that translates.

    Args:
        name: Folder or Hub name.
        markers: The texts of the markers; each is a token of its own, or a word that the tokenizer can spell.
        languages: Tokens of the source's and the translation's language, for models that read and write them first.

    Raises:
        LexigraftError: A model that is no encoder-decoder, a tokenizer without an end token, a marker that it cannot
            spell, or a language that it has no token for; all before weights load.
    """
    config = load_config(name)
    if (kind := model_kind(config)) != "seq2seq":
        hint = "Give an encoder-decoder model that translates, such as NLLB or a fine-tuned mT5"
        raise LexigraftError("labels are not projected with a model of this kind", f"{name} is {kind}", hint)
    vocabulary = load_vocabulary(name)
    end = vocabulary.specials.get("eos", vocabulary.specials.get("sep"))
    if end is None:
        raise LexigraftError("the tokenizer has no end token", name, "Models that write texts need an eos token")
    if markers[0] == markers[1]:
        raise LexigraftError("both markers are the same", markers[0], "Give two that differ, such as [ and ]")
    opening, closing = (_marker(vocabulary, marker) for marker in markers)
    first: list[tuple[int, ...]] = [(_language(vocabulary, code),) for code in languages or ()]
    read_first, written_first = first or [(), ()]
    model = load_model(name, config=config)
    model.to(usable_device("auto"))
    forced = getattr(model.generation_config, "forced_bos_token_id", None)
    if written_first:
        model.generation_config.forced_bos_token_id = written_first[0]
    elif forced is not None:
        written_first = (forced,)
    return TranslationModel(model, vocabulary, Markers(opening, closing), read_first, written_first, end)


def _marker(vocabulary: Vocabulary, marker: str) -> tuple[int, ...]:
    """The tokens of a marker that is a word of its own."""
    if (whole := vocabulary.id_of(marker)) is not None and whole in vocabulary.special_ids:
        return (whole,)
    ids = tuple(vocabulary.pieces(marker.encode(), True))
    spelled = b"".join(vocabulary.surfaces.texts[i] for i in ids)
    if not ids or spelled != vocabulary.normalized(marker).encode():
        hint = "Give signs that the model knows: --markers OPENING CLOSING"
        raise LexigraftError("the tokenizer cannot spell this marker", marker, hint)
    return ids


def _language(vocabulary: Vocabulary, code: str) -> int:
    if (token := vocabulary.id_of(code)) is None:
        hint = "Give the tokens of the two languages as the model has them, such as eng_Latn swh_Latn"
        raise LexigraftError("the tokenizer has no token for this language", code, hint)
    return token
