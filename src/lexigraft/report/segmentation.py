"""Held-out lines split into tokens by each tokenizer, as the pages and the Markdown file show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lexigraft.core.evaluation.cells.cell import Comparison
from lexigraft.core.tokenization.measures.segmentation import Piece
from lexigraft.core.tokenization.measures.segmentation_samples import Sample, Segmentation
from lexigraft.report.formats import NOTHING, count

FACT = "segmentation"
"""The comparison's fact that holds the samples."""


class Cut(NamedTuple):
    """One line, cut by one tokenizer.

    Attributes:
        name: The tokenizer.
        about: How many tokens it takes, and bytes per token.
        pieces: Each part with its class: tokens of text take two tints by turns, so that their borders show.
        color: The tokenizer's color; empty where it has none.
    """

    name: str
    about: str
    pieces: tuple[tuple[str, str], ...]
    color: str = ""


def segmentation_of(comparison: Comparison) -> Segmentation | None:
    """A comparison's samples; None where none were recorded."""
    found = comparison.facts.get(FACT)
    return Segmentation.from_json(found) if found else None


def cuts(
    samples: Sequence[Sample], names: Mapping[str, str] | None = None, colors: Mapping[str, str] | None = None
) -> list[list[Cut]]:
    """Each line as every tokenizer cuts it.

    Args:
        samples: The lines.
        names: How tokenizers are shown.
        colors: Their colors.
    """
    return [
        [
            Cut((names or {}).get(name, name), _about(sample, name), _tinted(pieces), (colors or {}).get(name, ""))
            for name, pieces in sample.cuts.items()
        ]
        for sample in samples
    ]


def how_to_read(found: Segmentation) -> str:
    """Which lines are shown, and what the whole held-out text takes before and after."""
    whole = "; ".join(f"{name} {_taken(tokens, found.bytes)}" for name, tokens in found.tokens.items())
    return f"Held-out lines, chosen evenly over the text, long ones cut. The whole held-out text: {whole}."


def markdown_samples(samples: Sequence[Sample]) -> Iterator[str]:
    """The lines as literal text, with a bar between the parts."""
    for sample in samples:
        yield ""
        for name, pieces in sample.cuts.items():
            yield f"    {name}, {_about(sample, name)}"
            yield f"    {'|'.join(map(_literal, pieces))}"


def _about(sample: Sample, name: str) -> str:
    return _taken(sum(piece.kind != "between" for piece in sample.cuts[name]), sample.bytes)


def _taken(tokens: int, size: int) -> str:
    return f"{count(tokens)} tokens, {f'{size / tokens:.1f}' if tokens else NOTHING} bytes per token"


def _tinted(pieces: Sequence[Piece]) -> tuple[tuple[str, str], ...]:
    found, n = [], 0
    for text, kind in pieces:
        found.append((text, kind if kind != "text" else f"text{n % 2}"))
        n += kind != "between"
    return tuple(found)


def _literal(piece: Piece) -> str:
    """A part as text: bytes of a character in angle brackets, an unknown token in white square ones."""
    text = " ".join(piece.text.splitlines())
    return f"<{text}>" if piece.kind == "byte" else f"⟦{text}⟧" if piece.kind == "unknown" else text
