"""SVG elements that every chart shares."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def short(label: str) -> str:
    """A label as it fits beside a chart."""
    return label if len(label) <= 20 else label[:19] + "…"


def svg(kind: str, width: int, height: int, label: str, parts: Sequence[str], data: str = "") -> str:
    head = f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}"{data}>'
    return f"{head}{''.join(parts)}</svg>"
