"""What strategies there are, as plain records."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lexigraft.api.having import check_words, demand, enough_for, in_words
from lexigraft.core.registry import Plugin, discover, resolve


def strategies(have: Collection[str] | None = None) -> list[dict[str, Any]]:
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
