"""Trials of candidate strategies: short adaptations, with early stopping of those that clearly lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.paired_comparison import Difference, difference
from lexigraft.core.grafting.chains import named_specs
from lexigraft.core.grafting.resources import Probe

FEWEST = 8
"""Steps before which nothing is judged: in the first ones the best start leads, which is often not the best end."""
LOOKS = (0.25, 0.5)
"""When a trial is measured besides its end, as shares of its steps; at the second look it may end."""

Curve = dict[int, ItemScores]
"""Bits over bytes of each held-out line, by step."""


@dataclass
class _Watch:
    """Ends a trial that would end clearly above the leader: the 95% interval over lines excludes 0.

    Where both would end is drawn as a straight line through their two looks. Curves that cross do so because gaps
    shrink; they shrink faster in the beginning, so that the line ends too few trials rather than too many.
    """

    steps: int
    leader: Mapping[int, ItemScores]
    bits: dict[int, npt.NDArray[np.float64]] = field(default_factory=dict)
    ended: int | None = None

    def __call__(self, step: int, bits: npt.NDArray[np.float64]) -> bool:
        self.bits[step] = bits
        if self.leader and len(self.bits) == len(LOOKS):
            early, late = sorted(self.bits)
            ahead = (self.steps - late) / (late - early)
            theirs = {n: self.leader[n].numerators for n in (early, late)}
            sizes = self.leader[late].denominators
            ends = [ItemScores.of(c[late] + ahead * (c[late] - c[early]), sizes) for c in (self.bits, theirs)]
            gap = difference(ends[:1], ends[1:])
            self.ended = step if gap.mean > 0 and gap.separable else None
        return self.ended is None


@dataclass
class EarlyStoppedTrials:
    """Trials of several candidates with the same seeds, one after the other.

    Each is compared, where it is measured, with the one that has ended best so far; the first one always ends. A loser
    costs a part of its steps, the winner no more than without the others. As in racing (F-race), and unlike successive
    halving, a test on paired lines ends a trial, not its rank.

    Attributes:
        probe: Runs the trials.
        steps: Steps of a whole trial.
        batch_tokens: Tokens in a batch of a trial.
        seeds: Of the trials of each candidate.
        curves: What each candidate needed, by seed; of one that was ended, up to there.
        tokens: What all trials trained on.
    """

    probe: Probe
    steps: int
    batch_tokens: int
    seeds: Sequence[int]
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    tokens: int = 0

    def run(self, names: str) -> None:
        """Try a candidate, until it has ended or clearly loses.

        Raises:
            LexigraftError: It cannot be grafted or adapted, or its bits are not finite.
        """
        finished = self.finished()
        curves: list[Curve] = []
        looks = [int(share * self.steps) for share in LOOKS]
        looks = looks if looks[0] >= FEWEST else []
        for n, seed in enumerate(self.seeds):
            watch = _Watch(self.steps, self.curves[finished[0]][n] if finished else {})
            run = self.probe(
                named_specs(names),
                steps=self.steps,
                batch_tokens=self.batch_tokens,
                seed=seed,
                watch=watch,
                looks=looks,
            )
            self.tokens += run.tokens
            if not np.isfinite(run.bits).all():
                raise LexigraftError("its bits per byte are not finite")
            last = self.steps if watch.ended is None else watch.ended
            curves.append(
                {step: ItemScores.of(bits, run.bytes) for step, bits in {**watch.bits, last: run.bits}.items()}
            )
            if watch.ended is not None:
                break
        self.curves[names] = curves

    def finished(self) -> list[str]:
        """The candidates whose trials were not ended, those that need the fewest bits per byte first."""
        whole = [names for names, curves in self.curves.items() if self.steps in curves[-1]]
        return sorted(whole, key=self.score)

    def ended(self) -> list[str]:
        """The candidates whose trials were ended, the one that was tried longest first."""
        early = [names for names, curves in self.curves.items() if self.steps not in curves[-1]]
        return sorted(early, key=lambda names: (-self.last(names), self.score(names)))

    def last(self, names: str) -> int:
        """The step at which a candidate's trial ended."""
        return max(self.curves[names][-1])

    def score(self, names: str) -> float:
        """Bits per byte there, mean over the seeds."""
        at = self.last(names)
        return sum(curve[at].ratio for curve in self.curves[names]) / len(self.curves[names])

    def gap(self, names: str, below: str) -> Difference:
        """By how much a candidate lies above one that has finished, at the step at which its own trial ended."""
        at = self.last(names)
        pairs = list(zip(self.curves[names], self.curves[below], strict=False))
        return difference([ours[at] for ours, _ in pairs], [theirs[at] for _, theirs in pairs])
