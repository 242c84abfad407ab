"""Paired difference in bits per byte between two models, with a confidence interval over lines and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Gap(NamedTuple):
    """A difference in bits per byte and half of its 95% interval (infinite with a single line)."""

    mean: float
    half_width: float

    @property
    def separable(self) -> bool:
        """Whether the interval excludes zero."""
        return abs(self.mean) > self.half_width


Bits = Sequence[npt.NDArray[np.float64]]


def bits_per_byte(bits: Bits, sizes: npt.NDArray[np.int64]) -> float:
    """The mean over seeds of all bits over all bytes.

    Args:
        bits: For each seed the bits of each line, ``(lines,)``.
        sizes: Bytes of each line, ``(lines,)``.
    """
    return math.fsum(np.concatenate([*bits])) / (len(bits) * int(sizes.sum()))


def gap(ours: Bits, theirs: Bits, sizes: npt.NDArray[np.int64]) -> Gap:
    """``bits_per_byte(theirs) - bits_per_byte(ours)``, paired by line and seed, with half of its 95% t-interval.

    Lines are a ratio estimator's sample (Cochran 1977, 6.4): with d_i the seeds' mean difference of line i, n_i its
    bytes and r the ratio, ``v_lines = L / (L - 1) * sum (d_i - r n_i)^2 / (sum n_i)^2``. Seeds are a second sample, of
    the ratios r_s: ``v_seeds = var(r_s) / S``. Both vary at once, so the variances add (the share that lines and seeds
    have in common counts twice, which errs on the wide side); degrees of freedom after Satterthwaite 1946. With one
    seed the interval is over lines only.

    Args:
        ours: For each seed the bits of each line, ``(lines,)``.
        theirs: The same lines with the same seeds by another model.
        sizes: Bytes of each line, ``(lines,)``.
    """
    from scipy.stats import t

    differences = np.stack([*theirs]) - np.stack([*ours])
    seeds, lines = differences.shape
    total = int(sizes.sum())
    by_line = differences.mean(0)
    ratio = math.fsum(by_line) / total
    if lines < 2:
        return Gap(ratio, math.inf)
    parts = [(lines / (lines - 1) * float(((by_line - ratio * sizes) ** 2).sum()) / total**2, lines - 1)]
    if seeds > 1:
        parts.append((float((differences.sum(1) / total).var(ddof=1)) / seeds, seeds - 1))
    variance = math.fsum(v for v, _ in parts)
    if variance == 0:
        return Gap(ratio, 0.0)
    freedom = variance**2 / math.fsum(v**2 / n for v, n in parts)
    return Gap(ratio, float(t.ppf(0.975, freedom)) * math.sqrt(variance))
