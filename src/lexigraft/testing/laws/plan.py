"""Laws of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.grafting.plan import Dense, Mix, Plan
from lexigraft.core.grafting.rows import covered_by
from lexigraft.core.grafting.strategy import Body
from lexigraft.core.models.tables import Role
from lexigraft.testing.law import Law, require, skip_unless
from lexigraft.testing.trial import Trial, dense_rows, parts

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4


def _parts(trial: Trial, plan: Plan | None = None) -> Iterator[tuple[Role, Mix | Dense]]:
    yield from parts(trial.plan if plan is None else plan, trial.context().roles).items()


def _rows_asked_are_rows_returned(trial: Trial) -> None:
    require(isinstance(trial.plan, Mix | Dense | dict), f"plan() returned a {type(trial.plan).__name__}")
    planned = {role for role, _ in _parts(trial)}
    missing = trial.context().roles - planned
    require(not missing, f"no plan for {', '.join(sorted(missing))}")
    masks = []
    for role, part in _parts(trial):
        require(len(part) == len(trial.asked), f"{role}: {len(part)} rows for {len(trial.asked)} asked")
        if isinstance(part, Dense):
            width = (
                trial.context().tables[Role(role)].shape[1:]
                if trial.strategy.body is Body.SOURCE
                else part.rows.shape[1:]
            )
            require(
                part.rows.shape[1:] == width, f"{role}: rows of shape {tuple(part.rows.shape[1:])}, not {tuple(width)}"
            )
        mask = covered_by(part)
        require(
            mask.dtype == np.bool_ and mask.shape == (len(trial.asked),),
            f"{role}: covered is {mask.dtype} {mask.shape}",
        )
        masks.append(mask)
    require(all(np.array_equal(masks[0], m) for m in masks), "different tables cover different rows")


def _source_ids_are_in_range(trial: Trial) -> None:
    mixes = [p for _, p in _parts(trial) if isinstance(p, Mix)]
    mixes += [p.mix for _, p in _parts(trial) if isinstance(p, Dense) and p.mix is not None]
    skip_unless(bool(mixes), "the plan names no source rows")
    for mix in mixes:
        require(mix.indptr[0] == 0 and bool((np.diff(mix.indptr) >= 0).all()), "row pointers do not ascend from 0")
        require(mix.indptr[-1] == len(mix.indices) == len(mix.weights), "row pointers, ids and weights disagree")
        if len(mix.indices):
            low, high = int(mix.indices.min()), int(mix.indices.max())
            require(
                low >= 0 and high < trial.fixture.source.size, f"ids {low} to {high} of {trial.fixture.source.size}"
            )


def _values_are_finite(trial: Trial) -> None:
    for role, part in _parts(trial):
        if isinstance(part, Mix):
            require(bool(np.isfinite(part.weights).all()), f"{role}: weights are not finite")
        else:
            require(bool(part.rows[covered_by(part)].isfinite().all()), f"{role}: rows are not finite")


def _no_covered_row_is_zero(trial: Trial) -> None:
    """A control that claims zero rows has nothing else."""
    control = trial.strategy.zero_rows
    for role, part in _parts(trial):
        if role == Role.BIAS or (isinstance(part, Mix) and role not in trial.fixture.tables):
            continue
        table = trial.fixture.tables.get(Role(role), trial.fixture.tables[Role.INPUT])
        zero = (dense_rows(part, table)[covered_by(part)] == 0).all(dim=1)
        require(bool(zero.all()) or not control, f"{role}: {int((~zero).sum())} rows are not the zeros it claims")
        require(
            not bool(zero.any()) or control,
            f"{role}: {int(zero.sum())} covered rows are zero; leave them uncovered instead",
        )


def _single_precision(trial: Trial) -> None:
    import torch

    for role, part in _parts(trial):
        if isinstance(part, Dense):
            require(part.rows.dtype == torch.float32, f"{role}: rows are {part.rows.dtype}")
        mix = part if isinstance(part, Mix) else part.mix
        if mix is not None:
            require(mix.weights.dtype == np.float32, f"{role}: weights are {mix.weights.dtype}")
            require(
                mix.indices.dtype == np.int32 and mix.indptr.dtype == np.int64, f"{role}: ids are {mix.indices.dtype}"
            )


def _convex_where_claimed(trial: Trial) -> None:
    skip_unless(trial.strategy.convex, "the strategy does not claim convex rows")
    for role, part in _parts(trial):
        if isinstance(part, Mix):
            require(bool((part.weights >= 0).all()), f"{role}: {int((part.weights < 0).sum())} weights are negative")
            sums = np.add.reduceat(np.append(part.weights, 0), part.indptr[:-1])[part.covered]
            off = int((np.abs(sums - 1) >= TOLERANCE).sum())
            require(off == 0, f"{role}: the weights of {off} rows do not sum to 1")
        else:
            table = trial.fixture.tables[Role(role)][: trial.fixture.source.size]
            require(_inside(part.rows[covered_by(part)], table), f"{role}: rows leave the source table's range")


def _inside(rows: torch.Tensor, table: torch.Tensor) -> bool:
    low, high = table.min(0).values - TOLERANCE, table.max(0).values + TOLERANCE
    return bool(((rows >= low) & (rows <= high)).all())


def _nothing_asked_nothing_returned(trial: Trial) -> None:
    plan = trial.strategy.plan(trial.context(target_ids=np.zeros(0, np.int64)))
    for role, part in _parts(trial, plan):
        require(len(part) == 0, f"{role}: {len(part)} rows for none asked")


LAWS = tuple(
    Law(name, "plan", check)
    for name, check in {
        "rows asked are rows returned": _rows_asked_are_rows_returned,
        "source ids are in range": _source_ids_are_in_range,
        "values are finite": _values_are_finite,
        "no covered row is zero": _no_covered_row_is_zero,
        "plans are float32": _single_precision,
        "rows are convex where claimed": _convex_where_claimed,
        "nothing asked, nothing returned": _nothing_asked_nothing_returned,
    }.items()
)
