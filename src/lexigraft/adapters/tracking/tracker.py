"""MLflow tracking of a comparison: a parent run, one child for each cell, no duplicates, robust to a dead server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.tracking.client import connect, experiment_id, in_time, store_uri
from lexigraft.adapters.tracking.runs import (
    RunValues,
    child_values,
    finished_child,
    log_values,
    named_runs,
    shared_tags,
)
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cell import CellResult, Comparison
from lexigraft.core.evaluation.cell_store import COMPARISON, RECIPE, RESULT, cell_folder, load_results
from lexigraft.core.utils.secrets import MASK, masked, masked_uris
from lexigraft.core.utils.versions import code_version

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT, CELL, KIND = "lexigraft.comparison", "lexigraft.cell", "lexigraft.kind"
_LATER = "Every result is in {folder}; the same `lexigraft compare` logs them later and runs nothing again"


@dataclass
class MlflowTracker:
    """Logs a comparison while it runs. After ``open`` no method raises: ``finish`` returns what failed.

    Attributes:
        client: The connected client; None where neither the store that was asked for nor a local one could be opened.
        uri: The store that is used, as MLflow opens it; empty where none could be opened.
        experiment: The experiment's name.
        folder: The comparison's folder; the same cells in another folder are another parent run.
        warning: Set where the store that was asked for did not answer; empty otherwise.
        given_id: The id of the experiment to use in place of the one of that name; empty where none is given.
    """

    client: MlflowClient | None
    uri: str
    experiment: str
    folder: Path
    warning: str = ""
    given_id: str = ""
    _experiment_id: str = ""
    _parent: str = ""
    _comparison: Comparison | None = None
    _error: str = ""
    _logged: set[str] = field(default_factory=set)

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
        try:
            if MASK in uri and masked_uris(uri) == uri:
                raise LexigraftError("its password is masked: give the recipe that has it, or set MLFLOW_TRACKING_URI")
            given = "" if settings.experiment else os.environ.get("MLFLOW_EXPERIMENT_ID", "")
            return cls(connect(uri), store_uri(uri), experiment, folder, given_id=given)
        except Exception as error:
            reason = _short(error, uri)
            if settings.required:
                hint = f"{reason}. Start it, set tracking.uri, or set tracking.required to false to log locally"
                raise LexigraftError("the MLflow store does not answer", masked_uris(uri), hint) from None
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
        self._comparison = comparison
        self._try(lambda client: self._start(client, comparison, recipe))

    def log_cell(self, result: CellResult, folder: Path) -> None:
        """Log one finished cell, once; an unfinished run from an interruption is replaced.

        Args:
            result: The result.
            folder: The comparison's folder.
        """
        self._try(lambda client: self._log_cell(client, result, folder))

    def finish(self, folder: Path, report: Iterable[Path] = (), *, failed: bool = False) -> str:
        """Log what is still missing, attach recipe and report, and close the parent run.

        Args:
            folder: The comparison's folder.
            report: The files of the written report.
            failed: Some cells failed.

        Returns:
            A warning; empty where everything is in the store that was asked for.
        """
        self._error = ""
        self._try(lambda client: self._reopen(client, folder))
        # One call for each cell: the time of a call is bounded, a comparison may have any number of cells.
        for result in load_results(folder, self._comparison) if self._comparison else ():
            self.log_cell(result, folder)
        self._try(lambda client: self._close(client, folder, report, failed))
        return self.problem(folder)

    def problem(self, folder: Path) -> str:
        """A warning on what was not logged as asked so far; empty where everything was.

        Args:
            folder: The comparison's folder.
        """
        lost = f"MLflow at {masked_uris(self.uri)} stopped answering ({self._error}). {_LATER.format(folder=folder)}"
        return lost if self._error else self.warning

    def _try(self, step: Callable[[MlflowClient], None]) -> None:
        """Run a step unless the store has failed already: a dead server costs one timeout, not one for each cell."""
        client = self.client
        if self._error or client is None:
            return
        try:
            in_time(lambda: step(client))
        except Exception as error:
            self._error = _short(error, self.uri)

    def _start(self, client: MlflowClient, comparison: Comparison, recipe: str) -> None:
        self._experiment_id = experiment_id(client, self.uri, self.experiment, self.given_id)
        parts = [comparison.name, str(self.folder.resolve()), *sorted(c.key for c in comparison.cells)]
        identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        runs = named_runs(client, self._experiment_id, {PARENT: identity})
        if runs:
            self._parent = runs[0].info.run_id
            client.update_run(self._parent, status="RUNNING")
            return
        tags = {PARENT: identity, KIND: "comparison"} | shared_tags(comparison)
        run = client.create_run(self._experiment_id, tags=tags, run_name=comparison.name)
        self._parent = run.info.run_id
        client.log_text(self._parent, recipe, RECIPE)
        values = child_values(comparison, None)
        log_values(client, self._parent, values)

    def _log_cell(self, client: MlflowClient, result: CellResult, folder: Path) -> None:
        key = result.cell.key
        if self._comparison is None or key in self._logged:
            return
        wanted = {CELL: key, "mlflow.parentRunId": self._parent}
        if not finished_child(client, self._experiment_id, wanted):
            tags = wanted | {KIND: "cell", "lexigraft.strategy": result.cell.label} | shared_tags(self._comparison)
            name = f"{result.cell.label} s{result.cell.seed}"
            run = client.create_run(self._experiment_id, tags=tags, run_name=name)
            results = cell_folder(folder, result.cell)
            artifacts = [results / RESULT, results / "provenance.parquet"]
            log_values(client, run.info.run_id, child_values(self._comparison, result), artifacts)
            client.set_terminated(run.info.run_id, "FINISHED")
        self._logged.add(key)

    def _reopen(self, client: MlflowClient, folder: Path) -> None:
        if self._comparison is not None and not self._parent:
            self._start(client, self._comparison, _text(folder / RECIPE))

    def _close(self, client: MlflowClient, folder: Path, report: Iterable[Path], failed: bool) -> None:
        if self._comparison is None:
            return
        files = [folder / COMPARISON, *report]
        log_values(client, self._parent, RunValues(), files)
        client.set_terminated(self._parent, "FAILED" if failed else "FINISHED")


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

    def log(client: MlflowClient) -> None:
        experiment = experiment_id(client, tracker.uri, tracker.experiment, tracker.given_id)
        commit, dirty = code_version()
        tags = {KIND: kind, "lexigraft.code": commit, "lexigraft.dirty": str(dirty).lower()}
        run = client.create_run(experiment, tags=tags, run_name=folder.name)
        log_values(client, run.info.run_id, RunValues(parameters, tuple(metrics)), artifacts)
        client.set_terminated(run.info.run_id, "FINISHED")

    tracker._try(log)
    failed = f"MLflow at {masked_uris(tracker.uri)} did not take the run ({tracker._error}); the result is in {folder}"
    return failed if tracker._error else tracker.warning


def asked_for(settings: TrackingSettings) -> str:
    """The store to use: what the settings say, else ``MLFLOW_TRACKING_URI``, else the settings' default.

    The recipe beside the results names its store with the password masked; where the variable holds that same store, it
    is the one that is meant.
    """
    given, variable = settings.uri, os.environ.get("MLFLOW_TRACKING_URI")
    open_or_masked = "uri" not in settings.model_fields_set or (MASK in given and masked_uris(variable) == given)
    return (open_or_masked and variable) or given


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _short(error: Exception, uri: str) -> str:
    text = masked(" ".join(str(error).split()), uri) or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
