"""Tables of what `tema_regime.py` measured."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.evaluation.token_groups import FREQUENCIES
from lexigraft.report.formats import NOTHING, interval

sys.path.extend([str(Path(__file__).resolve().parents[1])])
from strategies.tema_regime_arms import PLACEMENTS

ADAPTATION = 50
POOR, LEVELED, ADAPTED = "poor model", "; mean logits kept", f"; {ADAPTATION} steps later"
METRICS = {
    "all text": "bits_per_byte",
    **{f"seen {name}": f"bits_per_byte_seen_{name}" for name in FREQUENCIES},
    "moved rows": "bits_per_byte_moved",
    "entities, F1": "f1",
}

Figures = dict[str, dict[str, float]]
"""Figures by arm and name."""


def print_table(seeds: Sequence[Figures]) -> None:
    """The poor model's figures, each arm's difference to them, and TEMA's to other placements, with 95% intervals."""
    metrics = {title: name for title, name in METRICS.items() if name in seeds[0][POOR]}
    print(f"| arm | rows | {' | '.join(metrics)} |\n|---|--:|{'--:|' * len(metrics)}")

    def line(title: str, arm: str, base: str | None) -> None:
        rows = np.mean([seed[arm]["rows"] for seed in seeds])
        cells = (_cell(seeds, name, arm, base) for name in metrics.values())
        print(f"| {title} | {rows:,.0f} | {' | '.join(cells)} |")

    for arm in seeds[0]:
        unchanged = POOR + ADAPTED * arm.endswith(ADAPTED)
        line(arm, arm, None if arm == unchanged else unchanged)
    for placement in list(PLACEMENTS)[1:]:
        for when in (when for when in ("", LEVELED, ADAPTED) if placement + when in seeds[0]):
            line(f"tema less {placement.partition(': ')[2]}{when}", f"tema{when}", placement + when)


def _cell(seeds: Sequence[Figures], name: str, arm: str, base: str | None) -> str:
    """A figure of an arm, or its difference to another arm's."""
    if any(name not in seeds[0][one] for one in (arm, base) if one):
        return NOTHING
    found = interval(estimate([seed[arm][name] - (seed[base][name] if base else 0.0) for seed in seeds]))
    return f"+{found}" if base and not found.startswith("-") else found
