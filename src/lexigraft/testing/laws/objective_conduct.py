"""Laws of what an objective makes of packed rows and of a model."""

from __future__ import annotations

import numpy as np

from lexigraft.core.training.objective import BESIDE
from lexigraft.core.utils.random_state import global_randomness_kept
from lexigraft.testing.law import Law, require
from lexigraft.testing.objective_trial import ROWS, ObjectiveTrial
from lexigraft.testing.random_state import global_state, set_global_state


def _prepared_is_a_copy(trial: ObjectiveTrial) -> None:
    require(trial.ready == trial.objective, "the prepared copy has other options")
    require(trial.objective.material is None, "prepared() changes the objective itself")


def _rows_have_an_order(trial: ObjectiveTrial) -> None:
    one, two = trial.packed(), trial.packed()
    require(np.array_equal(one.at(7, 3), two.at(7, 3)), "the row at a position is another one when packed again")


def _rows_are_shared(trial: ObjectiveTrial) -> None:
    wrong = [name for name, tensor in trial.first.items() if len(tensor) != ROWS]
    require(not wrong, f"{', '.join(wrong)} of a batch has not one row for each of {ROWS} sequences")


def _generator_is_all(trial: ObjectiveTrial) -> None:
    with global_randomness_kept():
        set_global_state(1)
        one = trial.batch()
        set_global_state(2)
        before = global_state()
        two = trial.batch()
        moved = global_state() != before
    differ = [name for name, tensor in one.items() if not tensor.equal(two[name])]
    require(not differ, f"{', '.join(differ)} of a batch depends on more than the generator's seed")
    require(not moved, "batch() draws from the global random state")


def _loss_is_a_mean(trial: ObjectiveTrial) -> None:
    trial.model.zero_grad()
    before = global_state()
    loss = trial.loss()
    require(loss.shape == (), f"the loss has the shape {tuple(loss.shape)}")
    require(bool(loss.isfinite()) and bool(loss > 0), f"the loss of an untrained model is {loss.item()}")
    loss.backward()
    require(global_state() == before, "loss() draws from the global random state")
    gradients = [p.grad for p in trial.model.parameters() if p.grad is not None]
    require(all(bool(g.isfinite().all()) for g in gradients), "a gradient is not finite")
    require(any(bool(g.any()) for g in gradients), "no gradient reaches the model")


def _nothing_is_left(trial: ObjectiveTrial) -> None:
    trial.loss()
    hooked = [name for name, m in trial.model.named_modules() if m._forward_hooks or m._forward_pre_hooks]
    require(not hooked, f"loss() leaves hooks in {', '.join(hooked[:3])}")


def _folding_can_be_undone(trial: ObjectiveTrial) -> None:
    trial.loss()
    before = {name: p.detach().clone() for name, p in trial.model.named_parameters()}
    for parameter in trial.model.get_submodule(BESIDE).parameters() if hasattr(trial.model, BESIDE) else ():
        parameter.data += 1
    former = trial.ready.fold(trial.model)
    unnamed = [
        name
        for name, p in trial.model.named_parameters()
        if not name.startswith(f"{BESIDE}.") and not former.get(name, p).equal(before[name])
    ]
    require(not unnamed, f"fold() does not give back {', '.join(unnamed[:3])} as it was")


def _shares_add_up(trial: ObjectiveTrial) -> None:
    shares = ({key: tensor[part] for key, tensor in trial.first.items()} for part in (slice(2), slice(2, ROWS)))
    counts = [trial.ready.predicted(share) for share in shares]
    whole = trial.ready.predicted(trial.first)
    require(sum(counts) == whole > 0, f"parts of a batch predict {counts} tokens, the whole {whole}")


LAWS = tuple(
    Law(name, "conduct", check)
    for name, check in {
        "a prepared copy has the same options": _prepared_is_a_copy,
        "rows have an order": _rows_have_an_order,
        "a batch has a row for each sequence": _rows_are_shared,
        "a batch depends on the generator alone": _generator_is_all,
        "the loss is a mean that gradients flow from": _loss_is_a_mean,
        "nothing is left in the model": _nothing_is_left,
        "folding can be undone": _folding_can_be_undone,
        "the predicted tokens of shares add up": _shares_add_up,
    }.items()
)
