"""The global random states of Python, NumPy and torch, set and compared."""

from __future__ import annotations

import random
from typing import Any

import numpy as np


def set_global_state(seed: int) -> None:
    """Seed every global generator."""
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def global_state() -> tuple[Any, ...]:
    """The states of the global generators, to be compared with ``==``."""
    import torch

    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), name, np.asarray(keys).tobytes(), tuple(rest), torch.get_rng_state().numpy().tobytes()
