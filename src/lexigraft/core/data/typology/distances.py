"""Distances between two languages by their known features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lexigraft.core.data.typology.uriel import UNKNOWN, Floats

EARTH_RADIUS_KM = 6371.0
KINDS = ("syntax", "phonology", "inventory", "features", "genealogy", "geography", "wals")
"""URIEL's five feature distances with WALS's; geography is a part of half the earth's circumference."""


@dataclass(frozen=True)
class Distance:
    """One kind of distance between two languages.

    Attributes:
        kind: One of :data:`KINDS`.
        value: From 0, equal, to 1; ``None`` where it is unknown.
        observed: The same over the features alone that both are known in, where ``value`` rests on filled-in ones too.
        known: Features that both languages are known in.
        features: Features there are.
        missing: Why there is no value; empty where there is one.
    """

    kind: str
    value: float | None
    observed: float | None = None
    known: int = 0
    features: int = 0
    missing: str = ""

    @property
    def known_share(self) -> float:
        """The share of features that both languages are known in."""
        return self.known / self.features if self.features else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def cosine_distance(one: Floats, two: Floats) -> float | None:
    """``1 - a · b / (|a| |b|)``; ``None`` where a vector is all zero or empty."""
    lengths = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(two.astype(np.float64)))
    if not lengths:
        return None
    return min(1.0, max(0.0, 1 - float(one.astype(np.float64) @ two.astype(np.float64)) / lengths))


def feature_distance(
    kind: str,
    observed: tuple[Floats | None, Floats | None],
    completed: tuple[Floats | None, Floats | None],
    names: tuple[str, str],
) -> Distance:
    """The cosine distance of two feature vectors, as URIEL has it: over completed vectors where there are any.

    Args:
        kind: Which features these are.
        observed: Values of both languages, -1 where unknown; ``None`` for a language that is not there.
        completed: The same with unknown values filled in.
        names: The languages, for what is missing.
    """
    one, two = observed
    full_one, full_two = completed
    absent = [
        name
        for name, has in zip(names, ((one, full_one), (two, full_two)), strict=True)
        if all(values is None for values in has)
    ]
    if absent:
        return Distance(kind, None, missing=f"URIEL has no {kind} of {' and '.join(absent)}")
    known, count, size = None, 0, 0
    if one is not None and two is not None:
        both = (one != UNKNOWN) & (two != UNKNOWN)
        known, count, size = cosine_distance(one[both], two[both]), int(both.sum()), len(one)
    if full_one is not None and full_two is not None:
        filled = (full_one != UNKNOWN) & (full_two != UNKNOWN)
        value = cosine_distance(full_one[filled], full_two[filled])
        return Distance(kind, value, known, count, len(full_one), "" if value is not None else "a vector is all zero")
    reason = "" if known is not None else "no feature is known in both" if not count else "a vector is all zero"
    return Distance(kind, known, known, count, size, reason)


def genealogical_distance(one: Floats | None, two: Floats | None, names: tuple[str, str]) -> Distance:
    """The cosine distance of the groups of the family tree that two languages belong to; 1 between families.

    A language without any group is an isolate or unknown to the tree, which cannot be told apart: it has no distance.
    """
    absent = [name for name, own in zip(names, (one, two), strict=True) if own is None or not (own > 0).any()]
    if absent or one is None or two is None:
        return Distance("genealogy", None, missing=f"URIEL has no family of {' and '.join(absent)}")
    groups = int(((one > 0) | (two > 0)).sum())
    value = cosine_distance((one > 0).astype(np.float32), (two > 0).astype(np.float32))
    return Distance("genealogy", value, value, groups, groups)


def geographic_distance(
    one: tuple[float, float] | None, two: tuple[float, float] | None, names: tuple[str, str]
) -> Distance:
    """The great-circle distance of two places as a part of half the earth's circumference.

    ``2 asin sqrt(sin²(Δlat/2) + cos lat₁ cos lat₂ sin²(Δlon/2)) / π``
    """
    absent = [name for name, place in zip(names, (one, two), strict=True) if place is None]
    if one is None or two is None:
        return Distance("geography", None, missing=f"no table has the place of {' and '.join(absent)}")
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, two))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    value = 2 * math.asin(min(1.0, math.sqrt(half))) / math.pi
    return Distance("geography", value, value, 1, 1)


def kilometers(distance: Distance) -> float | None:
    """A geographic distance in kilometers."""
    return None if distance.value is None else distance.value * math.pi * EARTH_RADIUS_KM


def wals_distance(one: Mapping[str, str], two: Mapping[str, str], features: int, names: tuple[str, str]) -> Distance:
    """The share of WALS features with different values, among those that both languages are known in.

    Args:
        one: Values by feature.
        two: The other language's.
        features: Features that WALS has.
        names: The languages.
    """
    absent = [name for name, values in zip(names, (one, two), strict=True) if not values]
    if absent:
        return Distance("wals", None, features=features, missing=f"WALS has no values of {' and '.join(absent)}")
    both = one.keys() & two.keys()
    if not both:
        return Distance("wals", None, features=features, missing="no WALS feature is known in both")
    value = sum(one[feature] != two[feature] for feature in both) / len(both)
    return Distance("wals", value, value, len(both), features)
