"""Contract of launchers, which make a command a job somewhere and watch and end it from any shell."""

from __future__ import annotations

import math
import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BeforeValidator, ByteSize, Field

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.job_files import CANCELLED, JobFiles, last_lines, write_json
from lexigraft.core.remote.job_state import Evidence, JobState, decide
from lexigraft.core.remote.wrapper import HEARTBEAT_SECONDS, MODULE

HARMLESS = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV",
        "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HF_HOME", "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME", "LEXIGRAFT_PLUGINS", "LEXIGRAFT_CACHE",
    }
)  # fmt: skip
"""Variables that hold no secrets, and without which programs do not run as they do in the user's shell."""
NETWORK_FILES_SECONDS = 60.0
"""How long NFS, as it is mounted by default, may show a folder as it was (its option ``acdirmax``)."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(value: object) -> object:
    """Seconds of a time such as ``90m``, ``12h``, ``2d``, ``HH:MM:SS`` or ``D-HH:MM:SS``, or of a number of seconds.

    Raises:
        ValueError: It is none of these.
    """
    text = str(value).strip()
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return float(match[1]) * _UNITS[match[2]]
    if match := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError("not a time; write for example 90m, 12h, 02:30:00 or 1-00:00:00")


Seconds = Annotated[float, BeforeValidator(seconds_of), Field(gt=0)]
Memory = Annotated[ByteSize, Field(gt=0)]
Number = Annotated[int, Field(ge=0, le=2**16)]


@dataclass(frozen=True)
class Resources:
    """What a job asks for, ``None`` where the launcher's system decides.

    Attributes:
        cpus: Processor cores.
        gpus: GPUs on each machine.
        memory: Main memory in bytes.
        seconds: Time limit.
        nodes: Machines.
    """

    cpus: int | None = None
    gpus: int | None = None
    memory: int | None = None
    seconds: float | None = None
    nodes: int = 1


class Job(NamedTuple):
    """One command to submit; the arguments of :meth:`Launcher.submit`."""

    command: Sequence[str]
    resources: Resources
    env: Mapping[str, str]
    workdir: Path


@dataclass(frozen=True)
class Handle:
    """A submitted job as plain data, by which another shell, after a reboot too, watches and ends it.

    Attributes:
        launcher: The launcher's name.
        id: The job's name in the launcher's system: a process number, a Slurm job id.
        workdir: The job's folder on this machine.
        data: What else the launcher needs.
    """

    launcher: str
    id: str
    workdir: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values that ``Handle(**values)`` reads back."""
        return asdict(self)


