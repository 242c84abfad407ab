"""Step 0 of arms that adapt the same graft: measured once, with the figures of a cell that measures by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fixtures.recipes import one_cell_recipe
from lexigraft.api.compare import cell_evaluation
from lexigraft.api.compare.run import compare
from lexigraft.core.evaluation.cells.cell import CellResult
from lexigraft.core.evaluation.cells.cell_store import cell_folder, load_comparison, load_results
from lexigraft.core.evaluation.item_store import items_file, load_items

pytestmark = pytest.mark.slow
ARMS = {"slow": {"learning_rate": 0.0001}, "fast": {"learning_rate": 0.1}}
STEPS = {"steps": 2, "probe_step": 2, "batch_tokens": 64, "sequence_length": 32}


def compared(folder: Path, out: Path, **changes: Any) -> dict[str, CellResult]:
    recipe = one_cell_recipe(folder, adaptation=STEPS, tracking={"enabled": False}, **changes)
    compare(recipe, out)
    return {result.cell.label: result for result in load_results(out, load_comparison(out))}


def start(result: CellResult) -> dict[str, float]:
    return {score.metric: score.value for score in result.scores if score.step == 0}


def test_arms_share_step_0_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: Counter[bool] = Counter()
    measure = cell_evaluation.measure

    def counted(*arguments: Any) -> Any:
        found = measure(*arguments)
        taken["bits_per_byte/heldout" in found.figures] += 1
        return found

    monkeypatch.setattr(cell_evaluation, "measure", counted)
    found = compared(tmp_path, tmp_path / "out", arms=ARMS, strategies=["random", "mean"])
    assert taken[True] == 4 + 2, "each of four cells at its end, each of two grafts once before"
    alone = compared(tmp_path, tmp_path / "alone", strategies=["random"])
    for arm in ARMS:
        assert start(found[f"random, {arm}"]) == start(alone["random"]) != start(found[f"mean, {arm}"])
        items = [
            load_items(items_file(cell_folder(out, result.cell), 0))
            for out, result in ((tmp_path / "out", found[f"random, {arm}"]), (tmp_path / "alone", alone["random"]))
        ]
        assert items[0].keys() == items[1].keys()
        for name, one in items[0].items():
            assert one.numerators.tolist() == items[1][name].numerators.tolist()
    ends = {label: result.value("bits_per_byte/heldout", 2) for label, result in found.items()}
    assert len({ends["random, slow"], ends["random, fast"]}) == 2


def test_another_measurement_in_the_same_folder_is_not_shared(tmp_path: Path) -> None:
    first = compared(tmp_path, tmp_path / "out", arms=ARMS)
    other = {"evaluation": {"options": {"bits_per_byte": {"within_word": "whole"}}, "max_lines": 2}}
    second = compared(tmp_path, tmp_path / "out", arms=ARMS, **other)
    assert start(first["random, slow"]) != start(second["random, slow"]) == start(second["random, fast"])
    for damaged in (tmp_path / "out" / "prepared" / "start").glob("*.json"):
        damaged.write_text("{")
    again = compared(tmp_path, tmp_path / "out", arms={"slow": {"learning_rate": 0.0002}, "fast": {}}, **other)
    assert start(again["random, slow"]) == start(second["random, slow"])
