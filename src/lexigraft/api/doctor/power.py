"""Power of a comparison before it runs, from the spread of an earlier one."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from lexigraft.api.doctor.findings import Findings
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.evaluation.statistics.power import in_words, sizes_that_tell
from lexigraft.report.data import read_report
from lexigraft.report.remarks import WANTED


def report_power(findings: Findings, recipe: CompareSettings, pilot: Path) -> None:
    """Report the difference that a recipe's seeds and held-out lines find in four of five repetitions.

    Args:
        findings: Where it goes.
        recipe: The recipe.
        pilot: The folder of an earlier comparison on such text.
    """
    if (spread := findings.try_(lambda: typical_difference(pilot))) is None:
        return
    seeds, lines = len(recipe.seeds), recipe.corpus.heldout_lines
    if seeds > 1 and spread.seeds == 1:
        findings.note(f"{pilot} has one seed: what seeds add to the spread is not known")
    told = spread.with_size(lines, seeds).detectable
    findings.good(
        f"power: by the spread of {pilot.name}, {seeds} seeds x {lines:,} held-out lines tell two strategies apart by "
        f"{told:.3f} bits per byte, four times of five (before correction for many tests)"
    )
    if spread.seeds == 2:
        findings.note(f"{pilot} has two seeds: what seeds add to the spread is a guess from two values")
    sizes = in_words(sizes_that_tell(spread, WANTED), WANTED, "held-out lines")
    findings.good(f"power, with {WANTED:g} as an example: {sizes}")


def typical_difference(pilot: Path) -> Difference:
    """A difference with the median spread of a comparison's strategies against its reference.

    Args:
        pilot: The comparison's folder.

    Raises:
        LexigraftError: It is no comparison, or has no reference or no outcomes of single lines.
    """
    found = [one for one in read_report(pilot).target.against.values() if one.items > 1]
    if not found:
        hint = "Take a comparison with a reference whose cells kept their items"
        raise LexigraftError("this comparison does not tell how its lines spread", pilot, hint)
    items, seeds = found[0].items, found[0].seeds
    of_items = median(one.with_size(items, seeds).item_variance for one in found)
    return Difference(0.0, items, seeds, of_items, median(one.with_size(items, seeds).seed_variance for one in found))
