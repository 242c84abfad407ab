"""Ranking of donor languages for a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lexigraft.core.data.typology.distances import Distance
from lexigraft.core.data.typology.languages import Language
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.statistics.ranking import Rank, mean_ranks
from lexigraft.core.transfer.token_overlap import TokenOverlap

FEWEST_KNOWN = 10
"""Features that both languages must be known in before a distance over features is ranked by."""
FEWEST_KINDS = 3
_MUCH_COPIED = 0.01
_BY_FEATURES = ("syntax", "phonology", "inventory", "wals")
_LABELS = {"wals": "WALS"}
_RANKED = (*_BY_FEATURES, "genealogy", "geography", "overlap", "size")
"""The distance over all features is shown only, because it repeats the three that it is made of."""


@dataclass(frozen=True)
class DonorEvidence:
    """What is known about one donor and the target.

    Attributes:
        language: The donor.
        distances: Its typological distances from the target, by kind.
        overlap: What its text shares with the target's, where both are given.
        bytes: The size of its text, where one is given.
        copied_share: The share of the target's lines whose word sequences occur in its text.
    """

    language: Language
    distances: Mapping[str, Distance]
    overlap: TokenOverlap | None = None
    bytes: int | None = None
    copied_share: float | None = None

    def figure(self, kind: str) -> float:
        """One kind of evidence, lower the better; NaN where it is unknown or rests on too few features."""
        if kind == "overlap":
            return math.nan if self.overlap is None else 1 - self.overlap.by_mass
        if kind == "size":
            return math.nan if self.bytes is None else -float(self.bytes)
        distance = self.distances.get(kind)
        if distance is None or distance.value is None:
            return math.nan
        return math.nan if kind in _BY_FEATURES and distance.known < FEWEST_KNOWN else distance.value


@dataclass(frozen=True)
class RankedDonor:
    """One donor with its place.

    Attributes:
        evidence: What is known about it.
        rank: Its mean rank over kinds of evidence, 1 the best, with the 95% interval when kinds are drawn again; both
            ends are the mean where fewer than three kinds say nothing about their spread.
        missing: Kinds of evidence that are unknown for it; it has the median there.
    """

    evidence: DonorEvidence
    rank: Rank
    missing: tuple[str, ...]


@dataclass(frozen=True)
class DonorRanking:
    """Donors for a target, the best first.

    Attributes:
        target: The target.
        donors: The donors.
        kinds: Kinds of evidence that they are ranked by.
        tied: Donors at the top, the first included, whose intervals overlap with the first one's.
        notes: Sentences on what the evidence cannot show.
    """

    target: Language
    donors: tuple[RankedDonor, ...]
    kinds: tuple[str, ...]
    tied: int
    notes: tuple[str, ...]


def rank_donors(target: Language, evidence: Sequence[DonorEvidence], *, seed: int = 0) -> DonorRanking:
    """Rank donors; every kind of evidence that tells any two of them apart counts the same.

    Args:
        target: The target.
        evidence: What is known about each donor.
        seed: Decides which kinds are drawn for the intervals.

    Raises:
        LexigraftError: No donor, the target among them, or nothing that tells the donors apart.
    """
    if not evidence:
        raise LexigraftError("there is no donor to rank", hint="Give candidates, or a folder of their texts")
    if any(one.language.code == target.code for one in evidence):
        raise LexigraftError("a language cannot be its own donor", target, "Leave it out of the candidates")
    figures = {kind: np.array([one.figure(kind) for one in evidence]) for kind in _RANKED}
    known = {kind: values for kind, values in figures.items() if not np.isnan(values).all()}
    kinds = tuple(kind for kind, values in known.items() if len(evidence) == 1 or np.nanmax(values) > np.nanmin(values))
    if not kinds:
        hint = "Give texts of both (--have), or other typological data; a code of a single language is known better"
        raise LexigraftError("no evidence tells the donors of this language apart", target, hint)
    filled = np.stack([np.where(np.isnan(known[k]), np.nanmedian(known[k]), known[k]) for k in kinds])
    ranks = mean_ranks(filled, lower=True, seed=seed)
    if len(kinds) < FEWEST_KINDS:
        ranks = [Rank(rank.mean, rank.mean, rank.mean) for rank in ranks]
    donors = [
        RankedDonor(one, rank, tuple(kind for kind in kinds if math.isnan(figures[kind][n])))
        for n, (one, rank) in enumerate(zip(evidence, ranks, strict=True))
    ]
    donors.sort(key=lambda donor: donor.rank.mean)
    tied = sum(donor.rank.low <= donors[0].rank.high for donor in donors)
    return DonorRanking(target, tuple(donors), kinds, tied, tuple(_notes(target, donors, kinds, tied)))


def _notes(target: Language, donors: Sequence[RankedDonor], kinds: Sequence[str], tied: int) -> list[str]:
    notes = []
    for kind in (*_BY_FEATURES, "genealogy", "geography"):
        distances = [d for donor in donors if (d := donor.evidence.distances.get(kind)) is not None]
        if distances and kind not in kinds:
            notes.append(
                f"{_LABELS.get(kind, kind.capitalize())} is not ranked by: {_why_not(kind, distances, target)}."
            )
    if all(donor.evidence.overlap is None for donor in donors):
        notes.append("No overlap of texts: give texts of donors and target (--have).")
    for donor in donors:
        if (share := donor.evidence.copied_share) is not None and share > _MUCH_COPIED:
            notes.append(
                f"The text of {donor.evidence.language} has word sequences of {share:.0%} of the target's lines: one "
                "copies from the other, or holds its language, and their overlap says little."
            )
    if (evidence := len(kinds)) < FEWEST_KINDS:
        notes.append(f"The evidence is thin: it is {' and '.join(kinds)} alone, too little for an interval.")
    elif tied > max(1, len(donors) // 4):
        notes.append(
            f"The evidence is thin: {evidence} kinds of it do not agree, and the first {tied} of {len(donors)} donors "
            "cannot be told apart."
        )
    elif tied > 1:
        notes.append(f"The first {tied} donors cannot be told apart by {evidence} kinds of evidence.")
    notes.append(
        "This is likeness, not measured transfer: studies disagree on which likeness helps, so try several donors and "
        "measure the gain."
    )
    return notes


def _why_not(kind: str, distances: Sequence[Distance], target: Language) -> str:
    """Why a kind of distance ranks nobody."""
    if not any(distance.value is not None for distance in distances):
        return sorted(distance.missing for distance in distances)[0]
    most, total = (max(getattr(one, name) for one in distances) for name in ("known", "features"))
    if kind in _BY_FEATURES and most < FEWEST_KNOWN:
        filled = "; what is shown rests on filled-in values" if most == 0 else ""
        return f"at most {most} of {total} features are known both in {target.code} and in a donor{filled}"
    return "all donors that are known in it are equally far"
