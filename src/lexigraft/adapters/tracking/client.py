"""A quiet MLflow client: no telemetry, short waits for a dead server, artifacts beside a local database."""

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
    """A client for a tracking store that has answered one question.

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
        # MLflow 3's own tables use what SQLAlchemy 2.1 deprecates; nothing a user of ours can act on.
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def database_file(uri: str) -> Path | None:
    """The file behind a sqlite URI, absolute; None for other stores."""
    return Path(uri.removeprefix(_SQLITE)).resolve() if uri.startswith(_SQLITE) else None


def experiment_id(client: MlflowClient, uri: str, name: str) -> str:
    """The experiment of that name, made when missing, brought back when deleted.

    With a sqlite store its artifacts go to ``mlruns/`` beside the database.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        database = database_file(uri)
        folder = (database.parent / "mlruns" / re.sub(r"[^\w.-]+", "_", name)).as_uri() if database else None
        return str(client.create_experiment(name, artifact_location=folder))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)
