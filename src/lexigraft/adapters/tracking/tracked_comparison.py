"""MLflow runs of one comparison, one for each cell.

The comparison's folder is the outbox: a cell's ``result.json`` holds all that its run shows. The store itself says what
it has taken: a cell's run is whole when it is FINISHED, which is the last thing that is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.tracking.client import experiment_id
from lexigraft.adapters.tracking.runs import RunValues, child_values, log_values, named_runs, shared_tags
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import COMPARISON, RECIPE, RESULT, cell_folder
from lexigraft.core.utils.files import lock_file, write_whole
from lexigraft.core.utils.secrets import masked_uris

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT, CELL, KIND = "lexigraft.comparison", "lexigraft.cell", "lexigraft.kind"
_PARENT_ID = "mlflow.parentRunId"
_OTHERS_SECONDS = 30.0
REMEMBERED = "tracking.json"
"""The file of a comparison's folder with the store and the id of the parent run."""


@dataclass
class TrackedComparison:
    """The runs of one comparison in one store.

    Two senders at a time would log a cell twice: another process, or a call of this one that was given up and still
    goes on. So the parent, and each cell, is sent under a lock in the folder, and the store is asked first what it has.

    Attributes:
        client: The connected client.
        uri: The store, as MLflow opens it.
        experiment: The experiment's name.
        given_id: The id of the experiment to use in place of the one of that name; empty where none is given.
        folder: The comparison's folder; the same cells in another folder are another parent run.
        comparison: The cells and facts.
        recipe: The recipe's YAML text.
        parent: The parent run's id; empty before :meth:`open`.
        delivered: Keys of the cells whose runs are known to be whole.
    """

    client: MlflowClient
    uri: str
    experiment: str
    given_id: str
    folder: Path
    comparison: Comparison
    recipe: str
    parent: str = ""
    delivered: set[str] = field(default_factory=set)
    _experiment_id: str = ""

    def open(self) -> None:
        """Open the parent run: the one that the folder remembers, else one with the comparison's tag, else a new."""
        with _alone(self.folder, REMEMBERED):
            self._experiment_id = experiment_id(self.client, self.uri, self.experiment, self.given_id)
            run = self._remembered() or self._found() or self._created()
            self._remember(run)
            # Parameters come last, so that a parent without them was cut off.
            if not run.data.params:
                self.client.log_text(run.info.run_id, self.recipe, RECIPE)
                log_values(self.client, run.info.run_id, child_values(self.comparison, None))
            self.client.update_run(run.info.run_id, status="RUNNING")
            children = self._children(run.info.run_id)
            self.delivered = {child.data.tags[CELL] for child in children if child.info.status == "FINISHED"}
            self.parent = run.info.run_id

    def deliver(self, result: CellResult) -> None:
        """Log a finished cell unless its run is there; one that was cut off is deleted, and sent anew."""
        key, home = result.cell.key, cell_folder(self.folder, result.cell)
        if key in self.delivered:
            return
        with _alone(home, RESULT):
            whole = False
            for run in self._children(self.parent, key):
                if run.info.status == "FINISHED":
                    whole = True
                else:
                    self.client.delete_run(run.info.run_id)
            if not whole:
                self._send(result, home)
        self.delivered.add(key)

    def whole(self, key: str) -> Run | None:
        """The run of a cell, where it is there whole."""
        return next((run for run in self._children(self.parent, key) if run.info.status == "FINISHED"), None)

    def close(self, files: Iterable[Path], *, failed: bool) -> None:
        """Attach files to the parent run, delete what is there twice, and close it."""
        log_values(self.client, self.parent, RunValues(), [self.folder / COMPARISON, *files])
        self._drop_doubles()
        self.client.set_terminated(self.parent, "FAILED" if failed else "FINISHED")

    @property
    def _identity(self) -> str:
        comparison = self.comparison
        parts = [comparison.name, str(self.folder.resolve()), *sorted(c.key for c in comparison.cells)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _remembered(self) -> Run | None:
        from mlflow.exceptions import MlflowException

        try:
            kept = json.loads((self.folder / REMEMBERED).read_text(encoding="utf-8"))
            run_id = kept["parent"] if kept["store"] == masked_uris(self.uri) else ""
        except (OSError, ValueError, LookupError, TypeError):
            return None
        with suppress(MlflowException):
            run = self.client.get_run(run_id) if run_id else None
            if run and run.info.lifecycle_stage == "active" and run.info.experiment_id == self._experiment_id:
                return run if run.data.tags.get(PARENT) == self._identity else None
        return None

    def _remember(self, run: Run) -> None:
        kept = {"store": masked_uris(self.uri), "experiment": self.experiment, "parent": run.info.run_id}
        write_whole(self.folder / REMEMBERED, json.dumps(kept, indent=1))

    def _found(self) -> Run | None:
        return next(iter(named_runs(self.client, self._experiment_id, {PARENT: self._identity})), None)

    def _created(self) -> Run:
        tags = {PARENT: self._identity, KIND: "comparison"} | shared_tags(self.comparison)
        return self.client.create_run(self._experiment_id, tags=tags, run_name=self.comparison.name)

    def _children(self, parent: str, key: str = "") -> list[Run]:
        tags = {_PARENT_ID: parent} | ({CELL: key} if key else {KIND: "cell"})
        return named_runs(self.client, self._experiment_id, tags)

    def _drop_doubles(self) -> None:
        """Delete second runs: a request whose answer was lost is sent again, and the server may do both, much later."""
        parents = named_runs(self.client, self._experiment_id, {PARENT: self._identity})
        began = {run.info.start_time for run in parents if run.info.run_id == self.parent}
        doubles = [run for run in parents if run.info.run_id != self.parent and run.info.start_time in began]
        children = self._children(self.parent)
        # The first whole run of a cell stays.
        whole = {run.data.tags[CELL]: run for run in reversed(children) if run.info.status == "FINISHED"}
        doubles += [run for run in children if whole.get(run.data.tags[CELL], run) is not run]
        for run in doubles:
            self.client.delete_run(run.info.run_id)

    def _send(self, result: CellResult, home: Path) -> None:
        cell = result.cell
        tags = {CELL: cell.key, _PARENT_ID: self.parent, KIND: "cell", "lexigraft.strategy": cell.label}
        tags |= shared_tags(self.comparison)
        run = self.client.create_run(self._experiment_id, tags=tags, run_name=f"{cell.label} s{cell.seed}")
        artifacts = [home / RESULT, home / "provenance.parquet"]
        log_values(self.client, run.info.run_id, child_values(self.comparison, result), artifacts)
        self.client.set_terminated(run.info.run_id, "FINISHED")


def _alone(folder: Path, name: str) -> AbstractContextManager[None]:
    """Keep other senders out, of this process and of others, until this one has ended or died."""
    folder.mkdir(parents=True, exist_ok=True)
    refusal = LexigraftError("another process is sending this to MLflow", folder / name, "The same command sends it")
    return lock_file(folder / f".{name}.sent.lock", refusal, remove=True, wait_seconds=_OTHERS_SECONDS)
