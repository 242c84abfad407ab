"""Store of a comparison's jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.job_files import read_json, write_json
from lexigraft.core.remote.launcher import Handle, Launcher

REMOTE = "remote"
"""The folder of a comparison for its jobs."""
_HANDLE, _BACKEND, _HALT = "handle.json", "backend.json", "cancelled.json"


@dataclass(frozen=True)
class Attempt:
    """One start of a job.

    Attributes:
        job: The job's name.
        number: Which start it is, from 1.
        folder: Its folder.
        handle: Its handle; None where it was never written.
    """

    job: str
    number: int
    folder: Path
    handle: Handle | None


class JobStore:
    """The jobs in one comparison's folder.

    Args:
        folder: The comparison's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve() / REMOTE

    def save_backend(self, name: str, values: Mapping[str, Any]) -> None:
        """Keep the launcher's name and configuration for other shells."""
        write_json(self.folder / _BACKEND, {"name": name, "values": dict(values)})

    def launcher(self) -> Launcher:
        """The launcher that the jobs were started with.

        Raises:
            LexigraftError: No jobs were started in this folder, or its launcher is not installed.
        """
        kept = read_json(self.folder / _BACKEND)
        if kept is None:
            hint = "Give the folder that `lexigraft compare` or `transfer` wrote with --backend NAME"
            raise LexigraftError("no remote jobs in this folder", self.folder.parent, hint)
        launcher: Launcher = make("launcher", kept["name"], kept["values"])
        return launcher

    def jobs(self) -> list[str]:
        """The names of the jobs, in the order of their first start."""
        if not self.folder.is_dir():
            return []
        found = {path.name: first.folder for path in self.folder.iterdir() if (first := self._read(path.name, 1))}
        return sorted(found, key=lambda name: (found[name].stat().st_mtime_ns, name))

    def latest(self, job: str) -> Attempt | None:
        """The last start of a job; None where it was never started."""
        numbers = [int(path.name) for path in (self.folder / job).glob("[0-9]*") if path.name.isdigit()]
        return self._read(job, max(numbers)) if numbers else None

    def next(self, job: str) -> Attempt:
        """The folder for another start; that of a start that came to nothing is taken again."""
        last = self.latest(job)
        number = 1 if last is None else last.number + (last.handle is not None)
        folder = self.folder / job / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        return Attempt(job, number, folder, None)

    def save_handle(self, attempt: Attempt, handle: Handle) -> None:
        """Write down a submitted job, which is never submitted a second time from now on."""
        write_json(attempt.folder / _HANDLE, handle.as_json())

    def halt(self) -> None:
        """Ask a driver, if one runs, to start no more jobs."""
        write_json(self.folder / _HALT, {})

    def go_on(self) -> None:
        """Take an earlier ``halt`` back."""
        (self.folder / _HALT).unlink(missing_ok=True)

    @property
    def halted(self) -> bool:
        """Whether no more jobs are to be started."""
        return (self.folder / _HALT).exists()

    def _read(self, job: str, number: int) -> Attempt | None:
        folder = self.folder / job / str(number)
        if not folder.is_dir():
            return None
        values = read_json(folder / _HANDLE)
        return Attempt(job, number, folder, Handle(**values) if values else None)
