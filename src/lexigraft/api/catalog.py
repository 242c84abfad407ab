"""The strategies found: listed, described, filtered by what a user has, and checked against the contract."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from lexigraft.core.errors import UnknownName
from lexigraft.core.grafting.needs import Need
from lexigraft.core.registry import Plugin, discover, resolve


def check(name: str) -> list[dict[str, Any]]:
    """Run every law of the contract on a strategy, on every fixture model.

    Args:
        name: The strategy's name, or an alias, which is checked with the fields it stands for.

    Returns:
        One record for each law and fixture: law, fixture, outcome ("passed", "failed" or "not applicable"), reason.

    Raises:
        UnknownName: No strategy has this name.
    """
    plugin, preset = resolve("strategy", name)
    from lexigraft.testing.contract import run_checks

    return [dataclasses.asdict(outcome) for outcome in run_checks(plugin, fields=preset)]


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


def list_strategies(have: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Every strategy found.

    Args:
        have: What there is to work with, as words of ``having.WORDS``; ``None`` when nobody asks.

    Returns:
        For each its name, aliases, summary, needs, scope, body, convex, source, file, ``enough`` (the sets of things
        of which one must be there) and ``usable`` (whether what there is suffices; ``None`` when nobody asks); broken
        ones with the reason.

    Raises:
        UnknownName: A word for something to have that does not exist.
    """
    given = None if have is None else check_words(have)
    found = [describe(plugin) for plugin in discover("strategy").values()]
    for one in found:
        one["usable"] = None if given is None else any(given.issuperset(way) for way in one.get("enough", []))
    return found


def by_needs(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Records under a heading that says what their methods need, the least demanding first; broken ones at the end."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    whole = [one for one in found if "broken" not in one]
    for one in sorted(whole, key=lambda one: demand(one["enough"])):
        groups.setdefault(f"needs {in_words(way for way in one['enough'] if way)}", []).append(one)
    if broken := [one for one in found if "broken" in one]:
        groups["broken"] = broken
    return groups


def missing(one: Mapping[str, Any], have: Collection[str]) -> str:
    """What a strategy needs beyond what there is, by the way that needs the least more."""
    ways = [[word for word in way if word not in have] for way in one["enough"]]
    return in_words([min(ways, key=len)])


def details(name: str) -> dict[str, Any]:
    """One strategy in full.

    Args:
        name: The strategy's name or an alias.

    Returns:
        What :func:`describe` says, and ``documentation`` (the whole docstring), ``fields`` (name, type, default),
        ``record`` and ``preset`` (the fields that the alias stands for) beside it.

    Raises:
        UnknownName: No strategy has this name.
    """
    plugin, preset = resolve("strategy", name)
    documentation = inspect.getdoc(plugin.cls) if plugin.cls else f"This strategy is broken: {plugin.broken}"
    in_full = {"documentation": documentation or "", "fields": fields(plugin), "record": plugin.record.fields}
    return {**describe(plugin), **in_full, "preset": preset}


def describe(plugin: Plugin) -> dict[str, Any]:
    """One strategy's record."""
    if plugin.cls is None:
        return {"name": plugin.name, "summary": "", "broken": plugin.broken, "file": plugin.file}
    record = plugin.record
    return {
        "name": plugin.name,
        "aliases": {alias: dict(preset) for alias, preset in plugin.aliases.items()},
        "summary": record.summary,
        "needs": sorted(need.value for need in plugin.cls.needs),
        "enough": enough_for(plugin),
        "scope": plugin.cls.scope.value,
        "body": plugin.cls.body.value,
        "convex": plugin.cls.convex,
        "source": record.fields.get("Source", ""),
        "file": plugin.file,
    }


def fields(plugin: Plugin) -> list[dict[str, Any]]:
    """The hyper-parameters of one plug-in: name, type, default."""
    if plugin.cls is None:
        return []
    return [{"name": f.name, "type": str(f.type), "default": f.default} for f in dataclasses.fields(plugin.cls)]
