"""The launcher `local`: detached processes of this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.job_files import STARTED, read_json, write_credentials
from lexigraft.core.remote.job_state import Evidence
from lexigraft.core.remote.launcher import Handle, Launcher, Resources, harmless_environment
from lexigraft.core.remote.processes import is_alive, stop

_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Local(Launcher):
    """Detached processes of this machine, each in a session of its own: they outlive the shell that started them."""

    name: ClassVar[str] = "local"

    def submit(self, command: Sequence[str], resources: Resources, env: Mapping[str, str], workdir: Path) -> Handle:
        """Start the wrapper in the background."""
        write_credentials(workdir, env)
        options = ["--detach"] + (["--time-limit", f"{resources.seconds:g}"] if resources.seconds else [])
        threads = {_THREADS: str(resources.cpus)} if resources.cpus else {}
        done = subprocess.run(
            self.wrapped(self.by_torchrun(command, resources.gpus), str(workdir), *options),
            env=harmless_environment() | threads,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        try:
            known = json.loads(done.stdout)
        except ValueError:
            raise LexigraftError("the job cannot be started", workdir, done.stderr.strip()[-300:]) from None
        return Handle(self.name, str(known["pid"]), str(workdir), known)

    def evidence(self, handle: Handle) -> Evidence:
        """Whether the wrapper's process lives."""
        return Evidence(alive=is_alive(handle.data))

    def stop(self, handle: Handle) -> None:
        """End the wrapper, which ends the command and writes down how."""
        stop(handle.data)

    def find(self, workdir: Path) -> Handle | None:
        """The process that wrote ``started.json``."""
        known = read_json(workdir / STARTED)
        return None if known is None else Handle(self.name, str(known["pid"]), str(workdir), known)
