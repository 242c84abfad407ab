"""Catalog of augmenters: listed, described, and checked against the contract."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lexigraft.api.plugins.fields import FieldRecord, fields_of
from lexigraft.core.registry import Plugin, discover, resolve

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome


@dataclass(frozen=True)
class AugmenterRecord:
    """The entry of one augmenter in a list.

    Attributes:
        name: Its name.
        summary: The first line of its docstring.
        file: Where it is.
        broken: Why it cannot be loaded; ``None`` where it can. A broken augmenter has no further fields.
        aliases: Other names, each with the options that it stands for.
        edits_at: Where it changes text: at anchors, words or characters.
        source: Where it was published.
    """

    name: str
    summary: str
    file: str
    broken: str | None = None
    aliases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    edits_at: str = ""
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values; of a broken augmenter only the known ones."""
        values = asdict(self)
        if self.broken is None:
            del values["broken"]
            return values
        return {key: values[key] for key in ("name", "summary", "broken", "file")}


@dataclass(frozen=True)
class AugmenterDetails:
    """One augmenter in full.

    Attributes:
        summary: Its entry in the list.
        documentation: Its whole docstring.
        fields: Its options.
        preset: The options that the alias stands for; empty unless the augmenter was named by an alias.
    """

    summary: AugmenterRecord
    documentation: str
    fields: Sequence[FieldRecord]
    preset: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        fields = [asdict(one) for one in self.fields]
        shown = {"documentation": self.documentation, "fields": fields, "preset": dict(self.preset)}
        return {**self.summary.as_json(), **shown}


def list_augmenters() -> list[AugmenterRecord]:
    """Every augmenter found, broken ones too."""
    return [_described(plugin) for plugin in discover("augmenter").values()]


def augmenter_details(name: str) -> AugmenterDetails:
    """One augmenter in full.

    Args:
        name: The augmenter's name or an alias.

    Raises:
        UnknownName: No augmenter has this name.
    """
    plugin, preset = resolve("augmenter", name)
    documentation = inspect.getdoc(plugin.cls) if plugin.cls else f"This augmenter is broken: {plugin.broken}"
    return AugmenterDetails(_described(plugin), documentation or "", fields_of(plugin), preset)


def _described(plugin: Plugin) -> AugmenterRecord:
    if plugin.cls is None:
        return AugmenterRecord(plugin.name, "", plugin.file, broken=plugin.broken)
    return AugmenterRecord(
        name=plugin.name,
        summary=plugin.record.summary,
        file=plugin.file,
        aliases={alias: dict(preset) for alias, preset in plugin.aliases.items()},
        edits_at=plugin.cls.edits_at,
        source=plugin.record.fields.get("Source", ""),
    )


def check_augmenter(name: str) -> list[Outcome]:
    """Run every law of the contract on an augmenter.

    Args:
        name: The augmenter's name, or an alias, which is checked with the options it stands for.

    Returns:
        One outcome for each law.

    Raises:
        UnknownName: No augmenter has this name.
    """
    plugin, preset = resolve("augmenter", name)
    from lexigraft.testing.augmenter_contract import run_augmenter_checks

    return run_augmenter_checks(plugin, preset)
