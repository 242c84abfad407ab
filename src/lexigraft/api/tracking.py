"""Logging one adaptation or pretraining in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.grafting.folder import FACTS
from lexigraft.core.utils.hashing import flat


def track(kind: str, out: Path, parameters: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Log a finished run with its settings, its figures and ``lexigraft.json``.

    Args:
        kind: ``adapt`` or ``pretrain``.
        out: The folder that the command wrote.
        parameters: The settings it ran with.
        facts: What it returned; numbers become metrics, text becomes parameters.

    Returns:
        What a person should know; empty when all is logged.
    """
    from lexigraft.adapters.tracking.tracker import log_single

    numbers = {key: float(v) for key, v in facts.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    words = {key: v for key, v in facts.items() if isinstance(v, str)}
    step = int(numbers.get("steps", 0))
    return log_single(
        TrackingSettings(),
        kind,
        out,
        {**flat(parameters), **words},
        [(step, name, value) for name, value in numbers.items()],
        [out / FACTS],
    )
