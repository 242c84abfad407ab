"""Rows of a poor model's rare tokens, made anew by each arm of `tema_regime.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lexigraft.adapters.vectors.target_vectors import train_target_vectors
from lexigraft.core.config.recipe import VectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.resources import Loader, PoorModel, Resources
from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.heads import output_layer_inputs
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.tokenization.editing.renumbering import with_tokens
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MIN_COUNT = 15
PLACEMENTS: dict[str, dict[str, Any]] = {
    "tema": {},
    **{f"tema, placement: {name}": {"placement": name} for name in ("mapped", "random_offset", "no_offset")},
}
TEMA: dict[str, dict[str, Any]] = PLACEMENTS | {
    "tema, k: 5": {"k": 5},
    "tema, projection: procrustes": {"projection": "procrustes"},
    "tema, multi_token: skip": {"multi_token": "skip"},
    "tema, min_count: 5": {"min_count": 5},
    "tema, min_count: 50": {"min_count": 50},
}
MAIN = PLACEMENTS | {"tema, min_count: 5": TEMA["tema, min_count: 5"]}
FEW = "tema", "tema, placement: random_offset"
RIVALS = {"mean of all well-trained rows": "mean", "mean of its pieces": "subword_mean", "focus": "focus"}


@dataclass(frozen=True)
class Made:
    """The poor model's input table with some rows made anew."""

    table: torch.Tensor
    moved: np.ndarray


def tema_rows(
    rich: tuple[Vocabulary, FloatTables], poor: PoorModel, dictionary: Dictionary, fields: Mapping[str, Any], seed: int
) -> Made:
    """The rows of `tema` with some of its fields."""
    loaders = {Need.POOR_MODEL: lambda: poor, Need.DICTIONARY: lambda: dictionary}
    rows = _rows("tema", fields, *rich, poor.vocabulary, loaders, seed)
    return Made(rows.tables[Role.INPUT], rows.moved)


def rival_rows(poor: PoorModel, train: Corpus, name: str, moved: np.ndarray, seed: int, cache: Path) -> Made:
    """Rows of the same tokens from the poor model's own well-trained tokens.

    The source of the graft is the poor model without its rare tokens, the target the whole poor model. Single
    characters stay, so that every rare token has pieces.

    Args:
        poor: The poor model.
        train: The text that it was trained on.
        name: A strategy.
        moved: The tokens whose rows are wanted.
        seed: Decides everything random.
        cache: Folder for vectors.
    """
    vocabulary = poor.vocabulary
    single = [len(token.removeprefix("##")) == 1 for token in vocabulary.tokens]
    special = np.isin(np.arange(vocabulary.size), sorted(vocabulary.special_ids))
    kept = np.flatnonzero((poor.counts >= MIN_COUNT) | single | special)
    small = with_tokens(vocabulary, kept.tolist())
    tables = FloatTables({Role.INPUT: poor.tables[Role.INPUT][kept]})
    loaders = {Need.TARGET_VECTORS: lambda: train_target_vectors(train, vocabulary, VectorSettings(epochs=3), cache)}
    rows = _rows(name, {}, small, tables, vocabulary, loaders, seed)
    wanted = np.intersect1d(moved, rows.moved)
    table = poor.tables[Role.INPUT].clone()
    table[wanted] = rows.tables[Role.INPUT][wanted]
    return Made(table, wanted)


def mean_state(model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str]) -> torch.Tensor:
    """The mean of what the model's output layer reads, ``(hidden,)``: a row times it is the token's mean logit."""
    ids = torch.tensor([i for line in vocabulary.encode(lines) for i in line])
    rows = ids[: len(ids) // 128 * 128].view(-1, 128)
    with torch.no_grad():
        return output_layer_inputs(model, lambda hidden: hidden.flatten(0, 1), input_ids=rows).mean(0)


def leveled(made: Made, poor: PoorModel, state: torch.Tensor) -> Made:
    """The rows with the poor model's own component along a state: every token keeps its mean logit."""
    own, table = poor.tables[Role.INPUT], made.table
    return Made(table + torch.outer((own - table) @ state / (state @ state), state), made.moved)


def _rows(
    name: str,
    fields: Mapping[str, Any],
    source: Vocabulary,
    tables: FloatTables,
    target: Vocabulary,
    loaders: Mapping[Need, Loader],
    seed: int,
) -> Rows:
    chain = make_chain([(name, dict(fields))])
    ctx = InitContext(
        source=source,
        target=target,
        alignment=align(source, target),
        target_ids=np.arange(target.size),
        roles=frozenset({Role.INPUT}),
        tables=tables,
        resources=Resources(chain[0].needs, loaders),
        generator=torch.Generator().manual_seed(seed),
    )
    return build_rows(chain, ctx)
