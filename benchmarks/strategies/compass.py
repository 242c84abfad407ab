"""The compass against FOCUS on one language: which anchors, and which settings of the compass, lower bits per byte.

    LEXIGRAFT_DATA=… LEXIGRAFT_MODELS=… python benchmarks/strategies/compass.py RECIPE.yaml FOLDER [main | settings]

Runs the recipe with its budget and seeds but with these strategies only: `random`; `focus`, whose space holds target
tokens alone, so that only shared tokens are anchors; `compass` with shared anchors, to see what the other space does;
`compass` with every source token of the text for an anchor; the same with flatter weights; and the same with FOCUS for
the tokens that are too rare for it. Then (`settings`) `compass` with settings changed: how rare a token may be; a wide
window without the word that a token stands in. Prints both tables: means over the seeds ± half of the 95% interval, the
paired difference to the row named, how many source rows a covered row is mixed of, and of how many in all. Finished
cells are kept in FOLDER and not run again.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from lexigraft.api.compare.run import compare
from lexigraft.core.evaluation.cells.cell import CellResult
from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.grafting.folder import read_provenance
from lexigraft.core.methods.compass import CompassSettings
from lexigraft.core.methods.compass_cache import cached_compass
from lexigraft.report.formats import interval

STRATEGIES: list[Any] = [
    "random",
    "focus",
    {"name": "compass", "label": "compass, anchors: shared", "anchors": "shared"},
    "compass",
    {"name": "compass", "label": "compass, temperature: 2", "temperature": 2.0},
    {"chain": ["compass", "focus"], "label": "compass+focus"},
]
TEXTS = ("heldout", "flores")
"""The recipe's texts in the target language: of the training text's kind, and of another."""
CHANGES: list[dict[str, Any]] = [{"min_count": 1}, {"window": 5, "own_word": False}]
"""Of `CompassSettings`."""


class Measured(NamedTuple):
    """A finished cell; how many source rows one covered row is mixed of, on average, and how many all of them use."""

    result: CellResult
    mixed: float
    used: int


def main(recipe: str, folder: str, part: str = "") -> int:
    """Print the tables; 2 for a part that there is not."""
    if part not in ("", "main", "settings"):
        print(__doc__, file=sys.stderr)
        return 2
    found = _run(recipe, Path(folder) / "main", STRATEGIES)
    if part != "settings":
        _print("strategy", found, "focus")
    if part == "main":
        return 0
    settings = {"as it is": found["compass"]}
    for change in CHANGES:
        name = ", ".join(f"{name} {value}" for name, value in change.items())
        changed = partial(cached_compass, settings=CompassSettings(**change))
        with patch("lexigraft.api.needs.compass.cached_compass", changed):
            settings[name] = _run(recipe, Path(folder) / name, ["compass"])["compass"]
    _print("compass", settings, "as it is")
    return 0


def _run(recipe: str, folder: Path, strategies: list[Any]) -> dict[str, list[Measured]]:
    """A comparison in this process, which patched settings do not leave, without what these strategies do not need."""
    narrowed = {"strategies": strategies, "reference": None, "poor_model": None, "donor": None, "dictionary": None}
    compared = compare(recipe, folder, overrides={**narrowed, "tracking.enabled": False}, progress=_tell)
    found: dict[str, list[Measured]] = {}
    for result in compared.results:
        found.setdefault(result.cell.label, []).append(_measured(result, folder / "cells"))
    return found


def _tell(message: str, done: int, total: int) -> None:
    print(f"{done}/{total} {message}", file=sys.stderr, flush=True)


def _measured(result: CellResult, cells: Path) -> Measured:
    rows = read_provenance(cells / result.cell.folder)
    made_by = str(result.cell.parameters["strategy"]).split("+")
    mixtures = [ids for rule, ids in zip(rows["rule"], rows["source_ids"], strict=True) if rule in made_by]
    return Measured(result, sum(map(len, mixtures)) / max(1, len(mixtures)), len({i for ids in mixtures for i in ids}))


def _print(title: str, found: dict[str, list[Measured]], reference: str) -> None:
    texts = " | ".join(f"{text} | minus {reference}" for text in TEXTS)
    starts = " | ".join(f"{text}, step 0" for text in TEXTS)
    columns = 3 * len(TEXTS) + 3
    print(f"\n| {title} | {texts} | {starts} | covered | rows mixed | of |\n|---|{'--:|' * columns}")
    for label, cells in found.items():
        figures: list[str] = []
        for text in TEXTS:
            ours, base = _bits(cells, text), _bits(found[reference], text)
            apart = interval(estimate([ours[seed] - base[seed] for seed in ours])) if label != reference else "–"
            figures += [interval(estimate(list(ours.values()))), apart]
        figures += [f"{estimate(list(_bits(cells, text, 0).values())).mean:.3f}" for text in TEXTS]
        covered = sum(m.result.coverage["covered"] / m.result.coverage["new"] for m in cells) / len(cells)
        mixed, used = (sum(values) / len(cells) for values in zip(*((m.mixed, m.used) for m in cells), strict=True))
        print(f"| {label} | {' | '.join(figures)} | {covered:.0%} | {mixed:.0f} | {used:,.0f} |", flush=True)


def _bits(cells: list[Measured], text: str, step: int | None = None) -> dict[int, float]:
    found = {m.result.cell.seed: m.result.value(f"bits_per_byte/{text}", step) for m in cells}
    return {seed: value for seed, value in found.items() if value is not None}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
