"""MLflow client whose calls end in bounded time."""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from lexigraft.adapters.tracking.database import database_of, open_whole
from lexigraft.core.errors import LexigraftError

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
_LOGGERS = {"alembic": logging.WARNING, "mlflow.store.db.utils": logging.ERROR, "mlflow.tracking": logging.WARNING}
PATIENCE_SECONDS = 75.0
"""The longest that one call of the store may take, all of its requests and retries together."""
T = TypeVar("T")


def in_time(call: Callable[[], T]) -> T:
    """What a call to the store returns, unless it takes longer than ``PATIENCE_SECONDS``.

    A transport's own timeout starts again with every byte that arrives, so that a server which sends one now and then
    is waited for without end. A call that takes too long is left to a thread that dies with the process.

    Raises:
        TimeoutError: The call takes too long.
        Exception: Whatever the call raises.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(call())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="tracking", daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {PATIENCE_SECONDS:.0f} seconds")
    return answers[0]


def refused(error: Exception) -> bool:
    """Whether an error concerns the one thing that was sent, so that the next may be taken."""
    from mlflow.exceptions import RestException

    if isinstance(error, RestException):
        return bool(error.get_http_status_code() < 500)
    return isinstance(error, LexigraftError)


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
    for name, level in _LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    with warnings.catch_warnings():
        # MLflow 3's own tables use what SQLAlchemy 2.1 deprecates; a user cannot act on it.
        warnings.simplefilter("ignore")
        import mlflow

        return in_time(lambda: _connected(mlflow.MlflowClient, uri))


def _connected(client_of: type[MlflowClient], uri: str) -> MlflowClient:
    if (database := database_of(uri)) is None:
        return _answering(client_of, uri)
    open_whole(database, lambda store: _answering(client_of, store))
    return client_of(tracking_uri=database.uri)


def _answering(client_of: type[MlflowClient], uri: str) -> MlflowClient:
    client = client_of(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def store_uri(uri: str) -> str:
    """The URI with which MLflow opens the store that a URI of the user's means."""
    database = database_of(uri)
    return uri if database is None else database.uri


def experiment_id(client: MlflowClient, uri: str, name: str, given: str = "") -> str:
    """The id of an experiment by name; it is created when missing and restored when deleted.

    With a sqlite store its artifacts go to ``mlruns/`` beside the database.

    Args:
        client: The client.
        uri: Its store.
        name: The experiment's name.
        given: An experiment's id, which comes before the name where the store has it.
    """
    from mlflow.exceptions import MlflowException

    if given:
        with suppress(MlflowException):
            return str(client.get_experiment(given).experiment_id)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        database = database_of(uri)
        folder = (database.file.parent / "mlruns" / re.sub(r"[^\w.-]+", "_", name)).as_uri() if database else None
        try:
            return str(client.create_experiment(name, artifact_location=folder))
        except MlflowException:
            # Another process made it meanwhile, or this request was sent again after its answer was lost.
            if (experiment := client.get_experiment_by_name(name)) is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
