"""MLflow project backends, which run a project's command as a job of a launcher."""

from __future__ import annotations

import logging
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import click
from mlflow import MlflowClient
from mlflow.exceptions import ExecutionException
from mlflow.projects import utils as projects
from mlflow.projects.backend.abstract_backend import AbstractBackend
from mlflow.projects.submitted_run import SubmittedRun

from lexigraft.core.config.recipe_files import read_study_recipe
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.driver import SHOWN_LINES
from lexigraft.core.remote.grace import Grace
from lexigraft.core.remote.job_state import JobState, State
from lexigraft.core.remote.job_store import JobStore
from lexigraft.core.remote.launcher import Handle, Launcher
from lexigraft.core.remote.remote_recipe import is_of_this_machine, write_remote_recipe
from lexigraft.core.utils.secrets import masked

_LOG = logging.getLogger("mlflow.projects.lexigraft")
"""One of MLflow's, whose messages its command line shows."""
_POLL_SECONDS = 2.0
_OF_MLFLOW = {value for name, value in vars(projects).items() if name.startswith("PROJECT_")}
"""Keys that MLflow adds to a backend's configuration."""


class LauncherRun(SubmittedRun):
    """A project's run as a job.

    Args:
        launcher: The launcher.
        handle: The job.
        run_id: MLflow's run.
        out: The folder on this machine that the job's results are brought to.
    """

    def __init__(self, launcher: Launcher, handle: Handle, run_id: str, out: Path) -> None:
        super().__init__()
        self.launcher, self.handle, self.out, self._run_id = launcher, handle, out, run_id

    @property
    def run_id(self) -> str:
        """MLflow's run."""
        return self._run_id

    def wait(self) -> bool:
        """Wait for the job's end, bring its results here, and give MLflow's run the status that the job's end means."""
        grace = Grace(self.launcher.late_seconds)
        while not grace.over(self.handle, state := self._state()):
            time.sleep(_POLL_SECONDS)
        words = masked(state.sentence(self.launcher.tail(self.handle, SHOWN_LINES)))
        _LOG.log(logging.INFO if state.state is State.FINISHED else logging.ERROR, "the job %s", words)
        self.launcher.fetch(self.handle, self.out)
        MlflowClient().set_terminated(self._run_id, state.mlflow)
        return state.state is State.FINISHED

    def get_status(self) -> str:
        """The status of the run, by the job's state."""
        return self._state().mlflow

    def cancel(self) -> None:
        """End the job, and wait for that."""
        if not self._state().over:
            self.launcher.cancel(self.handle)
        self.wait()

    def _state(self) -> JobState:
        return self.launcher.poll(self.handle)


class LauncherBackend(AbstractBackend):
    """Runs projects as jobs of the launcher that a subclass names."""

    launcher_name: ClassVar[str]

    def run(
        self,
        project_uri: str,
        entry_point: str,
        params: dict[str, Any],
        version: str | None,
        backend_config: dict[str, Any],
        tracking_uri: str,
        experiment_id: str,
    ) -> LauncherRun:
        """Submit an entry point.

        Args:
            project_uri: The project's folder or git address.
            entry_point: The entry point.
            params: Its parameters.
            version: A commit or branch, for git.
            backend_config: The launcher's fields, among MLflow's own keys.
            tracking_uri: The tracking server.
            experiment_id: The experiment.

        Raises:
            ExecutionException: The launcher's configuration is wrong, its system refuses the job, or the command line
                has waited for the job, which did not end well.
        """
        values = {key: value for key, value in backend_config.items() if key not in _OF_MLFLOW}
        try:
            launcher: Launcher = make("launcher", self.launcher_name, values)
            if not launcher.shares_files and is_of_this_machine(tracking_uri):
                hint = "Name a tracking server by MLFLOW_TRACKING_URI; `lexigraft compare --backend` needs none"
                raise LexigraftError("jobs on another machine cannot log to a store of this one", tracking_uri, hint)
            launcher.check()
            place = projects.fetch_and_validate_project(project_uri, version, entry_point, params)
            run = projects.get_or_create_run(None, project_uri, experiment_id, place, version, entry_point, params)
            run_id = run.info.run_id
            out = Path(params.get("out") or run_id).resolve()
            store = JobStore(out)
            if not (store.folder / "backend.json").exists():
                store.save_backend(self.launcher_name, values)
            attempt = store.next(f"mlflow-{run_id}")
            storage = backend_config.get(projects.PROJECT_STORAGE_DIR)
            commands = projects.get_entry_point_command(projects.load_project(place), entry_point, params, storage)
            command = _there(launcher, commands, Path(place), out, attempt.folder)
            env = launcher.passed() | projects.get_run_env_vars(run_id, run.info.experiment_id)
            handle = launcher.submit(command, launcher.resources, _text(env), attempt.folder)
            store.save_handle(attempt, handle)
        except LexigraftError as error:
            raise ExecutionException(masked(str(error))) from error
        run = LauncherRun(launcher, handle, run_id, out)
        _LOG.info("submitted as job %s; lexigraft remote status %s shows it", handle.id, out)
        # The command line of MLflow waits for its own backends only, and would leave the run without an end.
        if click.get_current_context(silent=True) is not None and not run.wait():
            raise ExecutionException(f"the job of the run {run_id} did not end well; see lexigraft remote logs {out}")
        return run


def _there(launcher: Launcher, commands: list[str], place: Path, out: Path, folder: Path) -> list[str]:
    """The commands as one for the job's machine: its Lexigraft, its paths, in the project's folder."""
    pushed = [] if launcher.shares_files else [place]
    lines = []
    for line in commands:  # text for a shell, in which parameters are quoted
        there = re.sub(r"^lexigraft(?=\s)", f"{shlex.quote(launcher.interpreter)} -m lexigraft", line)
        for word in {*shlex.split(line)} if not launcher.shares_files else ():
            moved = _moved(word, launcher, out, folder, pushed).replace("\\", r"\\")
            there = re.sub(rf"(?<![\w./-]){re.escape(word)}(?![\w./-])", moved, there)
        lines.append(there)
    launcher.push(pushed)
    return ["bash", "-c", " && ".join([shlex.join(["cd", launcher.there(place)]), *lines])]


def _moved(word: str, launcher: Launcher, out: Path, folder: Path, pushed: list[Path]) -> str:
    """A word of a command with a path of this machine replaced; a recipe is written anew with the paths in it."""
    path = Path(word)
    if not path.is_absolute() or not (path.exists() or path == out):
        return word
    if path.suffix in (".yaml", ".yml") and path.is_file():
        path, inputs = write_remote_recipe(read_study_recipe(path), launcher, folder)
        pushed += inputs
    if path != out:
        pushed.append(path)
    return launcher.there(path)


def _text(env: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in env.items() if value is not None}


class Ssh(LauncherBackend):
    """`mlflow run --backend lexigraft-ssh`."""

    launcher_name = "ssh"


class Slurm(LauncherBackend):
    """`mlflow run --backend lexigraft-slurm`."""

    launcher_name = "slurm"


class Kubernetes(LauncherBackend):
    """`mlflow run --backend lexigraft-kubernetes`."""

    launcher_name = "kubernetes"
