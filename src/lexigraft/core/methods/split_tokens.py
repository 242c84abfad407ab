"""Single tokens of a vocabulary, each split into several other tokens of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lexigraft.core.tokenization.surface import Kind, Surfaces
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

LEFT, RIGHT = {0: 0, 1: 1, 2: 2, 3: 2}, {0: 0, 1: 0, 2: 2, 3: 3}
"""The word edges (:attr:`Surfaces.edges`) of both parts of a token of the given edges."""

Part = tuple[str, int]
Draw = Callable[[int], int]


class SplitToken(NamedTuple):
    """A token, and other tokens that spell it, in reading order."""

    token: int
    pieces: tuple[int, ...]


def split_tokens(
    vocabulary: Vocabulary, *, shortest: int, most_pieces: int, limit: int, generator: torch.Generator
) -> list[SplitToken]:
    """Draw tokens of letters and cut each at random into two or more other tokens.

    Word starts and ends are kept, as the vocabulary marks them. A token that no two others spell is left out.

    Args:
        vocabulary: The vocabulary.
        shortest: How many letters a token has at least.
        most_pieces: The pieces of a token are 2 to this many, drawn evenly; fewer where it cannot be cut further.
        limit: How many tokens to draw at most.
        generator: Draws tokens, numbers and places.

    Returns:
        The tokens in the order drawn.
    """
    import torch

    def draw(n: int) -> int:
        return int(torch.randint(n, (1,), generator=generator))

    texts = _tokens_of_letters(vocabulary.surfaces)
    parts = {part: i for i, part in texts.items()}
    long = [i for i, (text, _) in texts.items() if len(text) >= shortest]
    found: list[SplitToken] = []
    for n in torch.randperm(len(long), generator=generator).tolist():
        if len(found) == limit:
            break
        pieces = _cut(texts[long[n]], 2 + draw(most_pieces - 1), parts, draw)
        if len(pieces) > 1:
            found.append(SplitToken(long[n], tuple(parts[piece] for piece in pieces)))
    return found


def _tokens_of_letters(surfaces: Surfaces) -> dict[int, Part]:
    """Text and edges of each token that is all letters; of several that look the same, the first."""
    edges, seen = surfaces.edges.tolist(), dict[Part, int]()
    for i in np.flatnonzero((surfaces.kinds == Kind.TEXT) & ~surfaces.isolated).tolist():
        text = surfaces.texts[i].decode(errors="replace")
        if text.isalpha():
            seen.setdefault((text, edges[i]), i)
    return {i: part for part, i in seen.items()}


def _cut(word: Part, wanted: int, parts: Mapping[Part, int], draw: Draw) -> list[Part]:
    """A word as so many parts, or fewer, each time cut at one of all the places that leave known parts."""
    pieces = [word]
    while len(pieces) < wanted:
        places = [(n, two) for n, piece in enumerate(pieces) for two in _halves(piece) if all(p in parts for p in two)]
        if not places:
            break
        n, two = places[draw(len(places))]
        pieces[n : n + 1] = two
    return pieces


def _halves(part: Part) -> list[tuple[Part, Part]]:
    text, edges = part
    return [((text[:at], LEFT[edges]), (text[at:], RIGHT[edges])) for at in range(1, len(text))]
