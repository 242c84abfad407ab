"""Schedule of a mixture: which text each row of a training stream is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def temperature_weights(sizes: Mapping[str, int], temperature: float) -> dict[str, float]:
    """Weights in proportion to ``size ** (1 / temperature)``, which sum to 1.

    At temperature 1 they follow the sizes, and towards infinity all texts get the same weight.

    Args:
        sizes: Characters of each text, all above 0.
        temperature: At least 1.
    """
    raised = {name: size ** (1 / temperature) for name, size in sizes.items()}
    return {name: weight / sum(raised.values()) for name, weight in raised.items()}


def schedule(
    stages: Sequence[Mapping[str, float]], names: Sequence[str], steps: int, rows_per_step: int
) -> npt.NDArray[np.int16]:
    """The number, among the names, of the text of every row.

    Stages follow each other, each as many steps long as the others, up to one. Within a stage every text has its share
    of the rows, exact to one row, and its rows are spread evenly, so that each batch holds the mixture too.

    Args:
        stages: Weights by name, which sum to 1; a name that a stage lacks has none.
        names: The texts.
        steps: Steps of training, over all stages.
        rows_per_step: Rows of a batch.

    Returns:
        Numbers of texts, ``(steps * rows_per_step,)``.
    """
    bounds = [steps * number // len(stages) * rows_per_step for number in range(len(stages) + 1)]
    parts = [
        _spread(_counts([stage.get(name, 0.0) for name in names], after - before))
        for stage, before, after in zip(stages, bounds, bounds[1:], strict=False)
    ]
    return np.concatenate(parts)


def turns(share: float, rows: int = 10_000) -> npt.NDArray[np.int16]:
    """Two texts by turns, of which the second has ``floor(n * share)`` of the first n rows, for every n.

    Args:
        share: The second text's share.
        rows: Rows of the schedule.

    Returns:
        Numbers of texts, 0 or 1, ``(rows,)``.
    """
    return np.diff(np.floor(np.arange(rows + 1) * share)).astype(np.int16)


def _counts(weights: Sequence[float], rows: int) -> npt.NDArray[np.int64]:
    """Whole shares of some rows: rounded down, what is left over to the largest remainders."""
    exact = np.asarray(weights) * rows
    counts = np.floor(exact + 1e-9).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")[: rows - int(counts.sum())]
    counts[largest] += 1
    return counts


def _spread(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """So many rows of each text, in an order that has passed the same share of every text at any point."""
    numbers = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
    when = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count] or [np.zeros(0)])
    return numbers[np.argsort(when, kind="stable")]
