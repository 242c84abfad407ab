"""Laws of determinism: seeded plans in the order asked; inputs and the global random state stay as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan
from lexigraft.core.grafting.resources import Compass, Donor, PoorModel, Resources, StaticVectors, WordVectors
from lexigraft.core.grafting.rows import build_rows, covered_by
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.utils.random_state import global_randomness_kept
from lexigraft.testing.law import Law, LawBroken, NotApplicable, require, skip_unless
from lexigraft.testing.random_state import global_state, set_global_state
from lexigraft.testing.trial import BUDGET, SMALL_BUDGET, Trial, materialized, parts

if TYPE_CHECKING:
    import torch

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
    with global_randomness_kept():
        set_global_state(1)
        first = trial.strategy.plan(trial.context(seed=5))
        set_global_state(2)
        second = trial.strategy.plan(trial.context(seed=5))
    require(_equal(trial, first, second), "the same seed gave two plans under two global random states")


def _global_random_state_untouched(trial: Trial) -> None:
    with global_randomness_kept():
        before = global_state()
        trial.strategy.plan(trial.context())
        require(global_state() == before, "the global random state moved; draw from ctx.generator")


def _contents(trial: Trial, tables: dict[Role, torch.Tensor], ids: Any) -> dict[str, Any]:
    fixture = trial.fixture
    contents: dict[str, Any] = {f"table {role}": table.numpy() for role, table in tables.items()}
    contents |= {
        "target_ids": ids,
        "alignment": fixture.alignment.source_ids,
        "match rules": fixture.alignment.rule_ids,
    }
    for side, vocabulary in (("source", fixture.source), ("target", fixture.target)):
        surfaces = vocabulary.surfaces
        contents |= {f"{side} {k}": getattr(surfaces, k) for k in ("starts", "ends", "isolated", "kinds")}
    for need in sorted(trial.strategy.required_needs()):
        value = fixture.loaders[need]()
        if isinstance(value, StaticVectors):
            contents |= {"target vectors": value.vectors.numpy(), "present": value.present}
        elif isinstance(value, PoorModel):
            contents |= {f"poor {role}": table.numpy() for role, table in value.tables.items()} | {
                "counts": value.counts
            }
        elif isinstance(value, Donor):
            contents |= {f"donor {role}": table.numpy() for role, table in value.tables.items()}
        elif isinstance(value, WordVectors):
            contents |= {"source words": value.source.vectors.numpy(), "target words": value.target.vectors.numpy()}
        elif isinstance(value, Compass):
            contents |= {
                "compass, source": value.source.vectors.numpy(),
                "compass, target": value.target.vectors.numpy(),
            }
        elif need == Need.MODEL:
            contents |= {f"model {name}": _bits(p) for name, p in value.named_parameters()}
    return contents


def _bits(parameter: torch.Tensor) -> Any:
    import torch

    raw = parameter.detach()
    return (raw.view(torch.int16) if raw.dtype == torch.bfloat16 else raw).numpy()


def _inputs_are_not_mutated(trial: Trial) -> None:
    tables = {role: table.clone() for role, table in trial.fixture.tables.items()}
    ids = trial.asked.copy()
    watched = _contents(trial, tables, ids)
    before = {name: array.copy() for name, array in watched.items()}
    context = trial.context(
        tables=FloatTables(tables),
        target_ids=ids,
        resources=Resources(trial.strategy.required_needs(), trial.fixture.loaders),
    )
    trial.strategy.plan(context)
    changed = [name for name, array in watched.items() if not np.array_equal(array, before[name])]
    for name in changed:
        watched[name][...] = before[name]
    require(not changed, f"written into: {', '.join(changed)}")


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
        "permuting target ids permutes rows": _permuting_ids_permutes_rows,
        "same rows for any memory budget": _same_rows_for_any_memory_budget,
    }.items()
)
