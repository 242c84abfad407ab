"""Plug-ins of a kind: listed, grouped, described in full, checked."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lexigraft.api.plugins.records import FieldRecord, PluginDetails, Record
from lexigraft.core.registry import Plugin, discover, resolve

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome


def list_plugins(record: type[Record]) -> list[Record]:
    """The entry of every plug-in of a record's kind, broken ones too."""
    return [record.of(plugin) for plugin in discover(record.kind).values()]


def grouped(records: Iterable[Record], heading: Callable[[Record], str]) -> dict[str, list[Record]]:
    """Entries under their headings, both in the entries' order; broken plug-ins at the end."""
    groups: dict[str, list[Record]] = {}
    for one in sorted(records, key=lambda one: one.broken is not None):
        groups.setdefault("broken" if one.broken is not None else heading(one), []).append(one)
    return groups


def plugin_details(record: type[Record], name: str) -> PluginDetails[Record]:
    """One plug-in in full.

    Args:
        record: What an entry of its kind is.
        name: Its name or an alias.

    Raises:
        UnknownName: No plug-in of the kind has this name.
    """
    plugin, preset = resolve(record.kind, name)
    documentation = inspect.getdoc(plugin.cls) if plugin.cls else f"This {record.kind} is broken: {plugin.broken}"
    return PluginDetails(record.of(plugin), documentation or "", _fields_of(plugin), plugin.record.fields, preset)


def check_plugin(kind: str, name: str) -> list[Outcome]:
    """Run every law of its kind's contract on a plug-in.

    Args:
        kind: ``strategy``, ``objective``, ``evaluator`` or ``augmenter``.
        name: Its name, or an alias, which is checked with the fields that it stands for.

    Returns:
        One outcome for each law, and for each fixture model that the law is checked on.

    Raises:
        UnknownName: No plug-in of the kind has this name.
    """
    plugin, preset = resolve(kind, name)
    from lexigraft.testing.check import RUNNERS

    return RUNNERS[kind](plugin, options=preset)


def _fields_of(plugin: Plugin) -> list[FieldRecord]:
    """The fields of one plug-in; none of a broken one."""
    if plugin.cls is None:
        return []
    return [FieldRecord(f.name, str(f.type), _default(f)) for f in dataclasses.fields(plugin.cls)]


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default
