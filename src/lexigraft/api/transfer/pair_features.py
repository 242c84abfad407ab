"""What may explain transfer between the languages of a study: token overlap, text size, typological distances."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from lexigraft.api.transfer.inputs import TransferTexts
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.transfer.pairs import PairTable
from lexigraft.core.transfer.token_overlap import token_overlap

MOST_LINES = 20_000
"""Lines of each text that are compared; types grow with a text, so all texts are cut at the same length."""


def describe_pairs(
    recipe: TransferSettings, texts: TransferTexts, vocabulary: Vocabulary
) -> dict[str, dict[str, dict[str, float]]]:
    """Features of each donor and target, by donor, target and name; those that are not known are left out.

    Args:
        recipe: The recipe.
        texts: Its texts.
        vocabulary: The source model's vocabulary, under which tokens are compared.

    Raises:
        LexigraftError: A typology folder that cannot be read, or a language that it does not know.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for donor in recipe.donors:
        ours = texts.train[donor]
        for target in recipe.targets:
            theirs = texts.train.get(target, texts.heldout[target])
            overlap = token_overlap(ours.lines[:MOST_LINES], theirs.lines[:MOST_LINES], vocabulary)
            found.setdefault(donor, {})[target] = {
                "token_overlap": overlap.by_types,
                "token_overlap_by_frequency": overlap.by_mass,
                "log_donor_bytes": math.log(max(1, ours.bytes)),
            }
    for (donor, target), distances in _distances(recipe).items():
        found[donor][target] |= distances
    return found


def _distances(recipe: TransferSettings) -> dict[tuple[str, str], dict[str, float]]:
    """Typological distances of the pairs whose languages the recipe names."""
    if recipe.typology is None:
        return {}
    from lexigraft.core.data.typology.database import load_typology
    from lexigraft.core.transfer.typological_features import with_distances

    pairs = {
        (donor, target): (ours.language, theirs.language)
        for donor, ours in recipe.donors.items()
        for target, theirs in recipe.targets.items()
        if ours.language is not None and theirs.language is not None
    }
    if not pairs:
        return {}
    codes = tuple(zip(*pairs.values(), strict=True))
    table = PairTable(codes[0], codes[1], np.zeros(len(pairs)))
    features = with_distances(table, load_typology(Path(recipe.typology))).features
    return {
        pair: {name: float(values[n]) for name, values in features.items() if math.isfinite(values[n])}
        for n, pair in enumerate(pairs)
    }
