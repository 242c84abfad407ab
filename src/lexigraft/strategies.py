"""What the author of a strategy or of a need imports.

The helpers are those that the built-in strategies share; `docs/guides/write-a-strategy.md` has them in a table.
"""

from __future__ import annotations

from lexigraft.core.config.base import Settings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.chains import named_chain, named_needs, plan_of_chain
from lexigraft.core.grafting.needs import Need, NeedSpec
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy
from lexigraft.core.linalg.nearest import nearest
from lexigraft.core.linalg.sampling import mean_rows, normal_rows
from lexigraft.core.methods.mixtures import (
    empty_mix,
    nearest_mix,
    normalized_rows,
    scatter_rows,
    softmax_mix,
    sparse_mix,
)
from lexigraft.core.methods.pieces import by_role, pieces_of, uniform_weights, weighted_mix
from lexigraft.core.models.tables import Role

__all__ = [
    "Body",
    "Dense",
    "InitContext",
    "LexigraftError",
    "Mix",
    "Need",
    "NeedSpec",
    "Plan",
    "Role",
    "Scope",
    "Settings",
    "Strategy",
    "by_role",
    "combine",
    "empty_mix",
    "mean_rows",
    "named_chain",
    "named_needs",
    "nearest",
    "nearest_mix",
    "normal_rows",
    "normalized_rows",
    "pieces_of",
    "plan_of_chain",
    "scatter_rows",
    "softmax_mix",
    "sparse_mix",
    "uniform_weights",
    "weighted_mix",
]
