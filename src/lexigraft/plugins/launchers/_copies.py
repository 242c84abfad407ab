"""Files and folders to a machine and back: by rsync, or by tar where one of the two sides has no rsync."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.file_list import list_files
from lexigraft.core.utils.hashing import hash_of
from lexigraft.plugins.launchers._openssh import Connection, Unreachable

Listed = Callable[[str, Sequence[str]], Mapping[str, list[int]]]
_SENT = ".sent"
"""The folder on the remote machine that says what tar has brought there."""
_WHOLE = "whole"
"""Last in what is sent: tar takes an archive that is cut off between two files for a whole one."""
_VANISHED = 24
"""rsync's exit code where a file went away while it was copied, as a job's drafts do."""


def has_rsync() -> bool:
    """Whether this machine has an rsync of version 3 or newer, which every name can be given to."""
    if shutil.which("rsync") is None:
        return False
    return subprocess.run(["rsync", "--version"], capture_output=True, text=True).stdout.startswith("rsync  version 3")


@dataclass(frozen=True)
class Rsync:
    """Copies by rsync: only what has changed travels.

    Attributes:
        connection: The connection.
        root: The folder on the remote machine below which this machine's paths are repeated.
    """

    connection: Connection
    root: str

    def push(self, paths: Sequence[Path]) -> None:
        """Make the remote machine's copies the same as these files and folders; links are followed."""
        self.connection.run(f"mkdir -p {shlex.quote(self.root)} && rm -rf {shlex.quote(f'{self.root}/{_SENT}')}")
        options = ["--copy-links", "--relative", "--no-implied-dirs", "--delete", "--partial-dir=.partial"]
        self._rsync([*options, "--", *map(str, paths), f"{self._host}:{self.root}/"])

    def fetch(self, folder: str, into: Path, left_out: Sequence[str] = ()) -> None:
        """Bring a folder's files; locks and drafts, whose names begin with a dot, stay there."""
        self.connection.run(f"mkdir -p {shlex.quote(folder)}")
        into.mkdir(parents=True, exist_ok=True)
        excluded = ["--exclude=.*", *(f"--exclude=/{name}" for name in left_out)]
        self._rsync([*excluded, "--", f"{self._host}:{folder}/", f"{into}/"])

    @property
    def _host(self) -> str:
        return f"[{self.connection.host}]" if ":" in self.connection.host else self.connection.host

    def _rsync(self, words: Sequence[str]) -> None:
        command = ["rsync", "--recursive", "--times", "--protect-args", "-e", shlex.join(self.connection.program())]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
            )
            with process, self.connection.watched(process) as late:
                code = process.wait()
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
        if late:
            self.connection.give_up()
        if code not in (0, _VANISHED):
            # 12 is rsync's code where its connection ends; 255 is ssh's own.
            self.connection.refuse(255 if code == 12 else code, said)


@dataclass(frozen=True)
class Tar:
    """Copies by tar: a file or folder travels whole when anything in it has changed.

    Attributes:
        connection: The connection.
        root: The folder on the remote machine below which this machine's paths are repeated.
        listed: Gives the :func:`lexigraft.core.remote.file_list.list_files` of a folder there.
    """

    connection: Connection
    root: str
    listed: Listed

    def push(self, paths: Sequence[Path]) -> None:
        """Make the remote machine's copies the same as these files and folders; links are followed."""
        sent = f"{self.root}/{_SENT}"
        marks = set(self.connection.run(f"mkdir -p {shlex.quote(sent)}; cat {shlex.quote(sent)}/* || :").split("\n"))
        for path in paths:
            name = hash_of(str(path))[:32]
            if (mark := f"{name} {_signature(path)}") not in marks:
                self._send(path, f"{sent}/{name}", mark)

    def _send(self, path: Path, marked: str, mark: str) -> None:
        target, draft = shlex.quote(f"{self.root}{path}"), shlex.quote(f"{marked}.draft")
        script = (
            f"set -e; rm -rf {draft}; mkdir -p {draft} {shlex.quote(f'{self.root}{path.parent}')}; "
            f"tar -xf - -C {draft}; test -e {draft}/{_WHOLE}; "
            f"rm -rf {target}; mv {draft}/sent {target}; rm -rf {draft}; "
            f"echo {shlex.quote(mark)} > {shlex.quote(marked)}"
        )

        def write(process: Any) -> None:
            with tarfile.open(fileobj=process.stdin, mode="w|", dereference=True) as archive:
                archive.add(path, "sent")
                archive.addfile(tarfile.TarInfo(_WHOLE))

        self.connection.talk(script, write, subprocess.PIPE, short=False)

    def fetch(self, folder: str, into: Path, left_out: Sequence[str] = ()) -> None:
        """Bring a folder's files; locks and drafts, whose names begin with a dot, stay there."""
        try:
            self._fetch(folder, into, left_out)
        except Unreachable:
            raise
        except LexigraftError:  # a file that was listed has gone meanwhile
            self._fetch(folder, into, left_out)

    def _fetch(self, folder: str, into: Path, left_out: Sequence[str]) -> None:
        there = self.listed(folder, left_out)
        into.mkdir(parents=True, exist_ok=True)
        here = list_files(into)
        wanted = [name for name, known in there.items() if here.get(name) != known]
        if not wanted:
            return
        with tempfile.TemporaryFile() as names, tempfile.TemporaryDirectory(prefix=".", dir=into) as draft:
            names.write("".join(f"./{name}\n" for name in wanted).encode())
            names.seek(0)

            def read(process: Any) -> None:
                with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                    archive.extractall(draft, filter="data")

            self.connection.talk(f"tar -cf - -C {shlex.quote(folder)} -T -", read, names, short=False)
            for name in wanted:
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(draft, name), into / name)


def _signature(path: Path) -> str:
    """What changes when a file or anything in a folder does."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    stats = [(os.path.relpath(p, path), p.stat()) for p in files]
    return hash_of([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])


def copier(connection: Connection, root: str, rsync: bool, tar: bool, listed: Listed) -> Rsync | Tar:
    """The way in which files travel, by what the remote machine has.

    Args:
        connection: The connection.
        root: The folder on the remote machine below which this machine's paths are repeated.
        rsync: Whether the remote machine has rsync.
        tar: Whether the remote machine has tar.
        listed: Gives the list of a folder's files there.

    Raises:
        LexigraftError: The remote machine has neither.
    """
    if rsync and has_rsync():
        return Rsync(connection, root)
    if tar:
        return Tar(connection, root, listed)
    hint = "Install one of them there; rsync sends only what has changed"
    raise LexigraftError("the machine has neither rsync nor tar", connection.host, hint)
