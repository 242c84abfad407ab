"""What a strategy may need beyond the two vocabularies, and how a user supplies each need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    pass


class Need(StrEnum):
    """What a strategy may ask for beyond the two vocabularies; ``resources.SUPPLY`` says how to supply each."""

    TARGET_VECTORS = "target_vectors"
    WORD_VECTORS = "word_vectors"
    COMPASS = "compass"
    DICTIONARY = "dictionary"
    PARALLEL = "parallel"
    DONOR = "donor"
    POOR_MODEL = "poor_model"
    MODEL = "model"
    TRAINING = "training"
    PROBE = "probe"
    ANSWER = "answer"


class Supply(NamedTuple):
    """How a user supplies a need: the recipe key, the CLI option, and one sentence."""

    recipe_key: str
    option: str
    sentence: str


SUPPLY: Mapping[Need, Supply] = {
    Need.TARGET_VECTORS: Supply(
        "corpus.train",
        "--corpus F or --target-vectors F",
        "static vectors of the target tokens: give target text to train them on, or a .bin, .vec or .npz file",
    ),
    Need.WORD_VECTORS: Supply(
        "word_vectors (or corpus.train and corpus.source_train)",
        "--source-vectors F --word-vectors F (or --corpus F --source-corpus F)",
        "word vectors of both languages: give a .bin or .vec file of each, or text of both to train them on",
    ),
    Need.COMPASS: Supply(
        "corpus.train", "--corpus F", "target text, on which vectors of both vocabularies' tokens are learned"
    ),
    Need.DICTIONARY: Supply(
        "dictionary.path", "--dictionary TSV", "a bilingual word list, one source TAB target pair a line"
    ),
    Need.PARALLEL: Supply(
        "parallel",
        "--parallel-source F --parallel-target F",
        "sentences of both languages: two files, aligned line by line",
    ),
    Need.DONOR: Supply("donor", "--donor M", "a second model that already uses the target tokenizer"),
    Need.POOR_MODEL: Supply(
        "poor_model",
        "--poor-model M (and --corpus F for its token counts)",
        "a model pre-trained on target text with the target tokenizer (see `lexigraft pretrain`)",
    ),
    Need.MODEL: Supply("source", "--source M", "the source model itself"),
    Need.TRAINING: Supply("corpus.train", "--corpus F", "target text to learn rows on"),
    Need.PROBE: Supply("corpus.train", "--corpus F", "target text to try candidates on"),
    Need.ANSWER: Supply("answer", "--answer F", "the true word links of a cloned language (see `lexigraft demo`)"),
}

SUPPLIED_BY_CORE = frozenset({Need.MODEL})
"""Needs that the graft meets by itself."""


def refuse_missing(needs: Mapping[str, frozenset[Need]], supplied: Collection[Need]) -> None:
    """Refuse strategies whose needs nobody supplies; called before any weights load.

    Raises:
        LexigraftError: Which strategy misses what, and how to supply it.
    """
    met = SUPPLIED_BY_CORE.union(supplied)
    missing = [(who, need) for who, wanted in needs.items() for need in sorted(wanted - met)]
    if missing:
        who = "; ".join(f"{name} needs {need.value}" for name, need in missing)
        raise LexigraftError("a strategy's need is missing", who, how_to_meet(dict.fromkeys(n for _, n in missing)))


def how_to_meet(needs: Iterable[Need]) -> str:
    """One sentence for each need on how to supply it."""
    return "; ".join(
        f"{need.value}: {SUPPLY[need].sentence} ({SUPPLY[need].option}; recipe key {SUPPLY[need].recipe_key})"
        for need in needs
    )