@dataclass(frozen=True)
class Launcher(ABC):
    """A way of running commands as jobs.

    A subclass is a frozen dataclass in a file of its own under ``plugins/launchers/``, named after it, or in another
    package that names it as an entry point of the group ``lexigraft.launchers``. Its fields are the keys of the backend
    configuration; those below every launcher has.

    A job's folder (``workdir``) holds everything about it: the log ``job.log`` and the files of
    :mod:`lexigraft.core.remote.job_files`, which the wrapper around the command writes. A subclass implements
    ``submit``, ``evidence`` and ``stop``. One whose machines do not share this machine's files also implements
    ``push``, ``there``, ``files``, ``tail`` and ``fetch``.

    Attributes:
        python: Python with Lexigraft on the job's machine; by default this process's own.
        pass_env: Names of variables that reach the job, with the values they have here; no others with secrets do.
        cpus: Processor cores of a job.
        gpus: GPUs of a job.
        memory: Main memory of a job.
        time: Time limit of a job.
        heartbeat: Time between a job's signs of life.
    """

    name: ClassVar[str]
    limits_parallel: ClassVar[bool] = False
    """Whether ``submit_many`` itself keeps to ``parallel``; if not, no more jobs than that are submitted at a time."""
    orders_jobs: ClassVar[bool] = False
    """Whether ``submit_many`` itself lets jobs wait for those named by ``after``; if not, none are named."""
    shares_files: ClassVar[bool] = True
    """Whether the jobs' machines see this machine's files under the same paths."""
    late_seconds: ClassVar[float] = 0.0
    """How long after a job's end its files may be seen here: those of a network file system come late."""

    python: str = ""
    pass_env: tuple[str, ...] = ()
    cpus: Number | None = None
    gpus: Number | None = None
    memory: Memory | None = None
    time: Seconds | None = None
    heartbeat: Seconds = HEARTBEAT_SECONDS

    @abstractmethod
    def submit(self, command: Sequence[str], resources: Resources, env: Mapping[str, str], workdir: Path) -> Handle:
        """Start a command as a job that outlives this process.

        Args:
            command: The command, with paths of the machine that it runs on (see ``there``).
            resources: What it asks for.
            env: Variables for it that may be secrets: into a file of mode 0600 or the like, never on a command line.
            workdir: The job's folder on this machine, which exists.

        Raises:
            LexigraftError: The system refuses the job; with its own words.
        """

    @abstractmethod
    def evidence(self, handle: Handle) -> Evidence:
        """What the launcher's system says about a job."""

    @abstractmethod
    def stop(self, handle: Handle) -> None:
        """Have the launcher's system end a job; one that is over already is left alone."""

    def check(self) -> None:  # noqa: B027
        """Check, before anything is submitted, that the system is there and takes these settings.

        Raises:
            LexigraftError: It is not, or does not.
        """

    def submit_many(self, jobs: Sequence[Job], parallel: int, after: Sequence[Handle] = ()) -> list[Handle]:
        """Submit several jobs.

        Args:
            jobs: The jobs.
            parallel: How many run at a time, where ``limits_parallel`` is set.
            after: Jobs that must finish first, where ``orders_jobs`` is set; when one fails, these are cancelled.
        """
        return [self.submit(*job) for job in jobs]

    def find(self, workdir: Path) -> Handle | None:
        """The job that a submission into this folder started whose handle was never written; None where there is none.

        The submitting process may be killed between the start of a job and the writing of its handle.
        """
        return None

    def there(self, path: Path) -> str:
        """The path on the job's machine for one of this machine."""
        return str(path)

    def push(self, paths: Sequence[Path]) -> None:  # noqa: B027
        """Bring files and folders to where ``there`` says; called before ``submit``."""

    def fetch(self, handle: Handle, into: Path) -> None:  # noqa: B027
        """Bring what a job has written in its comparison's folder back into ``into``; called when it is over."""

    def files(self, handle: Handle) -> JobFiles:
        """What the job has written about itself."""
        return JobFiles.read(Path(handle.workdir))

    def tail(self, handle: Handle, lines: int) -> list[str]:
        """The last lines of the job's log."""
        return last_lines(Path(handle.workdir), lines)

    def poll(self, handle: Handle) -> JobState:
        """The job's state by the files that it writes, then by the launcher's evidence."""
        files = self.files(handle)
        # Files are read again after the evidence: a job that ends in between has written its end before it was gone,
        # and one that a signal had ended may have run again to its end.
        evidence = self.evidence(handle)
        settled = files.ended is not None and not files.ended.get("received")
        return decide(files if settled else self.files(handle), evidence)

    def cancel(self, handle: Handle) -> None:
        """End a job; its state becomes ``cancelled``."""
        write_json(Path(handle.workdir) / CANCELLED, {})
        self.stop(handle)

    @property
    def start_seconds(self) -> float:
        """How long the check before a comparison may be stuck: unable to start in a way that waiting may not mend."""
        return math.inf

    @property
    def resources(self) -> Resources:
        """What each job asks for, by the fields."""
        return Resources(self.cpus, self.gpus, self.memory, self.time)

    def wrapped(self, command: Sequence[str], folder: str, *options: str) -> list[str]:
        """The command line that runs a command in the wrapper, on the machine where the job runs.

        Args:
            command: The command.
            folder: The job's folder on that machine.
            *options: Further options of the wrapper, such as ``--detach`` or ``--requeued``.
        """
        beat = ["--heartbeat", f"{self.heartbeat:g}"]
        return [self.interpreter, "-m", MODULE, folder, *beat, *options, "--", *command]

    def by_torchrun(self, command: Sequence[str], processes: int | None) -> list[str]:
        """A command that torchrun starts once for each of several GPUs of one machine; for fewer than two as it is.

        Args:
            command: The command.
            processes: How many.
        """
        if processes is None or processes < 2:
            return list(command)
        torchrun = [self.interpreter, "-m", "torch.distributed.run", "--standalone"]
        return [*torchrun, f"--nproc-per-node={processes}", "--no-python", *command]

    @property
    def interpreter(self) -> str:
        """Python with Lexigraft on the job's machine."""
        return self.python or sys.executable

    def passed(self) -> dict[str, str]:
        """The variables that reach the job, with their values here.

        Raises:
            LexigraftError: One of them is not set.
        """
        if missing := [name for name in self.pass_env if name not in os.environ]:
            hint = "Set it, or take it out of pass_env"
            raise LexigraftError("a variable of pass_env is not set", ", ".join(missing), hint)
        return {name: os.environ[name] for name in self.pass_env}


def harmless_environment(more: Iterable[str] = ()) -> dict[str, str]:
    """This process's variables that hold no secrets, ``LC_…`` and further names included."""
    wanted = HARMLESS | set(more)
    return {name: value for name, value in os.environ.items() if name in wanted or name.startswith("LC_")}
