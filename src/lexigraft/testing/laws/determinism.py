"""Laws of seeds, order and inputs that stay as they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from lexigraft.core.grafting.plan import Dense, Mix, Plan
from lexigraft.core.grafting.rows import build_rows, covered_by
from lexigraft.testing.law import Law, LawBroken, NotApplicable, require, skip_unless
from lexigraft.testing.trial import BUDGET, SMALL_BUDGET, Trial, materialized, parts

TOLERANCE = 1e-5


def _arrays(part: Mix | Dense) -> list[Any]:
    return [part.indptr, part.indices, part.weights] if isinstance(part, Mix) else [part.rows.numpy(), covered_by(part)]


def _equal(trial: Trial, first: Plan, second: Plan) -> bool:
    roles = trial.context().roles
    one, two = parts(first, roles), parts(second, roles)
    return one.keys() == two.keys() and all(
        type(one[r]) is type(two[r]) and all(map(np.array_equal, _arrays(one[r]), _arrays(two[r]))) for r in one
    )


def _same_seed_same_plan(trial: Trial) -> None:
    again = trial.built.plan
    same = again is None or _equal(trial, trial.plan, again)
    require(same, "the same seed gave two plans under two global random states")


def _global_random_state_untouched(trial: Trial) -> None:
    require(not trial.planned.random_state_moved, "the global random state moved; draw from ctx.generator")


def _inputs_are_not_mutated(trial: Trial) -> None:
    require(not trial.planned.written, f"written into: {', '.join(trial.planned.written)}")


def _the_source_stays(trial: Trial) -> None:
    """Planning and building rows read a live model's own tables and must not change them."""
    changed = ", ".join(trial.built.changed)
    require(not changed, f"tables of the source model changed: {changed}")


def _permuting_ids_permutes_rows(trial: Trial) -> None:
    """Random rows follow the order of the ids asked for, not the id: for them only the coverage is compared."""
    import torch

    skip_unless(len(trial.asked) > 1, "fewer than two rows are asked for")
    order = np.random.default_rng(3).permutation(len(trial.asked))
    shuffled = trial.strategy.plan(trial.context(target_ids=trial.asked[order]))
    roles = trial.context().roles
    first, second = parts(trial.plan, roles), parts(shuffled, roles)
    for role in first:
        before, after = covered_by(first[role]), covered_by(second[role])
        require(np.array_equal(before[order], after), f"{role}: other rows are covered")
    one, two = materialized(trial, trial.plan), materialized(trial, shuffled)
    gaps = {role: float((one[role][torch.from_numpy(order)] - two[role]).abs().max()) for role in one}
    if all(gap < TOLERANCE for gap in gaps.values()):
        return
    if not _equal(trial, trial.plan, trial.strategy.plan(trial.context(seed=1))):
        raise NotApplicable("rows are drawn in the order of asking; only their coverage was compared")
    raise LawBroken(f"rows do not follow the ids asked for (largest gap by table: {gaps})")


def _same_rows_for_any_memory_budget(trial: Trial) -> None:
    """Blocks of another size may round a sum in another way; they change nothing else."""
    import torch

    tight = build_rows([trial.strategy], trial.context(memory_budget=SMALL_BUDGET)).tables
    for role, table in trial.rows.tables.items():
        near = table.shape == tight[role].shape and torch.allclose(table, tight[role], rtol=TOLERANCE, atol=TOLERANCE)
        require(near, f"{role}: a memory budget of {SMALL_BUDGET:,} bytes gives other rows than one of {BUDGET:,}")


LAWS = tuple(
    Law(name, "conduct", check)
    for name, check in {
        "same seed, same plan": _same_seed_same_plan,
        "the global random state is untouched": _global_random_state_untouched,
        "inputs are not mutated": _inputs_are_not_mutated,
        "the source model stays as it was": _the_source_stays,
        "permuting target ids permutes rows": _permuting_ids_permutes_rows,
        "same rows for any memory budget": _same_rows_for_any_memory_budget,
    }.items()
)
