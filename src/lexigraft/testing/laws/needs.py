"""Laws of a strategy's needs."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import need_specs
from lexigraft.core.grafting.pipeline import graft_model
from lexigraft.core.grafting.resources import Resources
from lexigraft.core.grafting.rows import build_rows
from lexigraft.testing.law import Law, LawBroken, require, skip_unless
from lexigraft.testing.trial import Trial


def _declared_needs_suffice(trial: Trial) -> None:
    required = trial.strategy.required_needs()
    if trial.uses == required:
        _ = trial.plan  # it is made from these needs alone
        return
    loaders = {need: trial.fixture.loaders[need] for need in required}
    trial.strategy.plan(trial.context(resources=Resources(required, loaders)))


def _every_need_is_used(trial: Trial) -> None:
    needs = trial.strategy.required_needs()
    skip_unless(bool(needs), "the strategy needs nothing")
    unused = sorted(needs - trial.built.used)
    require(not unused, f"declared and never asked for: {', '.join(unused)}")


def _missing_need_is_refused_before_weights_load(trial: Trial) -> None:
    needs = sorted(need for need in trial.strategy.required_needs() if not need_specs()[need].by_graft)
    skip_unless(bool(needs), "the strategy needs nothing that a user supplies")
    for need in needs:
        loaders = {n: loader for n, loader in trial.fixture.loaders.items() if n != need}
        try:
            graft_model(trial.fixture.folders.unreadable, trial.fixture.target, [trial.strategy], loaders)
        except LexigraftError as refusal:
            require(need in str(refusal), f"without {need} the refusal says: {refusal}")
        else:
            raise LawBroken(f"without {need} the graft went on")


def _undeclared_access_is_refused(trial: Trial) -> None:
    """A strategy that is given nothing must not reach anything, even where core could supply it."""
    needs = trial.strategy.required_needs()
    skip_unless(bool(needs), "the strategy needs nothing, so every access is undeclared: see 'declared needs suffice'")
    for need in sorted(needs):
        resources = Resources(needs - {need}, trial.fixture.loaders)
        context = trial.context(resources=resources)
        try:
            build_rows([trial.strategy], context)
            trial.strategy.plan(context)
        except LexigraftError as refusal:
            require(need in str(refusal), f"with {need} taken away the refusal says: {refusal}")


LAWS = tuple(
    Law(name, "needs", check)
    for name, check in {
        "declared needs suffice": _declared_needs_suffice,
        "every declared need is used": _every_need_is_used,
        "undeclared access is refused": _undeclared_access_is_refused,
        "a missing need is refused before weights load": _missing_need_is_refused_before_weights_load,
    }.items()
)
