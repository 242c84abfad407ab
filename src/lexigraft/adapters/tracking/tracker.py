"""MLflow tracking of a comparison while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.tracking.backoff import Backoff
from lexigraft.adapters.tracking.client import connect, in_time, refused, store_uri
from lexigraft.adapters.tracking.tracked_comparison import TrackedComparison
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import load_results
from lexigraft.core.utils.secrets import MASK, masked, masked_uris

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LATER = "Every result is in {folder}; the same command logs them later and runs nothing again"


@dataclass
class MlflowTracker:
    """Logs a comparison while it runs.

    After ``open`` no method raises. ``finish`` returns what failed.

    Attributes:
        client: The connected client; None where neither the store that was asked for nor a local one could be opened.
        uri: The store that is used, as MLflow opens it; empty where none could be opened.
        experiment: The experiment's name.
        folder: The comparison's folder; the same cells in another folder are another parent run.
        warning: Set where the store that was asked for did not answer; empty otherwise.
        given_id: The id of the experiment to use in place of the one of that name; empty where none is given.
        away: The store that was asked for, while another one is used because it does not answer; empty otherwise.
        error: Why the last call failed; empty where it did not.
    """

    client: MlflowClient | None
    uri: str
    experiment: str
    folder: Path
    warning: str = ""
    given_id: str = ""
    away: str = field(default="", repr=False)
    error: str = ""
    _comparison: Comparison | None = None
    _recipe: str = ""
    _runs: TrackedComparison | None = None
    _waiting: dict[str, CellResult] = field(default_factory=dict)
    _absence: Backoff = field(default_factory=Backoff)
    _silence: Backoff = field(default_factory=Backoff)
    _silent: bool = False

    @classmethod
    def open(cls, settings: TrackingSettings, name: str, folder: Path) -> MlflowTracker:
        """Connect before anything runs.

        Where the settings leave store or experiment open, ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_ID`` or
        ``MLFLOW_EXPERIMENT_NAME`` decide, as everywhere in MLflow.

        Args:
            settings: The recipe's ``tracking``.
            name: The experiment's name where the settings give none.
            folder: The comparison's folder; its ``mlflow.db`` takes the runs when the store does not answer.

        Returns:
            A connected tracker; one that logs nothing, with a warning, where no store could be opened.

        Raises:
            LexigraftError: The store does not answer and ``required`` is set.
        """
        experiment = settings.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
        uri = asked_for(settings)
        given = "" if settings.experiment else os.environ.get("MLFLOW_EXPERIMENT_ID", "")
        without_password = MASK in uri and masked_uris(uri) == uri
        try:
            if without_password:
                raise LexigraftError("its password is masked: give the recipe that has it, or set MLFLOW_TRACKING_URI")
            return cls(connect(uri), store_uri(uri), experiment, folder, given_id=given)
        except Exception as error:
            reason = _short(error, uri)
            if settings.required:
                hint = f"{reason}. Start it, set tracking.uri, or set tracking.required to false to log locally"
                raise LexigraftError("the MLflow store does not answer", masked_uris(uri), hint) from None
        tracker = cls.in_folder(uri, reason, experiment, folder)
        tracker.given_id, tracker.away = given, "" if without_password else uri
        tracker._absence.fail()
        return tracker

    @classmethod
    def in_folder(cls, uri: str, reason: str, experiment: str, folder: Path) -> MlflowTracker:
        """A tracker that logs to a database in the folder, with a warning that says why."""
        local = f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        silent = f"MLflow at {masked_uris(uri)} does not answer ({reason})"
        try:
            return cls(connect(local), store_uri(local), experiment, folder, f"{silent}; runs go to {local}")
        except Exception as error:
            warning = f"{silent}, nor can {local} be written ({_short(error, local)}); nothing is logged"
            return cls(None, "", experiment, folder, warning)

    def start(self, comparison: Comparison, recipe: str) -> None:
        """Open the comparison's parent run, or reopen the one it already has.

        Args:
            comparison: The cells and facts.
            recipe: The recipe's YAML text.
        """
        self._comparison, self._recipe = comparison, recipe
        self._opened()

    def log_cell(self, result: CellResult, folder: Path) -> None:
        """Log one finished cell, and those that wait because the store did not answer, unless a pause is not over.

        Args:
            result: The result.
            folder: The comparison's folder.
        """
        self._waiting[result.cell.key] = result
        if self._absence.over:
            self._return(folder)
        if self._silence.over:
            self._deliver()

    def finish(self, folder: Path, report: Iterable[Path] = (), *, failed: bool = False) -> str:
        """Log what is still missing, attach recipe and report, and close the parent run.

        Args:
            folder: The comparison's folder.
            report: The files of the written report.
            failed: Some cells failed.

        Returns:
            A warning; empty where everything is in the store that was asked for.
        """
        if self._comparison is None:
            return self.problem(folder)
        self._return(folder)
        self._waiting = {result.cell.key: result for result in load_results(folder, self._comparison)}
        self._deliver()
        if self._runs and not (self.error and self._silent):
            runs = self._runs
            self.attempt(lambda: runs.close(report, failed=failed))
        return self.problem(folder)

    def problem(self, folder: Path) -> str:
        """A warning on what was not logged as asked so far; empty where everything was.

        Args:
            folder: The comparison's folder.
        """
        later = _LATER.format(folder=folder)
        if self.error:
            what = "stopped answering" if self._silent else "did not take all"
            return f"MLflow at {masked_uris(self.uri)} {what} ({self.error}). {later}"
        return f"{self.warning}. {later}" if self.warning else ""

    def register(self, key: str, model: Path, name: str, example: str) -> str:
        """Log the model of a cell under its run, and register it; how long that takes depends on the model's size.

        Args:
            key: The cell's key.
            model: The model's folder.
            name: The registered model's name.
            example: A text for the input example.

        Returns:
            The version.

        Raises:
            LexigraftError: The cell's run is not in the store.
            Exception: Whatever MLflow or its transport raises.
        """
        from lexigraft.adapters.tracking.registry import register_model

        run = self._runs.whole(key) if self._runs else None
        if self._runs is None or run is None:
            raise LexigraftError("the cell's run is not in the store", masked_uris(self.uri))
        return register_model(self._runs.client, run, model, name, example)

    def _return(self, folder: Path) -> None:
        """Go back to the store that was asked for, if it answers again: it then gets all that is there."""
        if not self.away:
            return
        try:
            client = connect(self.away)
        except Exception:
            self._absence.fail()
            return
        self.client, self.uri, self.away, self.warning = client, store_uri(self.away), "", ""
        self._runs, self._silence = None, Backoff()
        if self._comparison:
            self._waiting |= {result.cell.key: result for result in load_results(folder, self._comparison)}

    def _opened(self) -> TrackedComparison | None:
        """The comparison's runs in the store, with their parent; None where they cannot be reached now."""
        if self._runs is None and self.client is not None and self._comparison is not None:
            runs = TrackedComparison(
                self.client, self.uri, self.experiment, self.given_id, self.folder, self._comparison, self._recipe
            )
            if self.attempt(runs.open):
                self._runs = runs
        return self._runs

    def _deliver(self) -> None:
        """Send what waits. A dead store costs one bounded call, not one for each cell; a refusal concerns one cell."""
        self.error, refusal = "", ""
        runs = self._opened()
        for key, result in list(self._waiting.items() if runs else ()):
            if runs and self.attempt(partial(runs.deliver, result)):
                del self._waiting[key]
            elif self._silent:
                return
            else:
                refusal = self.error
        self.error = self.error or refusal

    def attempt(self, call: Callable[[], None]) -> bool:
        """Whether a call of bounded time worked; its error is kept, and a pause begins unless the store refused it."""
        try:
            in_time(call)
        except Exception as error:
            self.error, self._silent = _short(error, self.uri), not refused(error)
            if self._silent:
                self._silence.fail()
            return False
        self._silence = Backoff()
        return True


def asked_for(settings: TrackingSettings) -> str:
    """The store to use: what the settings say, else ``MLFLOW_TRACKING_URI``, else the settings' default.

    The recipe beside the results names its store with the password masked; where the variable holds that same store, it
    is the one that is meant.
    """
    given, variable = settings.uri, os.environ.get("MLFLOW_TRACKING_URI")
    open_or_masked = "uri" not in settings.model_fields_set or (MASK in given and masked_uris(variable) == given)
    return (open_or_masked and variable) or given


def _short(error: Exception, uri: str) -> str:
    text = masked(" ".join(str(error).split()), uri) or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
