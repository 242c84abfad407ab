"""Subword mean (FVT): mean of a token's pieces under the source tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.pieces import byte_pieces_of, pieces_of, uniform_weights, weighted_mix


@dataclass(frozen=True)
class SubwordMean(Strategy):
    """Each new row is the mean of the source rows of the pieces into which the source tokenizer splits the token.

    The token's bytes are split, with its word start kept, so a fragment of a character never turns into U+FFFD; special
    and unknown pieces are left out; a token that nothing spells stays uncovered. With `pieces: bytes` the pieces are
    the source's tokens of single bytes (byte-fallback pieces, or the byte-level alphabet) and its token for a space at
    a word start; a source without a token for every byte of the word leaves it uncovered. Also known as `fvt` and, by
    bytes, as `zip_tie` (whose formula is not published in full; this is the reading of the paper's description).

    Source: Gee et al., "Fast vocabulary transfer", EMNLP 2022 industry track; zip-tie: Chen & Li, "Bailong", 2024.
    Needs: nothing.
    Relations: `mean` averages everything; FOCUS and WECHSEL choose rows by meaning instead of spelling.
    """

    name: ClassVar[str] = "subword_mean"
    aliases: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fvt": {}, "zip_tie": {"pieces": "bytes"}}
    convex: ClassVar[bool] = True
    pieces: Literal["pieces", "bytes"] = "pieces"

    def plan(self, ctx: InitContext) -> Plan:
        """Split each token and average."""
        return weighted_mix(pieces_of(ctx) if self.pieces == "pieces" else byte_pieces_of(ctx), uniform_weights)
