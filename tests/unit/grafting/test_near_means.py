"""Plans whose rows are plain means in disguise say so."""

from __future__ import annotations

import numpy as np

from lexigraft.core.grafting.near_means import near_mean_note
from lexigraft.core.grafting.plan import Mix


def even(n: int, tilt: float) -> tuple[list[int], list[float]]:
    weights = 1 + tilt * np.linspace(-1, 1, n)
    return list(range(n)), list(weights / weights.sum())


def test_effective_sources_by_hand() -> None:
    """0.5 and 0.5: 1 / 0.5 = 2. 0.8 and 0.2: 1 / 0.68 = 1.47. 2 and -1: (2 - 1)^2 / 5 = 0.2. None: 0."""
    mix = Mix.from_rows([([0, 1], [0.5, 0.5]), ([0, 1], [0.8, 0.2]), ([0, 1], [2.0, -1.0]), ([], [])])
    np.testing.assert_allclose(mix.effective_sources, [2, 1 / 0.68, 0.2, 0], rtol=1e-6)


def test_nearly_equal_weights_on_many_rows_are_told() -> None:
    mix = Mix.from_rows([even(100, 0.1), even(100, 0.2), even(2, 0.1), ([], [])])
    told = "67% of the rows are almost plain means: nearly equal weights on 100 source rows (median), so focus hardly "
    told += "tells these tokens apart"
    remedy = "; more text may, or vectors trained for more epochs (target_vectors.epochs or --vectors-epochs)"
    assert near_mean_note("focus", mix, static_vectors=False) == told
    assert near_mean_note("focus", mix, static_vectors=True) == told + remedy


def test_what_tells_tokens_apart_or_means_to_be_a_mean_is_not() -> None:
    def note(name: str, row: tuple[list[int], list[float]]) -> str | None:
        return near_mean_note(name, Mix.from_rows([row] * 3), static_vectors=True)

    assert note("focus", ([*range(100)], [0.5, *[0.5 / 99] * 99])) is None
    assert note("mean", even(100, 0.0)) is None, "equal weights are its intention"
    assert note("subword_mean", even(3, 0.1)) is None
    assert note("random", ([], [])) is None
