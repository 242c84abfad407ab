"""Lexicon induction by the most similar word of another language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.linalg.csls import NEIGHBORS, Similarity, ranks, similarities

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Lexicon:
    """Words with all of their translations.

    Attributes:
        translations: The different translations of each word, in the dictionary's order.
        identical: How many pairs of equal words were left out; any space of one vocabulary gets them right.
    """

    translations: Mapping[str, tuple[str, ...]]
    identical: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Lexicon:
        """Collect the translations of each word."""
        found: dict[str, dict[str, None]] = {}
        identical = 0
        for word, translation in pairs:
            if word.casefold() == translation.casefold():
                identical += 1
            else:
                found.setdefault(word, {})[translation] = None
        return cls({word: tuple(translations) for word, translations in found.items()}, identical)

    @property
    def targets(self) -> tuple[str, ...]:
        """The different translations."""
        return tuple(dict.fromkeys(t for translations in self.translations.values() for t in translations))


def induction_scores(
    lexicon: Lexicon,
    source: Mapping[str, int],
    target: Mapping[str, int],
    source_vectors: torch.Tensor,
    target_vectors: torch.Tensor,
    budget: int,
    neighbors: int = NEIGHBORS,
) -> Scores:
    """Precision at 1 and 5 and mean reciprocal rank among all target vectors, by CSLS and by cosine.

    Any of a word's translations is right. A word without a vector, or none of whose translations has one, is not
    covered: its rank is infinite, so it counts as wrong.

    Args:
        lexicon: Words and translations; each word is an item.
        source: The row of each word that has a vector.
        target: The row of each translation that has one.
        source_vectors: float32, ``(source words, dim)``; CSLS looks for neighbors among all of them.
        target_vectors: The candidates, float32, ``(target words, dim)``.
        budget: Bytes for one block.
        neighbors: How many nearest neighbors CSLS looks at.

    Returns:
        ``precision_at_1``, ``precision_at_5``, ``mean_reciprocal_rank`` by CSLS, the same with ``_cosine``,
        ``coverage`` (the share of covered words), ``covered_precision_at_1`` (of these alone) and ``candidates``.

    Raises:
        LexigraftError: No word is covered.
    """
    right = [sorted({target[t] for t in translations if t in target}) for translations in lexicon.translations.values()]
    covered = np.array([word in source and bool(r) for word, r in zip(lexicon.translations, right, strict=True)])
    if not covered.any():
        hint = "Check the dictionary's direction (reverse) and its languages"
        raise LexigraftError("no word of the dictionary and its translation have vectors", f"{len(right)} words", hint)
    rows = [source[word] for word, has in zip(lexicon.translations, covered, strict=True) if has]
    of_covered = [r for r, has in zip(right, covered, strict=True) if has]

    def ranked(similarity: Similarity) -> npt.NDArray[np.float64]:
        blocks = similarities(
            source_vectors[rows], target_vectors, similarity, budget, neighbors=neighbors, query_side=source_vectors
        )
        found = np.full(len(right), np.inf)
        found[covered] = ranks(blocks, of_covered).numpy()
        return found

    csls = ranked("csls")
    items = {**_figures(csls, ""), **_figures(ranked("cosine"), "_cosine"), "coverage": _ratio(covered)}
    figures = {"covered_precision_at_1": float((csls[covered] == 1).mean()), "candidates": float(len(target_vectors))}
    notes = []
    if lexicon.identical:
        notes.append(f"{lexicon.identical:,} pairs of equal words are left out.")
    if missing := int((~covered).sum()):
        notes.append(f"{missing:,} of {len(covered):,} words are not covered and count as wrong.")
    return Scores.of(items, figures, notes)


def _figures(found: npt.NDArray[np.float64], suffix: str) -> dict[str, ItemScores]:
    return {
        f"precision_at_1{suffix}": _ratio(found == 1),
        f"precision_at_5{suffix}": _ratio(found <= 5),
        f"mean_reciprocal_rank{suffix}": _ratio(1 / found),
    }


def _ratio(outcomes: npt.NDArray[np.generic]) -> ItemScores:
    return ItemScores.of(outcomes.astype(np.float64))
