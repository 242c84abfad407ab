"""Labels of entities carried over word links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lexigraft.core.data.bio import OUTSIDE, entities

Links = Sequence[tuple[int, int]]


def projected_labels(
    labels: Sequence[str], links: Links, words: int, counts: Counter[str], max_gap: int = 1
) -> tuple[str, ...]:
    """The BIO labels of a translation.

    The words linked with an entity become an entity of its type, with up to ``max_gap`` words between two of them that
    are linked with nothing of it. Over a wider gap the part with the most linked words stays, the first of equals. An
    entity of which a word would belong to an earlier one is lost.

    Args:
        labels: The BIO labels of the source words.
        links: The linked positions ``(source, target)``.
        words: How many words the translation has.
        counts: Counts ``entities``, ``projected``, those lost by ``without_links`` and ``overlapping``, and of the
            projected ones ``split`` by wider gaps, and the ``filled_words`` of narrow ones.
        max_gap: Words between two linked words of an entity at most.
    """
    made = [OUTSIDE] * words
    for entity in entities(labels):
        counts["entities"] += 1
        parts = _parts(sorted({j for i, j in links if entity.start <= i < entity.end}), max_gap)
        if not parts:
            counts["without_links"] += 1
            continue
        kept = max(parts, key=len)
        start, end = kept[0], kept[-1] + 1
        if any(label != OUTSIDE for label in made[start:end]):
            counts["overlapping"] += 1
            continue
        counts["projected"] += 1
        counts["split"] += len(parts) > 1
        counts["filled_words"] += end - start - len(kept)
        made[start:end] = [f"B-{entity.type}"] + [f"I-{entity.type}"] * (end - start - 1)
    return tuple(made)


def _parts(positions: Sequence[int], max_gap: int) -> list[list[int]]:
    """Ascending positions in parts with wider gaps between them."""
    parts: list[list[int]] = []
    for position in positions:
        if parts and position - parts[-1][-1] <= max_gap + 1:
            parts[-1].append(position)
        else:
            parts.append([position])
    return parts
