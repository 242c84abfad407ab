"""Entries of strategies in the catalog, and which of them the inputs that a user has suffice for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar

from lexigraft.api.plugins.catalog import grouped, list_plugins
from lexigraft.api.plugins.records import PluginRecord
from lexigraft.core.errors import UnknownName
from lexigraft.core.grafting.needs import Need, need_specs


@dataclass(frozen=True)
class StrategyRecord(PluginRecord):
    """The entry of one strategy in a list.

    Attributes:
        needs: What it may need beyond the two vocabularies.
        enough: Sets of inputs, words of :func:`input_words`, of which any one meets the needs of its defaults.
        scope: ``new`` or ``all``.
        body: ``source`` or ``target``.
        convex: Whether its rows are convex combinations of source rows.
        source: Where it was published.
        usable: Whether the inputs a user has suffice; ``None`` where no inputs were named.
    """

    kind: ClassVar[str] = "strategy"
    known_of_broken: ClassVar[tuple[str, ...]] = (*PluginRecord.known_of_broken, "usable")
    needs: Sequence[str] = ()
    enough: Sequence[Sequence[str]] = ()
    scope: str = ""
    body: str = ""
    convex: bool = False
    source: str = ""
    usable: bool | None = None

    @classmethod
    def further(cls, plugin: type[Any], documented: Mapping[str, str]) -> dict[str, Any]:
        """What it needs, what its rows are made of, and its source."""
        return {
            "needs": sorted(map(str, plugin.needs)),
            "enough": inputs_for(plugin),
            "scope": plugin.scope.value,
            "body": plugin.body.value,
            "convex": plugin.convex,
            "source": documented.get("Source", ""),
        }


def input_words() -> dict[str, str]:
    """Inputs a user may have besides a source model and a target tokenizer: a word for each, with its meaning."""
    words = {"corpus": "target text", "source_corpus": "source text"}
    for spec in need_specs().values():
        words |= spec.words
    return words


def check_words(have: Iterable[str]) -> frozenset[str]:
    """Check the words for the inputs that a user has.

    Raises:
        UnknownName: A word that is none of :func:`input_words`, with the closest one.
    """
    available, words = frozenset(have), input_words()
    for word in sorted(available - set(words)):
        raise UnknownName("thing to have", word, words)
    return available


def inputs_for(strategy: type[Any]) -> list[list[str]]:
    """The smallest sets of inputs with which a strategy runs with its default fields, in the order of the words."""
    try:
        needs = strategy().required_needs()
    except Exception:  # a plug-in may fail in any way; its record still stands in the list
        needs = strategy.needs
    return inputs_that_meet(needs)


def inputs_that_meet(needs: Collection[Need]) -> list[list[str]]:
    """The smallest sets of inputs that meet some needs, in the order of the words; none where a need is unknown."""
    specs = need_specs()
    if not specs.keys() >= set(needs):
        return []
    unions = {frozenset().union(*sets) for sets in product(*(specs[need].supplied_by for need in sorted(needs)))}
    smallest = [way for way in unions if not any(other < way for other in unions)]
    order = list(input_words())
    return sorted(
        (sorted(way, key=order.index) for way in smallest), key=lambda way: [len(way), *map(order.index, way)]
    )


def in_words(enough: Iterable[Collection[str]]) -> str:
    """Sets of inputs as one phrase, such as ``target text (corpus) or vectors of the target tokens (vectors)``."""
    words = input_words()
    ways = ([f"{words[word]} ({word})" for word in way] for way in enough)
    return ", or ".join(" and ".join([", ".join(way[:-1]), way[-1]] if way[1:] else way) for way in ways) or "nothing"


def sort_key(enough: Sequence[Sequence[str]]) -> tuple[object, ...]:
    """Sort key: the number of inputs in the first set, then the order of the words."""
    order = list(input_words())
    first = enough[0] if enough else []
    return len(first), [order.index(word) for word in first], -len(enough)


def list_strategies(have: Collection[str] | None = None) -> list[StrategyRecord]:
    """Every strategy found, broken ones too.

    Args:
        have: The inputs that a user has, as words of :func:`input_words`; ``None`` to list without ``usable``.

    Raises:
        UnknownName: A word that is none of :func:`input_words`.
    """
    available = None if have is None else check_words(have)
    records = list_plugins(StrategyRecord)
    if available is None:
        return records
    return [replace(one, usable=any(available.issuperset(way) for way in one.enough)) for one in records]


def by_needs(records: Sequence[StrategyRecord]) -> dict[str, list[StrategyRecord]]:
    """Group records under headings that name their needs, the fewest needs first; broken ones at the end."""
    fewest_first = sorted(records, key=lambda one: sort_key(one.enough))
    return grouped(fewest_first, lambda one: f"needs {in_words(way for way in one.enough if way)}")


def missing(one: StrategyRecord, have: Collection[str]) -> str:
    """The inputs that a strategy lacks, as a phrase, for the set of inputs that lacks the fewest."""
    ways = [[word for word in way if word not in have] for way in one.enough]
    return in_words([min(ways, key=len)])
