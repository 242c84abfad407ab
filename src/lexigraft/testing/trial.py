"""Trial of one strategy on one fixture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import ByteSize

from lexigraft.core.config.recipe import GraftSettings
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import Grafted, PreparedGraft, in_memory, prepare_graft
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.resources import Resources
from lexigraft.core.grafting.rows import Rows, build_rows, covered_by
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy, uses_of
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.registry import Plugin
from lexigraft.core.utils.random_state import global_randomness_kept
from lexigraft.testing.inputs import Fixture
from lexigraft.testing.random_state import global_state, set_global_state
from lexigraft.testing.watched import RecordedStrategy, WatchedArrays, noted

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

BUDGET = 2**24
SMALL_BUDGET = 2**20
"""Memory budgets in bytes: the laws run under the first, and one of them compares the rows under the second."""


@dataclass(frozen=True)
class Planned:
    """A plan, and what the strategy changed while it made it.

    Attributes:
        plan: The plan.
        written: The inputs that it wrote into; they have been put back.
        random_state_moved: Whether it drew from a global random state.
    """

    plan: Plan
    written: tuple[str, ...]
    random_state_moved: bool


@dataclass(frozen=True)
class Built:
    """Finished tables, and how the strategy behaved while they were made.

    Attributes:
        rows: The tables.
        plan: The plan behind them; ``None`` where no row was asked for.
        used: The needs that were asked for.
        changed: The tables of the live source model that changed.
    """

    rows: Rows
    plan: Plan | None
    used: frozenset[Need]
    changed: tuple[Role, ...]


@dataclass(frozen=True, eq=False)
class Trial:
    """A configured strategy on a fixture.

    What the laws share is computed once.

    Attributes:
        plugin: Where the strategy comes from.
        strategy: The strategy, with its default fields unless said otherwise.
        fixture: The fixture.
    """

    plugin: Plugin
    strategy: Strategy
    fixture: Fixture

    def on(self, fixture: Fixture) -> Trial:
        """The same strategy on another fixture."""
        return Trial(self.plugin, self.strategy, fixture)

    @cached_property
    def unchanged(self) -> Trial:
        """The same strategy where the target tokenizer is the source's own."""
        return self.on(self.fixture.same_tokenizer)

    @property
    def copies_matched(self) -> bool:
        """Whether core copies the matched rows and asks the strategy for the others only."""
        return self.strategy.scope is Scope.NEW and self.strategy.body is Body.SOURCE

    @property
    def body(self) -> PreTrainedModel:
        """The model whose body the rows belong to."""
        return self.fixture.model if self.strategy.body is Body.SOURCE else self.fixture.poor

    @property
    def unmet(self) -> list[Need]:
        """Needs for which there is no synthetic input."""
        return sorted(self.strategy.required_needs() - set(self.fixture.loaders))

    @cached_property
    def asked(self) -> npt.NDArray[np.int64]:
        """Ids of the rows that the graft asks for, int64."""
        usable = self.fixture.target.surfaces.is_text
        if self.copies_matched:
            usable &= self.fixture.alignment.source_ids < 0
        return np.flatnonzero(usable).astype(np.int64)

    def context(self, *, seed: int = 0, **changes: Any) -> InitContext:
        """A context as the graft builds it, with only the declared needs; ``changes`` replace its attributes."""
        import torch

        from lexigraft.core.models.tables import tables_of

        fixture = self.fixture
        context = InitContext(
            source=fixture.source,
            target=fixture.target,
            alignment=fixture.alignment,
            target_ids=self.asked.copy(),
            roles=frozenset(tables_of(self.body).by_role),
            tables=FloatTables(fixture.tables),
            resources=Resources(self.uses, fixture.loaders),
            generator=torch.Generator().manual_seed(seed),
            memory_budget=BUDGET,
        )
        return dataclasses.replace(context, **changes)

    @property
    def uses(self) -> frozenset[Need]:
        """The needs that the strategy has access to."""
        return uses_of([self.strategy])

    @cached_property
    def planned(self) -> Planned:
        """The plan for the rows that core asks for, seed 0, from its declared needs alone; everything is watched."""
        tables = {role: table.clone() for role, table in self.fixture.tables.items()}
        loaders = {need: loader for need, loader in self.fixture.loaders.items() if need in self.uses}
        context = self.context(tables=FloatTables(tables), resources=Resources(self.uses, loaders))
        arrays = WatchedArrays(self.fixture, self.strategy.required_needs(), tables, context.target_ids)
        with global_randomness_kept():
            set_global_state(1)
            before = global_state()
            plan = self.strategy.plan(context)
            moved = global_state() != before
        return Planned(plan, tuple(arrays.put_back()), moved)

    @property
    def plan(self) -> Plan:
        """The plan for the rows that core asks for, seed 0."""
        return self.planned.plan

    @cached_property
    def built(self) -> Built:
        """The finished tables, seed 0, from the live model's own tables, in another global random state."""
        live = {role: table.detach() for role, table in self.fixture.model_tables.by_role.items()}
        before = {role: table.clone() for role, table in live.items()}
        used: set[Need] = set()
        resources = Resources(self.uses, noted(self.fixture.loaders, used))
        recorded = RecordedStrategy(self.strategy)
        with global_randomness_kept():
            set_global_state(2)
            context = self.context(tables=FloatTables(live), resources=resources)
            rows = build_rows([cast(Strategy, recorded)], context)
        changed = tuple(role for role, table in live.items() if not table.equal(before[role]))
        return Built(rows, recorded.last, frozenset(used), changed)

    @property
    def rows(self) -> Rows:
        """The finished tables, seed 0."""
        return self.built.rows

    @cached_property
    def extension(self) -> Rows:
        """The finished tables of the extended vocabulary; the fallback is the mean, so that it is convex too."""
        return build_rows([self.strategy], self.on(self.fixture.extended).context(), fallback="mean")

    @cached_property
    def prepared(self) -> PreparedGraft:
        """The rows for the model on disk."""
        folders = self.fixture.folders
        poor = folders.poor if Need.POOR_MODEL in self.strategy.needs else None
        # The context's budget: blocks of another size may round sums, and then what is stored, another way.
        settings = GraftSettings(memory_budget=ByteSize(BUDGET))
        return prepare_graft(
            folders.source_model,
            self.fixture.target,
            [self.strategy],
            self.fixture.loaders,
            poor=poor,
            settings=settings,
        )

    @cached_property
    def grafted(self) -> Grafted:
        """The grafted model, in memory."""
        return in_memory(self.prepared)

    @cached_property
    def saved(self) -> Path:
        """The grafted model's folder, written without the model in memory."""
        out = self.fixture.folders.root / f"grafted-{self.strategy.name}"
        write_graft(self.prepared, out, force=True, verified=False)
        return out

    @cached_property
    def reloaded(self) -> PreTrainedModel:
        """The grafted model, read back."""
        from lexigraft.core.models.loading import load_model

        return load_model(self.saved)


def parts(plan: Plan, roles: frozenset[Role]) -> Mapping[Role, Mix | Dense]:
    """A plan by role; a Mix serves every table."""
    if isinstance(plan, Mix):
        return dict.fromkeys(sorted(roles), plan)
    return {Role.INPUT: plan} if isinstance(plan, Dense) else plan


def dense_rows(part: Mix | Dense, table: torch.Tensor) -> torch.Tensor:
    """The rows of a part in float32, zero where it covers none."""
    import torch

    if isinstance(part, Mix):
        return combine(part, table)
    rows = part.rows.detach().float().clone()
    rows[torch.from_numpy(~covered_by(part))] = 0
    return rows


def materialized(trial: Trial, plan: Plan) -> dict[Role, torch.Tensor]:
    """The rows of a plan for every table of the trial's body."""
    ctx = trial.context()
    return {
        role: dense_rows(part, ctx.tables[role]) for role, part in parts(plan, ctx.roles).items() if role in ctx.tables
    }
