"""What a user has, in plain words, and which strategies that is enough for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product

from lexigraft.core.errors import UnknownName
from lexigraft.core.registry import Plugin
from lexigraft.core.strategy import Need

WORDS: Mapping[str, str] = {
    "corpus": "target text",
    "source_corpus": "source text",
    "vectors": "vectors of the target tokens",
    "word_vectors": "word vectors of both languages",
    "dictionary": "a dictionary",
    "parallel": "parallel text",
    "donor": "a donor model",
    "poor_model": "a poor model",
    "answer": "the true word links",
}
"""What a user may have, besides a source model and a target tokenizer."""

_CORPUS = (frozenset({"corpus"}),)
ENOUGH: Mapping[Need, tuple[frozenset[str], ...]] = {
    Need.TARGET_VECTORS: (frozenset({"corpus"}), frozenset({"vectors"})),
    Need.WORD_VECTORS: (frozenset({"word_vectors"}), frozenset({"corpus", "source_corpus"})),
    Need.COMPASS: _CORPUS,
    Need.TRAINING: _CORPUS,
    Need.PROBE: _CORPUS,
    Need.MODEL: (frozenset(),),
    Need.DICTIONARY: (frozenset({"dictionary"}),),
    Need.PARALLEL: (frozenset({"parallel"}),),
    Need.DONOR: (frozenset({"donor"}),),
    Need.POOR_MODEL: (frozenset({"poor_model", "corpus"}),),
    Need.ANSWER: (frozenset({"answer"}),),
}
"""What meets each need: any one of several sets of things."""


def check_words(have: Iterable[str]) -> frozenset[str]:
    """What a user says to have.

    Raises:
        UnknownName: A word that is none of ``WORDS``, with the closest one.
    """
    given = frozenset(have)
    for word in sorted(given - set(WORDS)):
        raise UnknownName("thing to have", word, WORDS)
    return given


def enough_for(plugin: Plugin) -> list[list[str]]:
    """The smallest sets of things with which a strategy runs with its default fields, in the order of ``WORDS``."""
    if plugin.cls is None:
        return []
    try:
        needs = plugin.cls().effective_needs()
    except Exception:  # a plug-in may fail in any way; its record still stands in the list
        needs = plugin.cls.needs
    return enough_to_meet(needs)


def enough_to_meet(needs: Collection[Need]) -> list[list[str]]:
    """The smallest sets of things that meet some needs, in the order of ``WORDS``."""
    whole = {frozenset().union(*sets) for sets in product(*(ENOUGH[need] for need in sorted(needs)))}
    smallest = [way for way in whole if not any(other < way for other in whole)]
    order = list(WORDS)
    return sorted(
        (sorted(way, key=order.index) for way in smallest), key=lambda way: [len(way), *map(order.index, way)]
    )


def in_words(enough: Iterable[Collection[str]]) -> str:
    """Sets of things as one phrase, such as ``target text (corpus) or vectors of the target tokens (vectors)``."""
    ways = ([f"{WORDS[word]} ({word})" for word in way] for way in enough)
    return ", or ".join(" and ".join([", ".join(way[:-1]), way[-1]] if way[1:] else way) for way in ways) or "nothing"


def demand(enough: Sequence[Sequence[str]]) -> tuple[object, ...]:
    """A sort key: by how many things the first way asks for, then in the order of ``WORDS``."""
    order = list(WORDS)
    first = enough[0] if enough else []
    return len(first), [order.index(word) for word in first], -len(enough)
