"""Mixtures over the source pieces (subwords) of each new token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lexigraft.core.grafting.plan import Mix
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.vocabulary import Vocabulary


def byte_pieces_of(ctx: InitContext) -> list[list[int]]:
    """The source's byte tokens that spell each row asked for, word start included; none where one is missing."""
    known, surfaces = ctx.source.byte_tokens, ctx.target.surfaces
    spelled = (b" " * bool(surfaces.starts[i]) + surfaces.texts[i] for i in ctx.target_ids.tolist())
    return [[known[b] for b in data] if all(b in known for b in data) else [] for data in spelled]


Pieces = Sequence[int]


def pieces_of(ctx: InitContext) -> list[list[int]]:
    """The source pieces of every row asked for: byte-exact, word start kept, no special and no unknown piece."""
    surfaces = ctx.target.surfaces
    return [ctx.source.pieces(surfaces.texts[i], bool(surfaces.starts[i])) for i in ctx.target_ids.tolist()]


def weighted_mix(pieces: Iterable[Pieces], weigh: Callable[[Pieces], Sequence[float]]) -> Mix:
    """Convex mixtures of pieces.

    Args:
        pieces: Source ids of each row's pieces, in reading order; none leaves the row uncovered.
        weigh: A row's weights, one for each piece, not negative; they are scaled to sum to 1.

    Returns:
        One row for each row of pieces. A piece that occurs twice has one entry, with the sum of its weights.
    """
    return Mix.from_rows(_row(ids, weigh(ids)) for ids in pieces)


def _row(ids: Pieces, weights: Sequence[float]) -> tuple[list[int], list[float]]:
    merged: dict[int, float] = {}
    total = sum(weights)
    for i, weight in zip(ids, weights, strict=True):
        merged[i] = merged.get(i, 0.0) + weight / total
    return list(merged), list(merged.values())


def uniform_weights(ids: Pieces) -> list[float]:
    """The same weight for every piece."""
    return [1.0] * len(ids)


def characters(vocabulary: Vocabulary) -> Callable[[Pieces], list[float]]:
    """Weights by the number of characters of each piece.

    Counted are the characters that begin in the piece, at least one: on whole characters that is the length of the
    decoded text, word-start mark left out; a fragment that continues a character counts as one.
    """
    texts = vocabulary.surfaces.texts
    return lambda ids: [float(max(1, sum(byte & 0xC0 != 0x80 for byte in texts[i]))) for i in ids]


def by_role(roles: Iterable[Role], input_mix: Mix, output_mix: Mix) -> Mapping[Role, Mix]:
    """One rule for the input table, another for the head.

    Tied models have one table, which follows the input rule. The bias follows the rule of the row that it is added to,
    so that a new token's logit is the same mixture of the old logits.
    """
    head = output_mix if Role.OUTPUT in roles else input_mix
    return {role: input_mix if role is Role.INPUT else head for role in roles}
