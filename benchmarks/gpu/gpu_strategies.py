"""Every strategy on a device and on processors: the same rows?"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import discover
from lexigraft.testing.contract import cached_fixture
from lexigraft.testing.trial import Trial, materialized

FIXTURES = ("roberta-tied-bias", "llama-untied")
BOUND, BOUND_LEARNED = 1e-3, 5e-2


def compare_strategies(device: str) -> int:
    """Print a line for each strategy and model; how many differ by more than the bound."""
    broken = 0
    for name, plugin in discover("strategy").items():
        for fixture in FIXTURES:
            trial = Trial(plugin, plugin.cls(), cached_fixture(fixture))
            if trial.unmet:
                print(f"none   {name} on {fixture}: no made input for {', '.join(trial.unmet)}")
                continue
            try:
                here, there = (_rows(trial, d) for d in ("cpu", device))
            except LexigraftError as refusal:
                print(f"none   {name} on {fixture}: {refusal}")
                continue
            bound = BOUND_LEARNED if Need.MODEL in trial.strategy.required_needs() else BOUND
            difference = _difference(here, there)
            broken += not difference <= bound
            print(f"{'ok' if difference <= bound else 'BROKEN':7}{name} on {fixture}: differ by {difference:.1e}")
    return broken


def _rows(trial: Trial, device: str) -> Mapping[Role, torch.Tensor]:
    made = trial.strategy.plan(trial.context(device=device))
    return {role: rows.cpu() for role, rows in materialized(trial, made).items()}


def _difference(here: Mapping[Role, torch.Tensor], there: Mapping[Role, torch.Tensor]) -> float:
    """The largest, over the tables, of the norm of the difference as a share of the norm."""
    assert here.keys() == there.keys()
    return max(float((here[r] - there[r]).norm() / here[r].norm().clamp(min=1e-12)) for r in here)
