"""Maps between vector spaces: Procrustes against scipy, RCSLS against its formula, by hand, and never worse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import approx_fprime

from lexigraft.core.linalg.linear_maps import procrustes
from lexigraft.core.linalg.rcsls import Learned, _loss, rcsls

BUDGET = 2**26


def unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def formula(
    weight: npt.NDArray[np.float64], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64],
    source: npt.NDArray[np.float64], target: npt.NDArray[np.float64], k: int,
) -> float:  # fmt: skip
    """Joulin et al. 2018, one pair and one neighbor at a time."""
    total = 0.0
    for xi, yi in zip(x, y, strict=True):
        total -= 2 * xi @ weight @ yi
        total += np.mean(sorted((xi @ weight @ z for z in target), reverse=True)[:k])
        total += np.mean(sorted((s @ weight @ yi for s in source), reverse=True)[:k])
    return float(total / len(x))


def spaces(noise: float, words: int = 120, dim: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Two spaces whose rows are translations: a rotation of a skewed cloud, bent and noisy."""
    generator = np.random.default_rng(0)
    source = generator.normal(size=(words, dim)) * np.linspace(2, 0.5, dim) + np.eye(dim)[0]
    rotation = np.linalg.qr(generator.normal(size=(dim, dim)))[0]
    target = np.tanh(source) @ rotation + noise * generator.normal(size=(words, dim))
    return torch.tensor(source, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)


def test_procrustes_is_scipys() -> None:
    source, target = spaces(0.3)
    expected, _ = orthogonal_procrustes(source.double().numpy(), target.double().numpy())
    found = procrustes(source.double(), target.double(), center=False).weight
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


def test_the_loss_is_the_formula_and_its_slope_the_gradient() -> None:
    source, target = spaces(0.3, words=30)
    x, y, s, t = (unit(v.double().numpy()) for v in (source[:12], target[:12], source, target))
    weight = np.random.default_rng(1).normal(size=(6, 6))
    loss, gradient = _loss(*(torch.tensor(v, dtype=torch.float32) for v in (weight, x, y, s, t)), 4, BUDGET)
    assert loss == pytest.approx(formula(weight, x, y, s, t, 4), abs=1e-5)
    slope = approx_fprime(weight.ravel(), lambda w: formula(w.reshape(6, 6), x, y, s, t, 4), 1e-7)
    np.testing.assert_allclose(gradient.numpy().ravel(), slope, atol=1e-4)


def test_a_case_by_hand() -> None:
    # One dimension, k = 1, the pair (1, 1), source words 1 and -1, target words 1 and -1. Procrustes gives W = 1:
    # loss = -2 * 1 + max(1, -1) + max(1, -1) = 0, gradient = -2 + 1 + 1 = 0. Nothing can be better: W stays.
    one = torch.tensor([[1.0]])
    both = torch.tensor([[1.0], [-1.0]])
    found = rcsls(one, one, both, both, BUDGET, neighbors=1, steps=3)
    assert (found.map.weight.item(), found.losses) == (1.0, (0.0,))
    # With the target words 1, -1 and k = 2 the mean over both is 0: loss = -2 W + 0 + 0, gradient -2. Without the
    # spectral ball a step of 0.5 gives W = 1 + 0.5 * 2 = 2 with loss -4, and one more W = 3 with loss -6.
    free = rcsls(one, one, both, both, BUDGET, neighbors=2, steps=2, step_size=0.5, spectral=False)
    assert (free.map.weight.item(), free.losses) == (3.0, (-2.0, -4.0, -6.0))
    # In the ball W = 1 is as far as it goes.
    assert rcsls(one, one, both, both, BUDGET, neighbors=2, steps=2, step_size=0.5).losses == (-2.0,)


@pytest.fixture(scope="module")
def learned() -> tuple[Learned, torch.Tensor, torch.Tensor]:
    source, target = spaces(0.1)
    return rcsls(source[:80], target[:80], source, target, BUDGET, neighbors=5, steps=40), source, target


def test_the_loss_never_rises_and_the_map_stays_in_the_ball(
    learned: tuple[Learned, torch.Tensor, torch.Tensor],
) -> None:
    found, source, target = learned
    assert len(found.losses) > 5
    assert all(later < earlier for earlier, later in zip(found.losses, found.losses[1:], strict=False))
    weight = found.map.weight.double().numpy()
    assert np.linalg.svd(weight)[1].max() <= 1 + 1e-6
    x, y = unit(source.double().numpy()), unit(target.double().numpy())
    assert found.losses[-1] == pytest.approx(formula(weight, x[:80], y[:80], x, y, 5), abs=1e-5)
    start = orthogonal_procrustes(x[:80], y[:80])[0]
    assert found.losses[0] == pytest.approx(formula(start, x[:80], y[:80], x, y, 5), abs=1e-5)


def test_lengths_of_vectors_do_not_matter() -> None:
    source, target = spaces(0.1)
    lengths = torch.linspace(0.5, 3, len(source))[:, None]
    longer, shorter = source * lengths, target / lengths
    again, found = (
        rcsls(s[:80], t[:80], s, t, BUDGET, neighbors=5, steps=4) for s, t in ((longer, shorter), (source, target))
    )
    torch.testing.assert_close(again.map.weight, found.map.weight, atol=1e-3, rtol=0)
