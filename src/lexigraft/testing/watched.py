"""Arrays that a strategy writes into, and needs that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.resources import Compass, Donor, Loader, PoorModel, StaticVectors, WordVectors
from lexigraft.core.models.tables import Role
from lexigraft.testing.inputs import Fixture

if TYPE_CHECKING:
    import torch

    from lexigraft.core.grafting.plan import Plan
    from lexigraft.core.grafting.strategy import InitContext, Strategy


class WatchedArrays:
    """The arrays that a strategy reads, with copies of what they held.

    Args:
        fixture: Where alignment, vocabularies and needs come from.
        needs: The needs whose arrays are watched.
        tables: The source tables that the strategy gets.
        ids: The ids that it is asked for.
    """

    def __init__(
        self,
        fixture: Fixture,
        needs: Collection[Need],
        tables: Mapping[Role, torch.Tensor],
        ids: npt.NDArray[np.int64],
    ) -> None:
        self._arrays: dict[str, Any] = {f"table {role}": table.numpy() for role, table in tables.items()}
        alignment = fixture.alignment
        self._arrays |= {"target_ids": ids, "alignment": alignment.source_ids, "match rules": alignment.rule_ids}
        for side, vocabulary in (("source", fixture.source), ("target", fixture.target)):
            surfaces = vocabulary.surfaces
            self._arrays |= {f"{side} {k}": getattr(surfaces, k) for k in ("starts", "ends", "isolated", "kinds")}
        for need in sorted(needs):
            self._arrays |= _arrays_of(need, fixture.loaders[need]())
        self._before = {name: array.copy() for name, array in self._arrays.items()}

    def put_back(self) -> list[str]:
        """Put back what was there before; returns the names of the arrays that had changed."""
        changed = [name for name, array in self._arrays.items() if not np.array_equal(array, self._before[name])]
        for name in changed:
            self._arrays[name][...] = self._before[name]
        return changed


def _arrays_of(need: Need, value: Any) -> dict[str, Any]:
    if isinstance(value, StaticVectors):
        return {"target vectors": value.vectors.numpy(), "present": value.present}
    if isinstance(value, PoorModel):
        return {f"poor {role}": table.numpy() for role, table in value.tables.items()} | {"counts": value.counts}
    if isinstance(value, Donor):
        return {f"donor {role}": table.numpy() for role, table in value.tables.items()}
    if isinstance(value, WordVectors):
        return {"source words": value.source.vectors.numpy(), "target words": value.target.vectors.numpy()}
    if isinstance(value, Compass):
        vectors = {"source": value.source.vectors, "target": value.target.vectors}
        return {f"compass, {side}": array.numpy() for side, array in vectors.items()}
    if need == Need.MODEL:
        return {f"model {name}": _bits(parameter) for name, parameter in value.named_parameters()}
    return {}


def _bits(parameter: torch.Tensor) -> Any:
    import torch

    raw = parameter.detach()
    return (raw.view(torch.int16) if raw.dtype == torch.bfloat16 else raw).numpy()


def noted(loaders: Mapping[Need, Loader], used: set[Need]) -> dict[Need, Loader]:
    """Loaders that add their need to a set when they are called."""

    def watched(need: Need, loader: Loader) -> Callable[[], Any]:
        def load() -> Any:
            used.add(need)
            return loader()

        return load

    return {need: watched(need, loader) for need, loader in loaders.items()}


class RecordedStrategy:
    """A strategy that keeps its last plan.

    Everything else about it is the strategy's own.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self.last: Plan | None = None

    def __getattr__(self, name: str) -> Any:
        """What the strategy itself has."""
        return getattr(self._strategy, name)

    def plan(self, ctx: InitContext) -> Plan:
        """Plan, and keep the plan."""
        self.last = self._strategy.plan(ctx)
        return self.last
