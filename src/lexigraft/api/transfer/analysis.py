"""Analysis of a table of donor and target pairs from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexigraft.core.transfer.analysis import TransferAnalysis


def analyze_pairs(
    path: str | Path,
    *,
    donor: str = "donor",
    target: str = "target",
    outcome: str = "gain",
    zero_shot: str | None = None,
    features: Sequence[str] | None = None,
    lower_is_better: bool = False,
    typology: str | Path | None = None,
    seed: int = 0,
) -> TransferAnalysis:
    """Analyze a CSV with one row for each donor and target.

    Args:
        path: The file.
        donor: The column of donors.
        target: The column of targets.
        outcome: The column of the outcome.
        zero_shot: The column with the target's outcome without a donor.
        features: The columns of features; all other columns of numbers by default.
        lower_is_better: Whether lower outcomes are better.
        typology: A folder of typological data, whose distances are features too.
        seed: Decides what is drawn for intervals.

    Returns:
        Correlations, variances, a predictor on languages left out, and means by language.

    Raises:
        LexigraftError: A table that cannot be read, or fewer pairs than features.
    """
    from lexigraft.core.transfer.analysis import analyze
    from lexigraft.core.transfer.pairs import read_pairs

    table = read_pairs(
        path,
        donor=donor,
        target=target,
        outcome=outcome,
        zero_shot=zero_shot,
        features=features,
        lower_is_better=lower_is_better,
    )
    if typology is not None:
        from lexigraft.core.data.typology.database import load_typology
        from lexigraft.core.transfer.typological_features import with_distances

        table = with_distances(table, load_typology(typology))
    return analyze(table, seed=seed)
