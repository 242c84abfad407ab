"""Catalog of augmenters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.api.plugins.records import PluginDetails, PluginRecord, details_of
from lexigraft.core.registry import Plugin, discover, resolve

if TYPE_CHECKING:
    from lexigraft.testing.law import Outcome


@dataclass(frozen=True)
class AugmenterRecord(PluginRecord):
    """The entry of one augmenter in a list.

    Attributes:
        edits_at: Where it changes text: at anchors, words or characters.
        source: Where it was published.
    """

    edits_at: str = ""
    source: str = ""


def list_augmenters() -> list[AugmenterRecord]:
    """Every augmenter found, broken ones too."""
    return [describe_augmenter(plugin) for plugin in discover("augmenter").values()]


def augmenter_details(name: str) -> PluginDetails[AugmenterRecord]:
    """One augmenter in full.

    Args:
        name: The augmenter's name or an alias.

    Raises:
        UnknownName: No augmenter has this name.
    """
    return details_of("augmenter", name, describe_augmenter)


def describe_augmenter(plugin: Plugin) -> AugmenterRecord:
    """One augmenter's record."""
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
