"""MLflow client: no telemetry, short timeouts for a dead server, artifacts beside a local database."""

from __future__ import annotations

import logging
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_ALWAYS = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
_SQLITE = "sqlite:///"


def connect(uri: str) -> MlflowClient:
    """Connect to a tracking store and check that it answers.

    Args:
        uri: ``sqlite:///PATH``, ``http://…``, or any store MLflow knows. A sqlite file's folder is made when missing.

    Returns:
        The client.

    Raises:
        Exception: Whatever MLflow or its transport raises when the store does not answer.
    """
    for name, value in _SETTINGS.items():
        if name in _ALWAYS:
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if (database := database_file(uri)) is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # MLflow 3's own tables use what SQLAlchemy 2.1 deprecates; a user cannot act on it.
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def database_file(uri: str) -> Path | None:
    """The file behind a sqlite URI, absolute; None for other stores."""
    return Path(uri.removeprefix(_SQLITE)).resolve() if uri.startswith(_SQLITE) else None


def experiment_id(client: MlflowClient, uri: str, name: str) -> str:
    """The id of an experiment by name; it is created when missing and restored when deleted.

    With a sqlite store its artifacts go to ``mlruns/`` beside the database.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        database = database_file(uri)
        folder = (database.parent / "mlruns" / re.sub(r"[^\w.-]+", "_", name)).as_uri() if database else None
        return str(client.create_experiment(name, artifact_location=folder))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
