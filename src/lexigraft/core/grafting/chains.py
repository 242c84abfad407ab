"""Chains of strategies."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, how_to_meet
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.rows import covered_by, plans_by_role
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy, needs_of, uses_of
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import PluginSpec, make

if TYPE_CHECKING:
    import torch


def named_specs(names: str) -> list[PluginSpec]:
    """The strategies of ``"focus"``, ``"focus,subword_mean"`` or ``"ramen[align=dictionary],mean"``.

    Fields that are not named have their defaults.
    """
    return [_named_spec(name.strip()) for name in re.split(r",(?![^\[]*\])", names) if name.strip()]


def _named_spec(name: str) -> PluginSpec:
    found = re.fullmatch(r"([^\[\]]+)\[(.+)\]", name)
    if found is None:
        return name, {}
    fields = (pair.partition("=") for pair in found[2].split(","))
    return found[1].strip(), {key.strip(): value.strip() for key, _, value in fields}


def named_chain(names: str) -> list[Strategy]:
    """Strategies from their names as :func:`named_specs` reads them.

    Raises:
        LexigraftError: An unknown strategy, or a field that it cannot take.
        ValueError: No name, or one that keeps another body than the source's.
    """
    chain: list[Strategy] = [make("strategy", name, dict(fields)) for name, fields in named_specs(names)]
    if not chain:
        raise ValueError("name at least one strategy to start from")
    if other := [s.name for s in chain if s.body is not Body.SOURCE]:
        raise ValueError(f"cannot start from {', '.join(other)}: it keeps the poor model's body")
    return chain


def named_needs(names: str) -> frozenset[Need]:
    """What the named strategies need."""
    return needs_of(named_chain(names))


def usable(names: Sequence[str], asking: Strategy, ctx: InitContext) -> list[str]:
    """Those of several named chains whose needs are met here; a note says which are not.

    Args:
        names: Each as :func:`named_specs` reads it.
        asking: The strategy that would use them; its optional needs are theirs.
        ctx: Its context.

    Raises:
        LexigraftError: None of them can run.
    """
    missing = {one: ctx.resources.missing(named_needs(one)) for one in names}
    if out := [f"{one} ({', '.join(needs)})" for one, needs in missing.items() if needs]:
        ctx.journal.note(f"{asking.name} left out what lacks an input: {', '.join(out)}")
    able = [one for one, needs in missing.items() if not needs]
    if not able:
        hint = how_to_meet(sorted(asking.optional_needs()))
        raise LexigraftError(f"{asking.name} can use none of its strategies", ", ".join(names), hint)
    return able


PositionedPart = tuple[npt.NDArray[np.int64], Mix | Dense]
"""Positions among the rows asked for, ascending, and the part of a plan for them."""


def plan_of_chain(chain: Sequence[Strategy], ctx: InitContext) -> Plan:
    """One plan for a whole chain: what :func:`lexigraft.core.grafting.rows.build_rows` would ask of it, merged.

    Each strategy is asked for the rows that the ones before it left uncovered; strategies of ``Scope.NEW`` for
    unmatched tokens only, so the delegating strategy must be of ``Scope.ALL`` where a chain re-estimates matched rows.
    Merging draws nothing from the generator.

    Args:
        chain: Strategies of the source's body.
        ctx: The context that names the rows asked for; its resources must meet the chain's needs.

    Returns:
        A Mix where every strategy returned one, else one part for each role.
    """
    unmatched = ctx.alignment.source_ids[ctx.target_ids] < 0
    open_rows = np.ones(len(ctx.target_ids), np.bool_)
    plans: list[tuple[npt.NDArray[np.int64], Plan]] = []
    for strategy in chain:
        positions = np.flatnonzero(open_rows & unmatched if strategy.scope is Scope.NEW else open_rows)
        if len(positions):
            resources = ctx.resources.restricted_to(uses_of([strategy]))
            plan = strategy.plan(dataclasses.replace(ctx, target_ids=ctx.target_ids[positions], resources=resources))
            plans.append((positions, plan))
            open_rows[positions[covered_by(plans_by_role(strategy, plan, ctx.roles)[Role.INPUT])]] = False
    mixes = [(positions, plan) for positions, plan in plans if isinstance(plan, Mix)]
    if len(mixes) == len(plans):
        return _merged_mix(mixes, len(ctx.target_ids))
    return {
        role: _merged(
            [(positions, plans_by_role(chain[0], plan, ctx.roles)[role]) for positions, plan in plans],
            ctx.table(role),
            len(ctx.target_ids),
        )
        for role in sorted(ctx.roles)
    }


def _merged_mix(parts: Sequence[tuple[npt.NDArray[np.int64], Mix]], asked: int) -> Mix:
    rows: list[tuple[list[int], list[float]]] = [([], [])] * asked
    for positions, mix in parts:
        for n in np.flatnonzero(mix.covered).tolist():
            ids, weights = mix.row(n)
            rows[int(positions[n])] = (ids.tolist(), weights.tolist())
    return Mix.from_rows(rows)


def _merged(parts: Sequence[PositionedPart], table: torch.Tensor, asked: int) -> Dense:
    import torch

    rows, covered = torch.zeros(asked, *table.shape[1:]), np.zeros(asked, np.bool_)
    for positions, part in parts:
        here = covered_by(part)
        values = combine(part, table) if isinstance(part, Mix) else part.rows.float()
        rows[torch.from_numpy(positions[here])] = values[torch.from_numpy(here)]
        covered[positions[here]] = True
    mixes = [(positions, part if isinstance(part, Mix) else part.mix) for positions, part in parts]
    return Dense(rows, covered, _merged_mix([(positions, mix) for positions, mix in mixes if mix is not None], asked))
