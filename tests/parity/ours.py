"""Our side of the comparison: the same files through the same stages that `lexigraft graft` uses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lexigraft.adapters.vectors.target_vectors import load_vectors
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.resources import Resources, StaticVectors
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.tokenization.matching.alignment import Alignment, align
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.strategies.focus import Focus


class Ours(NamedTuple):
    """Finished rows, float32, ``(target, hidden)``; which rule or strategy made each; who matched whom; seconds."""

    rows: npt.NDArray[np.float32]
    rules: tuple[str, ...]
    alignment: Alignment
    seconds: dict[str, float]


def our_rows(
    source_tokenizer: Any,
    target_tokenizer: Any,
    table: npt.NDArray[np.float32],
    fasttext_bin: Path,
    without: Sequence[int] = (),
) -> Ours:
    """FOCUS rows of a source table for a target tokenizer, with the vectors of a fastText file but for some tokens."""
    began = time.perf_counter()
    source, target = Vocabulary.of(source_tokenizer), Vocabulary.of(target_tokenizer)
    alignment = align(source, target)
    aligned = time.perf_counter()
    vectors = load_vectors(fasttext_bin, target, "token")
    present = vectors.present & ~np.isin(np.arange(target.size), list(without))
    loader = {Need.TARGET_VECTORS: lambda: StaticVectors(vectors.vectors, present, vectors.origin)}
    loaded = time.perf_counter()
    context = InitContext(
        source=source,
        target=target,
        alignment=alignment,
        target_ids=alignment.new,
        roles=frozenset({Role.INPUT}),
        tables=FloatTables({Role.INPUT: torch.from_numpy(table)}),
        resources=Resources(frozenset({Need.TARGET_VECTORS}), loader),
        generator=torch.Generator().manual_seed(0),
    )
    rows = build_rows([Focus()], context)
    seconds = {"align": aligned - began, "vectors": loaded - aligned, "rows": time.perf_counter() - loaded}
    return Ours(rows.tables[Role.INPUT].numpy(), rows.provenance.rules, alignment, seconds)
