"""Typological distances as features of a table of pairs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lexigraft.core.data.typology.database import Typology
from lexigraft.core.data.typology.languages import Language
from lexigraft.core.errors import LexigraftError
from lexigraft.core.transfer.pairs import PairTable

KINDS = ("syntax", "phonology", "inventory", "genealogy", "geography")
"""WALS is left out: URIEL's features contain it, and few pairs of languages share enough of its values."""
_SHOWN = 5


def with_distances(table: PairTable, typology: Typology) -> PairTable:
    """Add the distances between donor and target as features; an unknown one is NaN and counted in a note.

    A kind that no pair is known in is left out.

    Args:
        table: The pairs, whose languages are named by any code or name that the database knows.
        typology: The database.

    Raises:
        LexigraftError: A column of the table already has the name of a distance, or no language is known.
    """
    if clash := sorted(set(KINDS) & set(table.features)):
        hint = "Rename the column, or leave --typology out"
        raise LexigraftError("the table has a column with the name of a distance", ", ".join(clash), hint)
    found: dict[str, Language] = {}
    unknown: dict[str, LexigraftError] = {}
    for name in dict.fromkeys((*table.donors, *table.targets)):
        try:
            found[name] = typology.find(name)
        except LexigraftError as error:
            unknown[name] = error
    if not found:
        raise LexigraftError(
            "no language of the table is in the typological data", next(iter(unknown)), "Use ISO codes"
        )
    columns = {kind: np.full(len(table), np.nan) for kind in KINDS}
    shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for n, (donor, target) in enumerate(zip(table.donors, table.targets, strict=True)):
        if donor not in found or target not in found:
            continue
        distances = typology.distances(found[donor], found[target])
        for kind in KINDS:
            value = distances[kind].value
            columns[kind][n] = math.nan if value is None else value
            if value is not None:
                shares[kind].append(distances[kind].known_share)
    notes = []
    if unknown:
        shown = list(unknown)[:_SHOWN] + (["…"] if len(unknown) > _SHOWN else [])
        notes.append(f"{len(unknown):,} languages are not in the typological data: {', '.join(shown)}.")
    for kind, column in columns.items():
        known = int((~np.isnan(column)).sum())
        if not known:
            notes.append(f"No pair has a distance of {kind}.")
        elif kind in ("syntax", "phonology", "inventory"):
            share = sum(shares[kind]) / len(shares[kind])
            notes.append(
                f"Distances of {kind} are known for {known:,} of {len(table):,} pairs; of their features, {share:.0%} "
                "are known in both languages, the others are filled in."
            )
        else:
            notes.append(f"Distances of {kind} are known for {known:,} of {len(table):,} pairs.")
    kept = {kind: column for kind, column in columns.items() if not np.isnan(column).all()}
    return replace(table, features={**table.features, **kept}, notes=(*table.notes, *notes))
