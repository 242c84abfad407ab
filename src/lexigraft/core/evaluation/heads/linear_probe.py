"""Logistic regression on the states of a frozen model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.heads.trained_head import Example, Head, Logits, by_example
from lexigraft.core.evaluation.model_body import body_of
from lexigraft.core.evaluation.scoring import Ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_PENALTY_FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)
_STEPS = 200


def fit_probe(
    model: PreTrainedModel,
    head: Head,
    layer: int,
    penalty: float,
    train: Sequence[Example],
    dev: Sequence[Example] = (),
    score: Callable[[list[Logits]], float] | None = None,
) -> torch.nn.Linear:
    """Fit a head on the states of a model, which are computed once.

    Args:
        model: The model; it is left as it was.
        head: What the head reads and gives.
        layer: After how many layers the states are read.
        penalty: scikit-learn's 1/C, on standardized states.
        train: Training examples.
        dev: Examples that choose among five penalties from a hundredth to a hundred times the given one.
        score: How good the logits of ``dev`` are; higher is better.

    Returns:
        The layer, which reads states as they are.

    Raises:
        LexigraftError: States that are no numbers.
    """
    import torch

    read = np.concatenate(by_example(model, body_of(model), layer, head, train))
    if not np.isfinite(read).all():
        raise LexigraftError("the model's states are no numbers", hint="Its weights are damaged, or training diverged")
    labels = np.concatenate([e.labels for e in train])
    mean, deviation = read.mean(0, dtype=np.float64), read.std(0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1.0)
    read -= mean.astype(np.float32)
    read /= scale.astype(np.float32)
    of_dev = by_example(model, body_of(model), layer, head, dev) if score is not None else []
    best, kept = -math.inf, None
    for factor in _PENALTY_FACTORS if of_dev else (1.0,):
        weight, bias = _logistic_regression(read, labels, penalty * factor)
        linear = _layer_of(weight / scale, bias - weight / scale @ mean)
        reached = 0.0
        if of_dev and score is not None:
            with torch.no_grad():
                reached = score([linear(torch.from_numpy(part)).numpy() for part in of_dev])
        if reached > best:
            best, kept = reached, linear
    assert kept is not None
    return kept.to(model.device)


def _logistic_regression(
    read: npt.NDArray[np.float32], labels: Ids, penalty: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights ``(labels, hidden)`` and biases ``(labels,)``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # What a hundred more steps would change is far below what another seed or another item would.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=1 / penalty, max_iter=_STEPS).fit(read, labels)
    weight, bias = fitted.coef_.astype(np.float64), fitted.intercept_.astype(np.float64)
    if len(weight) == 1:
        return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


def _layer_of(weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> torch.nn.Linear:
    import torch

    linear = torch.nn.utils.skip_init(torch.nn.Linear, weight.shape[1], len(weight))
    linear.weight.data = torch.from_numpy(weight).float()
    linear.bias.data = torch.from_numpy(bias).float()
    return linear.requires_grad_(False)
