"""What strategies there are, as plain records."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from lexigraft.core.errors import UnknownName
from lexigraft.core.registry import Plugin, discover


def strategies() -> list[dict[str, Any]]:
    """Every strategy found: name, summary, needs, scope, body, convex, source, file; broken ones with the reason."""
    return [describe(plugin) for plugin in discover("strategy").values()]


def details(name: str) -> dict[str, Any]:
    """One strategy in full.

    Args:
        name: The strategy's name.

    Returns:
        What :func:`describe` says, and ``documentation`` (the whole docstring), ``fields`` and ``record`` beside it.

    Raises:
        UnknownName: No strategy has this name.
    """
    plugins = discover("strategy")
    if name not in plugins:
        raise UnknownName("strategy", name, plugins)
    plugin = plugins[name]
    documentation = inspect.getdoc(plugin.cls) if plugin.cls else f"This strategy is broken: {plugin.broken}"
    in_full = {"documentation": documentation or "", "fields": fields(plugin), "record": plugin.record.fields}
    return {**describe(plugin), **in_full}


def describe(plugin: Plugin) -> dict[str, Any]:
    """One strategy's record."""
    if plugin.cls is None:
        return {"name": plugin.name, "summary": "", "broken": plugin.broken, "file": plugin.file}
    record = plugin.record
    return {
        "name": plugin.name,
        "summary": record.summary,
        "needs": sorted(need.value for need in plugin.cls.needs),
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
