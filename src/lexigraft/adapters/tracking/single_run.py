"""MLflow run of one graft, adaptation or pretraining."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.tracking.client import experiment_id
from lexigraft.adapters.tracking.runs import RunValues, log_values, named_runs
from lexigraft.adapters.tracking.tracked_comparison import KIND
from lexigraft.adapters.tracking.tracker import MlflowTracker
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.core.utils.versions import code_version

if TYPE_CHECKING:
    from mlflow import MlflowClient

ONCE = "lexigraft.once"
"""The tag of a single run: of two runs with the same value one was made by a request that was sent again."""


def log_single(
    settings: TrackingSettings,
    kind: str,
    folder: Path,
    parameters: dict[str, object],
    metrics: Iterable[tuple[int, str, float]],
    artifacts: Iterable[Path] = (),
) -> str:
    """Log one graft, adaptation or pretraining as a run of its own.

    Args:
        settings: Where to log.
        kind: ``graft``, ``adapt`` or ``pretrain``; also the experiment's name where the settings give none.
        folder: The command's output folder, which names the run.
        parameters: The settings it ran with.
        metrics: ``(step, name, value)``.
        artifacts: Files to attach; missing ones are left out.

    Returns:
        A warning; empty where everything is in the store that was asked for.

    Raises:
        LexigraftError: A required store does not answer.
    """
    tracker = MlflowTracker.open(settings, kind, folder)

    points, files, token = tuple(metrics), tuple(artifacts), uuid.uuid4().hex

    def log(client: MlflowClient, uri: str) -> None:
        experiment = experiment_id(client, uri, tracker.experiment, tracker.given_id)
        commit, dirty = code_version()
        tags = {KIND: kind, "lexigraft.code": commit, "lexigraft.dirty": str(dirty).lower(), ONCE: token}
        run = client.create_run(experiment, tags=tags, run_name=folder.name)
        log_values(client, run.info.run_id, RunValues(parameters, points), files)
        client.set_terminated(run.info.run_id, "FINISHED")
        # A request whose answer was lost is sent again, and may have made a second run.
        for other in named_runs(client, experiment, {ONCE: token}):
            if other.info.run_id != run.info.run_id:
                client.delete_run(other.info.run_id)

    def taken(by: MlflowTracker) -> bool:
        return by.client is None or by.attempt(partial(log, by.client, by.uri))

    if taken(tracker):
        return tracker.warning
    # What the store did not take whole goes to the folder, as if it had not answered at all.
    local = MlflowTracker.in_folder(tracker.uri, tracker.error, tracker.experiment, folder)
    if taken(local):
        return local.warning
    return f"MLflow at {masked_uris(local.uri)} did not take the run ({local.error}); the result is in {folder}"
