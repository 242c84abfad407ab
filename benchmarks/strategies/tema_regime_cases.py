"""Languages and kinds of poor models of `tema_regime.py`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexigraft.core.config.recipe import DictionarySettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.data.dictionary import Dictionary, load_dictionary
from lexigraft.core.data.tagged_text import TaggedSentence
from lexigraft.core.evaluation.heads.head_evaluator import LabeledData
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.plugins.evaluators.tagging import Tagging

DATA, MODELS = (Path(os.environ.get(name, "")) for name in ("LEXIGRAFT_DATA", "LEXIGRAFT_MODELS"))
HELDOUT, DEVELOPMENT = 200, 30
ENTITIES = Tagging(labels="bio", how="probe", piece="last")
WORD_LISTS = {"swahili": "swahili/wiktionary-en-sw.tsv.gz", "quechua": "multilingual/gatitos/en_qu.tsv.gz"}


@dataclass(frozen=True)
class Kind:
    """A kind of poor model.

    Attributes:
        shape: Its configuration.
        text_lines: Lines of text that those of every seed are drawn from.
        words: Words of text that a model is trained on.
        tokens: Most tokens of the vocabulary.
        training: Settings of the training.
        every: The loss on development lines is measured after every so many steps.
        measure: What scores it.
    """

    shape: dict[str, Any]
    text_lines: int
    words: int
    tokens: int
    training: dict[str, Any]
    every: int
    measure: BitsPerByte


_SIZE = {"tie_word_embeddings": True, "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
_LLAMA = {"model_type": "llama", "intermediate_size": 352, "num_key_value_heads": 2, **_SIZE}
_BERT = {"model_type": "modernbert", "intermediate_size": 256, "cls_token_id": None, "sep_token_id": None, **_SIZE}
# With all of a line to attend to, masked models of this size learn nothing but frequencies for thousands of steps.
_BERT |= {"layer_types": ["sliding_attention"] * 2, "local_attention": 4}
_MASKED = {"steps": 1_200, "learning_rate": 2e-3, "sequence_length": 64, "objective_options": {"mask_share": 0.15}}
KINDS = {
    "causal": Kind(_LLAMA, 8_000, 20_000, 16_000, {"steps": 250, "learning_rate": 4e-3}, 50, BitsPerByte()),
    "larger": Kind(_LLAMA, 30_000, 200_000, 16_000, {"steps": 750, "learning_rate": 4e-3}, 150, BitsPerByte()),
    "masked": Kind(_BERT, 20_000, 60_000, 8_000, _MASKED, 200, BitsPerByte(within_word="whole")),
}


@dataclass(frozen=True)
class Case:
    """A language with a kind of poor model.

    Attributes:
        name: The language.
        kind: The kind of poor model.
        lines: The text that training lines are drawn from.
        heldout: Lines to measure on, the same for every seed.
        development: Lines that choose the step of the poor model.
        dictionary: Words, English first.
        entities: Sentences with named entities; ``None`` where there are none.
    """

    name: str
    kind: Kind
    lines: Sequence[str]
    heldout: Sequence[str]
    development: Sequence[str]
    dictionary: Dictionary
    entities: LabeledData[TaggedSentence] | None

    @property
    def masked(self) -> bool:
        """Whether the poor model is a masked one."""
        return self.kind is KINDS["masked"]

    def sample(self, seed: int) -> Corpus:
        """Lines of about as many words as the kind of model gets."""
        order = np.random.default_rng(seed).permutation(len(self.lines))
        words = np.cumsum([len(self.lines[i].split()) for i in order])
        return Corpus.of(self.lines[i] for i in order[: np.searchsorted(words, self.kind.words) + 1])


def case_of(name: str, kind_name: str) -> Case:
    """Read a language."""
    kind = KINDS[kind_name]
    if name == "quechua":
        text = load_corpus([DATA / "quechua/qubert.txt.gz", DATA / "quechua/leipzig.txt.gz"]).lines
    else:
        sides = (load_corpus([DATA / f"swahili/train.{s}.gz"], deduplicate=False).lines for s in ("en", "swa"))
        text = [pair[name == "swahili"] for pair in dict.fromkeys(zip(*sides, strict=True))]
    lines: Sequence[str] = [text[i] for i in np.random.default_rng(0).permutation(len(text))[: kind.text_lines]]
    if name == "clone":
        language = clone_language(lines, seed=0)
        lines, dictionary = language.lines, language.dictionary
    else:
        dictionary = load_dictionary(DictionarySettings(path=[str(DATA / WORD_LISTS[name])]))
    heldout, development, rest = lines[:HELDOUT], lines[HELDOUT:][:DEVELOPMENT], lines[HELDOUT + DEVELOPMENT :]
    unseen = {*heldout, *development}
    rest = [line for line in rest if line not in unseen]
    entities = ENTITIES.read({"data": [str(DATA / "quechua/ner.tsv.gz")]}) if name == "quechua" else None
    return Case(name, kind, rest, heldout, development, dictionary, entities)
