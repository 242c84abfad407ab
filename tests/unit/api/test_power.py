"""Power of a comparison from the spread of an earlier one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.commands import lexigraft
from fixtures.comparisons import RECIPE, made_cells, made_comparison, made_result, write_made
from fixtures.recipes import one_cell_recipe
from lexigraft.api.doctor.power import typical_difference
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.core.evaluation.item_store import items_file, save_items
from lexigraft.core.evaluation.scores import ItemScores

LINES = 100


def write_pilot(folder: Path) -> None:
    """Three strategies whose lines differ from the reference's by 0, and by draws of deviation 0.1 and 0.3."""
    cells = [cell for cell in made_cells((0,)) if cell.label in ("random", "mean", "focus", "poor")]
    save_comparison(folder, made_comparison(cells), RECIPE)
    spreads = {"random": 0.0, "mean": 0.1, "focus": 0.3, "poor": 0.0}
    for cell in cells:
        save_result(folder, made_result(cell))
        bits = 2.0 + np.random.default_rng(3).normal(0, 1, LINES) * spreads[cell.label]
        save_items(items_file(cell_folder(folder, cell), 400), {"bits_per_byte/heldout": ItemScores.of(bits)})


def test_the_median_spread_is_taken(tmp_path: Path) -> None:
    write_pilot(tmp_path)
    spread = typical_difference(tmp_path)
    draws = np.random.default_rng(3).normal(0, 1, LINES) * 0.1
    assert (spread.items, spread.seeds, spread.seed_variance) == (LINES, 1, 0)
    assert spread.item_variance == pytest.approx(draws.var(ddof=1) / LINES)


def test_the_doctor_says_what_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "pilot").mkdir()
    write_pilot(tmp_path / "pilot")
    recipe = one_cell_recipe(tmp_path)
    shown = lexigraft("doctor", recipe, "--pilot", tmp_path / "pilot").out
    assert "1 seed x" in shown
    assert "four times of five" in shown


def test_a_pilot_without_lines_is_refused(tmp_path: Path) -> None:
    write_made(tmp_path)
    with pytest.raises(LexigraftError, match="does not tell how its lines spread"):
        typical_difference(tmp_path)
    refused = lexigraft("doctor", "--pilot", tmp_path)
    assert refused.code == 2
    assert "a pilot is for a recipe" in refused.err
