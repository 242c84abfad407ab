"""The launcher `ssh`: detached processes of one other machine, by the system's OpenSSH client."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BeforeValidator, Field

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import RECIPE
from lexigraft.core.registry import PLUGIN_PATH
from lexigraft.core.remote import file_list, wrapper
from lexigraft.core.remote.job_files import CREDENTIALS, ENDED, STARTED, JobFiles, last_lines, write_json
from lexigraft.core.remote.job_state import Evidence, JobState, decide
from lexigraft.core.remote.launcher import Handle, Launcher, Resources, Seconds
from lexigraft.core.utils.versions import versions
from lexigraft.plugins.launchers._copies import Rsync, Tar, copier
from lexigraft.plugins.launchers._openssh import Connection, Unreachable

_LOG = logging.getLogger("lexigraft")
_MARK = "lexigraft:"
_JOBS = "remote"
"""The folder of a comparison for its jobs; each attempt's own is fetched by itself."""
Device = Annotated[str, BeforeValidator(str), Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z/-]*$")]


class _Box(NamedTuple):
    """What is known about the machine: the account's home folder, and what copies files."""

    home: str
    rsync: bool
    tar: bool


@dataclass(frozen=True)
class Ssh(Launcher):
    """Detached processes of one other machine: they go on when the connection, or this machine, goes away.

    Below ``remote_dir`` the machine gets the paths of this one: what is ``/home/ana/out`` here is
    ``REMOTE_DIR/home/ana/out`` there, unless ``paths`` says that it is there already.

    Attributes:
        host: The machine, as ``ssh`` takes it: a name of ``~/.ssh/config`` or of the network.
        user: The account there; by default what ``~/.ssh/config`` says, as for the next four.
        port: The port.
        identity_file: A private key.
        ssh_config: A configuration file instead of ``~/.ssh/config``.
        known_hosts: A file with the machine's host key instead of the user's and the system's.
        connect_timeout: How long the machine may take to answer.
        remote_dir: The folder there for everything; a relative one starts from the home folder.
        paths: Folders of this machine that are there already, with their paths there; nothing is sent for them.
        venv: A virtual environment there with Lexigraft; by default ``python3``, or what ``python`` says.
        before: Lines for bash there before each job, such as ``module load cuda`` or ``export HF_HOME=/data/hf``.
        devices: GPUs there, as ``CUDA_VISIBLE_DEVICES`` takes them: each job waits until ``gpus`` of them are free.
    """

    name: ClassVar[str] = "ssh"
    shares_files: ClassVar[bool] = False

    host: str = ""
    user: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    identity_file: str = ""
    ssh_config: str = ""
    known_hosts: str = ""
    connect_timeout: Seconds = 15.0
    remote_dir: str = "lexigraft"
    paths: Mapping[str, str] = field(default_factory=dict)
    venv: str = ""
    before: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that no machine can be reached with.

        Raises:
            LexigraftError: The host is missing or no name, a path is a relative one, or a job asks for more GPUs than
                there are.
        """
        if not self.host or self.host.startswith("-") or any(c.isspace() for c in self.host):
            hint = "Write `host: NAME` into the backend configuration, a name for which `ssh NAME` works"
            raise LexigraftError("the backend ssh needs a host", self.host or "none", hint)
        files = {"identity_file": self.identity_file, "ssh_config": self.ssh_config, "known_hosts": self.known_hosts}
        for key, value in [*files.items(), *(("paths", here) for here in self.paths)]:
            if value and value[0] not in "/~":
                hint = "`lexigraft remote` reads it from any folder: begin it with / or ~"
                raise LexigraftError(f"{key} of the backend ssh must be a whole path", value, hint)
        if self.devices and (self.gpus or 1) > len(self.devices):
            hint = "List more devices, or ask for fewer gpus"
            raise LexigraftError("a job asks for more GPUs than there are devices", self.gpus, hint)

    def check(self) -> None:
        """Connect, and look for Lexigraft of this version, for rsync or tar, and for a folder that can be written."""
        _ = self._copier
        root = shlex.quote(self._root)
        self._run(f"mkdir -p {root} && touch {root}/.writable && rm {root}/.writable")
        code = "from lexigraft.core.utils.versions import versions; print(versions()['lexigraft'])"
        asked = self._environment() + shlex.join([self.interpreter, "-c", code])
        try:
            found = self._run(asked, configured=True)
        except Unreachable:
            raise
        except LexigraftError as error:
            hint = f"Install it there, and name its Python: python or venv in the configuration. {error.hint}"
            raise LexigraftError("the machine has no Lexigraft", f"{self.host}, {self.interpreter}", hint) from None
        if (said := found.strip().rpartition("\n")[2]) != (ours := versions()["lexigraft"]):
            hint = f"Install version {ours} there"
            raise LexigraftError("the machine has another version of Lexigraft", f"{self.host}, {said}", hint)

    def submit(self, command: Sequence[str], resources: Resources, env: Mapping[str, str], workdir: Path) -> Handle:
        """Start the wrapper in the background of the machine."""
        folder = self.there(workdir)
        options = ["--detach"] + (["--time-limit", f"{resources.seconds:g}"] if resources.seconds else [])
        if self.devices:
            options += ["--devices", ",".join(self.devices), "--device-locks", f"{self._root}/.devices"]
            options += ["--device-count", str(resources.gpus or 1)]
        threads = {"OMP_NUM_THREADS": str(resources.cpus)} if resources.cpus else {}
        secret = shlex.quote(f"{folder}/{CREDENTIALS}")
        # The variables travel by standard input: no command line holds them, here or there.
        keep = f"(umask 077; rm -f {secret}; cat > {secret})" if env else f"rm -f {secret}"
        start = self._environment(threads) + shlex.join(
            self.wrapped(self.by_torchrun(command, resources.gpus), folder, *options)
        )
        given = json.dumps(dict(env)).encode() if env else b""
        script = f"mkdir -p {shlex.quote(folder)} && {keep} && {start}"
        try:
            known = self._json(script, given)
        except Unreachable:  # the answer may have been lost, and not the job
            if (found := self.find(workdir)) is not None:
                return found
            known = self._json(script, given)
        return Handle(self.name, str(known["pid"]), str(workdir.resolve()), known)

    def find(self, workdir: Path) -> Handle | None:
        """The process that the wrapper wrote down on the machine."""
        known = self._report(self.there(workdir))["known"]
        return None if known is None else Handle(self.name, str(known["pid"]), str(workdir.resolve()), known)

    def evidence(self, handle: Handle) -> Evidence:
        """Whether the wrapper's process lives; a job whose folder is gone does not."""
        return _evidence(self._report(self.there(Path(handle.workdir))))

    def stop(self, handle: Handle) -> None:
        """End the wrapper, which ends the command and writes down how."""
        self._report(self.there(Path(handle.workdir)), "--stop")

    def files(self, handle: Handle) -> JobFiles:
        """What the job has written about itself on the machine."""
        return JobFiles(**self._report(self.there(Path(handle.workdir)))["files"])

    def poll(self, handle: Handle) -> JobState:
        """The job's state by one question to the machine; what an ended job wrote is kept here, so that none follows.

        Raises:
            Unreachable: The machine does not answer now; the job goes on.
        """
        here = Path(handle.workdir)
        if (kept := JobFiles.read(here)).ended is not None:
            return decide(kept, Evidence())
        told = self._report(self.there(here))
        files = JobFiles(**told["files"])
        for name, values in ((STARTED, files.started), (ENDED, files.ended)):
            if values is not None and files.ended is not None:
                write_json(here / name, values)
        return decide(files, _evidence(told))

    def tail(self, handle: Handle, lines: int) -> list[str]:
        """The last lines of the job's log on the machine; while it cannot be reached, of a log that was fetched."""
        here = Path(handle.workdir)
        try:
            return list(self._report(self.there(here), "--lines", str(lines))["log"])
        except Unreachable:
            if kept := last_lines(here, lines):
                return kept
            raise

    def there(self, path: Path) -> str:
        """The path on the machine: its own where ``paths`` has it, else this machine's below ``remote_dir``."""
        local = str(_whole(path))
        return f"{self._root}{local}" if (known := self._known(local)) is None else known

    def push(self, paths: Sequence[Path]) -> None:
        """Make the machine's copies the same as these files and folders, and as the folders of own plug-ins.

        Raises:
            LexigraftError: Something is not here, or what ``paths`` names is not there.
        """
        found = dict.fromkeys(_whole(path) for path in [*paths, *_plugin_folders()])
        if missing := [str(path) for path in found if not path.exists()]:
            raise LexigraftError("a file for the machine does not exist", ", ".join(missing))
        jobs = [path.parent for path in found if path.parent.name == _JOBS]
        if around := [str(path) for path in found if any(path in folder.parents for folder in jobs)]:
            # The copy of such a folder would be made the same as it is here, without what the jobs there have written.
            hint = "Choose an --out outside it"
            raise LexigraftError(
                "a folder that the recipe names holds the comparison's folder", ", ".join(around), hint
            )
        sent = [path for path in found if self._known(str(path)) is None]
        if known := [self.there(path) for path in found if path not in sent]:
            lacking = self._run("; ".join(f"test -e {shlex.quote(p)} || echo {shlex.quote(p)}" for p in known)).split(
                "\n"
            )
            if lacking := [line for line in lacking if line]:
                hint = f"`paths` says that {self.host} has it"
                raise LexigraftError("the machine does not have this", ", ".join(lacking), hint)
        if sent:
            self._copier.push(sent)

    def fetch(self, handle: Handle, into: Path) -> None:
        """Bring the comparison's files, and those of this job; locks and drafts stay."""
        workdir = Path(handle.workdir)
        own = [RECIPE] if (into / RECIPE).exists() else []  # with the paths of this machine
        self._copier.fetch(self.there(into), into, [_JOBS, *own])
        self._copier.fetch(self.there(workdir), workdir)

    @property
    def interpreter(self) -> str:
        """Python with Lexigraft on the machine."""
        return (
            self._far(self.python) if self.python else f"{self._far(self.venv)}/bin/python" if self.venv else "python3"
        )

    @cached_property
    def _connection(self) -> Connection:
        return Connection(
            self.host,
            self.user,
            self.port,
            self.identity_file,
            self.ssh_config,
            self.known_hosts,
            self.connect_timeout,
        )

    @cached_property
    def _box(self) -> _Box:
        asked = f'echo {_MARK}; echo "$HOME"; command -v rsync || echo; command -v tar || echo'
        noise, _, told = self._connection.run(asked).partition(f"{_MARK}\n")
        if noise.strip():
            hint = "Keep its start-up files, such as ~/.bashrc, quiet for shells without a terminal"
            raise LexigraftError(f"the shell on {self.host} writes text of its own", noise.strip()[:80], hint)
        home, rsync, tar = told.split("\n")[:3]
        return _Box(home, bool(rsync), bool(tar))

    @cached_property
    def _root(self) -> str:
        return self._far(self.remote_dir).rstrip("/")

    @cached_property
    def _copier(self) -> Rsync | Tar:
        found = copier(self._connection, self._root, self._box.rsync, self._box.tar, self._listed)
        if isinstance(found, Tar):
            _LOG.warning("without rsync on both sides, changed files and folders travel whole, by tar")
        return found

    def _far(self, path: str) -> str:
        """A path there, absolute; a program's bare name stays."""
        if path.startswith("/") or (path == self.python and "/" not in path):
            return path
        return f"{self._box.home}/{path.removeprefix('~/')}"

    def _known(self, local: str) -> str | None:
        """Where ``paths`` says that a path of this machine is there."""
        for here, there in sorted(self.paths.items(), key=lambda item: -len(item[0])):
            base = os.path.realpath(os.path.expanduser(here))
            if local == base or local.startswith(f"{base.rstrip('/')}/"):
                return self._far(there).rstrip("/") + local[len(base.rstrip("/")) :]
        return None

    def _environment(self, more: Mapping[str, str] | None = None) -> str:
        """What comes before a command there: the user's lines, then variables."""
        folders = os.pathsep.join(map(self.there, _plugin_folders()))
        variables = ({PLUGIN_PATH: folders} if folders else {}) | dict(more or {})
        lines = [f"{line} || {{ echo 'a line of `before` failed' >&2; exit 9; }}; " for line in self.before]
        return "".join([*lines, *(f"export {name}={shlex.quote(value)}; " for name, value in variables.items())])

    def _run(self, script: str, given: bytes = b"", configured: bool = False) -> str:
        return self._connection.run(script, given, "bash" if configured and self.before else "sh")

    def _json(self, script: str, given: bytes = b"") -> dict[str, Any]:
        """The JSON of the last line that a script prints; a line of ``before`` may have printed something, too."""
        printed = self._run(script, given, configured=True)
        try:
            return dict(json.loads(printed.strip().rpartition("\n")[2]))
        except ValueError:
            raise LexigraftError("the machine's answer cannot be read", self.host, printed.strip()[-200:]) from None

    def _report(self, folder: str, *options: str) -> dict[str, Any]:
        words = [self.interpreter, "-m", wrapper.MODULE, folder, "--report", *options]
        return self._json(self._environment() + shlex.join(words))

    def _listed(self, folder: str, left_out: Sequence[str]) -> dict[str, list[int]]:
        words = [self.interpreter, "-m", file_list.MODULE, folder, *left_out]
        return self._json(self._environment() + shlex.join(words))


def _whole(path: Path) -> Path:
    """The absolute path of a file or folder: the same by whatever links a folder is reached; a file keeps its name."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def _plugin_folders() -> list[Path]:
    return [Path(folder) for folder in os.environ.get(PLUGIN_PATH, "").split(os.pathsep) if folder]


def _evidence(told: Mapping[str, Any]) -> Evidence:
    return Evidence(alive=False if told["known"] is None else told["alive"])
