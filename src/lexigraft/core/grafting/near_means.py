"""Rows that are plain means in disguise: weights on many source rows that are almost equal."""

from __future__ import annotations

import numpy as np

from lexigraft.core.grafting.plan import Mix

MANY_SOURCES, EVEN = 20, 0.9
"""From how many source rows on a row may be called a mean, and the share of them that effectively counts then."""


def near_mean_note(name: str, mix: Mix, *, static_vectors: bool) -> str | None:
    """A sentence for the user where most rows of a plan hardly tell tokens apart.

    Exactly equal weights are a strategy's intention, such as that of ``mean``.

    Args:
        name: The strategy.
        mix: Its plan.
        static_vectors: Whether the weights come from static vectors of the target tokens, for which there is a remedy.

    Returns:
        None where fewer than half of the covered rows are almost plain means.
    """
    covered = mix.covered
    lengths, effective = np.diff(mix.indptr)[covered], mix.effective_sources[covered]
    evenness = effective / np.maximum(lengths, 1)
    near = (lengths >= MANY_SOURCES) & (evenness > EVEN) & (evenness < 1 - 1e-5)
    if not len(near) or near.mean() < 0.5:
        return None
    sources = f"{np.median(lengths[near]):,.0f} source rows (median)"
    remedy = "; more text may, or vectors trained for more epochs (target_vectors.epochs or --vectors-epochs)"
    return (
        f"{near.mean():.0%} of the rows are almost plain means: nearly equal weights on {sources}, so {name} hardly "
        f"tells these tokens apart{remedy * static_vectors}"
    )
