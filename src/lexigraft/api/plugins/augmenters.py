"""Entries of augmenters in the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lexigraft.api.plugins.catalog import grouped
from lexigraft.api.plugins.records import PluginRecord


@dataclass(frozen=True)
class AugmenterRecord(PluginRecord):
    """The entry of one augmenter in a list.

    Attributes:
        edits_at: Where it changes text: at anchors, words or characters.
        source: Where it was published.
    """

    kind: ClassVar[str] = "augmenter"
    edits_at: str = ""
    source: str = ""

    @classmethod
    def further(cls, plugin: type[Any], documented: Mapping[str, str]) -> dict[str, Any]:
        """Where it changes text, and its source."""
        return {"edits_at": plugin.edits_at, "source": documented.get("Source", "")}


def by_place(records: Iterable[AugmenterRecord]) -> dict[str, list[AugmenterRecord]]:
    """Group records under headings that say where text is changed; broken ones at the end."""
    return grouped(sorted(records, key=lambda one: one.edits_at), lambda one: f"change text at {one.edits_at}")
