"""MLflow logging of a single adaptation or pre-training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.grafting.folder import FACTS
from lexigraft.core.utils.hashing import flat

if TYPE_CHECKING:
    from lexigraft.adapters.tracking.tracker import MlflowTracker
    from lexigraft.api.adapt import AdaptResult
    from lexigraft.api.pretrain import PretrainResult


def open_tracker(settings: TrackingSettings, name: str, folder: Path) -> MlflowTracker | None:
    """The tracker of a comparison, checked before anything runs; ``None`` where tracking is off.

    Args:
        settings: The recipe's ``tracking``.
        name: The recipe's name.
        folder: The comparison's folder.

    Raises:
        LexigraftError: The store does not answer and is required.
    """
    if not settings.enabled:
        return None
    from lexigraft.adapters.tracking.tracker import MlflowTracker

    return MlflowTracker.open(settings, name, folder)


def track(kind: str, out: Path, parameters: Mapping[str, Any], result: AdaptResult | PretrainResult) -> str:
    """Log a finished run with its settings, its figures and ``lexigraft.json``.

    Args:
        kind: ``adapt`` or ``pretrain``.
        out: The folder that the command wrote.
        parameters: The settings it ran with.
        result: What the command returned; numbers become metrics, text becomes parameters.

    Returns:
        A warning if something was not logged as asked; empty otherwise.
    """
    from lexigraft.adapters.tracking.single_run import log_single

    values = result.as_json()
    numbers = {key: float(v) for key, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    words = {key: v for key, v in values.items() if isinstance(v, str)}
    step = int(numbers.get("steps", 0))
    return log_single(
        TrackingSettings(),
        kind,
        out,
        {**flat(parameters), **words},
        [(step, name, value) for name, value in numbers.items()],
        [out / FACTS],
    )
