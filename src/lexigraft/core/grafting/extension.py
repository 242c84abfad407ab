"""Extension of a model in memory by tokens of their own, whose rows a strategy makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, refuse_missing
from lexigraft.core.grafting.resources import Resources
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy, uses_of
from lexigraft.core.models.surgery import install
from lexigraft.core.models.tables import FloatTables, tables_of
from lexigraft.core.registry import make
from lexigraft.core.tokenization.editing.new_tokens import missing_tokens, with_tokens
from lexigraft.core.tokenization.matching.alignment import Alignment
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.memory import default_memory_budget

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Extended:
    """A model with further tokens.

    Attributes:
        vocabulary: Its vocabulary.
        added: Ids of the tokens that are new, int64, ascending.
    """

    vocabulary: Vocabulary
    added: npt.NDArray[np.int64]


def row_strategies(tokens: Mapping[str, str]) -> dict[str, Strategy]:
    """The strategy of each token, made from its name.

    Args:
        tokens: Strategies by token.

    Raises:
        UnknownName: There is no such strategy.
        LexigraftError: It needs something, keeps the tokenizer, or belongs to another body.
    """
    made: dict[str, Strategy] = {}
    for token, name in tokens.items():
        strategy: Strategy = make("strategy", name)
        refuse_missing({name: strategy.required_needs()}, frozenset({Need.MODEL}))
        if strategy.keeps_tokenizer or strategy.body is not Body.SOURCE or strategy.scope is not Scope.NEW:
            raise LexigraftError(
                "strategy makes no rows for added tokens", name, "Take mean, or another that only adds"
            )
        made[token] = strategy
    return made


def extend_model(model: PreTrainedModel, vocabulary: Vocabulary, tokens: Mapping[str, str], seed: int = 0) -> Extended:
    """Give a model further tokens in place: input and output rows from a strategy, all other rows stay bit for bit.

    Args:
        model: The model.
        vocabulary: Its vocabulary.
        tokens: The tokens, each with the strategy of its rows; those that the vocabulary holds already keep their rows.
        seed: Decides everything random.

    Returns:
        The longer vocabulary; the same one where every token is there already.

    Raises:
        LexigraftError: A strategy that cannot make these rows, or a model that cannot be resized.
    """
    by_strategy: dict[Strategy, list[str]] = {}
    for token, strategy in row_strategies(tokens).items():
        by_strategy.setdefault(strategy, []).append(token)
    before = vocabulary
    for strategy, own in by_strategy.items():
        if missing_tokens(vocabulary, own):
            vocabulary = _extend(model, vocabulary, own, strategy, seed)
    return Extended(vocabulary, np.arange(before.size, vocabulary.size))


def _extend(
    model: PreTrainedModel, vocabulary: Vocabulary, tokens: Collection[str], strategy: Strategy, seed: int
) -> Vocabulary:
    import torch

    extended = with_tokens(vocabulary, tokens)
    old = np.full(extended.size, -1, np.int64)
    old[: vocabulary.size] = np.arange(vocabulary.size)
    alignment = Alignment(old, (old >= 0).astype(np.int8), ("new", "kept"))
    tables = tables_of(model).by_role
    ctx = InitContext(
        source=vocabulary,
        # Strategies make rows of text; they see the tokens as such.
        target=with_tokens(vocabulary, tokens, special=False),
        alignment=alignment,
        target_ids=alignment.new,
        roles=frozenset(tables),
        tables=FloatTables({role: table.detach().cpu() for role, table in tables.items()}),
        resources=Resources(uses_of([strategy]), {Need.MODEL: lambda: model}),
        generator=torch.Generator().manual_seed(seed),
        memory_budget=default_memory_budget(),
    )
    rows = build_rows([strategy], ctx).tables
    with torch.random.fork_rng(devices=[]):  # resizing draws rows that are overwritten at once
        install(model, rows, vocabulary, extended)
    return extended
