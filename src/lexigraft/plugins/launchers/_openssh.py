"""The system's OpenSSH client: one shared connection, and its failures in plain words."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shlex
import stat
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lexigraft.core.errors import LexigraftError

_FAILED = 255
"""OpenSSH's own exit code where the connection fails; the scripts that run here end with no such code."""
_KEPT_SECONDS = 600
_SHORT_SECONDS = 120.0
"""How long a short command may take: lines of ``before`` and a far Python on a slow disk need most of it."""
_ANSWER_SECONDS = 5.0
"""How long the process that holds the shared connection, which is on this machine, may take to answer."""
_NO_KEY = ("host key verification failed", "host key is known for")
_AWAY = (
    "could not resolve", "connection refused", "timed out", "no route to host", "unreachable", "connection reset",
    "connection closed", "broken pipe", "connection to", "closed by remote", "kex_exchange_identification", "mux_",
    "control socket", "unexpectedly closed",
)  # fmt: skip
_FULL = ("no space left", "quota exceeded")


class Unreachable(LexigraftError):
    """The machine does not answer, or the connection was lost: it may answer later, and its jobs go on."""


@dataclass(frozen=True)
class Connection:
    """A connection to one machine that its commands share; whoever finds it lost opens it again.

    Attributes:
        host: The machine, as ``ssh`` takes it: a name of ``~/.ssh/config`` or of the network.
        user: The account there; empty for what the configuration says.
        port: The port; None for what the configuration says.
        identity_file: A private key; empty for the agent's and the configuration's.
        config: A configuration file instead of ``~/.ssh/config``; empty for that.
        known_hosts: A file with the machine's key instead of the user's and the system's; empty for those.
        seconds: How long the machine may take to answer.
    """

    host: str
    user: str = ""
    port: int | None = None
    identity_file: str = ""
    config: str = ""
    known_hosts: str = ""
    seconds: float = 15.0

    def program(self) -> list[str]:
        """``ssh`` with its options, without the host."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": f"{max(1, round(self.seconds))}",
            "ServerAliveInterval": "10",
            "ServerAliveCountMax": "3",
            "ControlMaster": "auto",
            "ControlPath": str(_private_folder() / f"{self._digest}-%C"),
            "ControlPersist": f"{_KEPT_SECONDS}",
            "ClearAllForwardings": "yes",
            "RemoteCommand": "none",
            "LogLevel": "ERROR",
        }
        if self.known_hosts:
            known = str(Path(self.known_hosts).expanduser())
            # The quotes are ssh's own: a name with spaces would be several files.
            options |= {"UserKnownHostsFile": f'"{known}"', "GlobalKnownHostsFile": "/dev/null", "UpdateHostKeys": "no"}
        words = ["ssh", "-T", "-x"] + (["-F", str(Path(self.config).expanduser())] if self.config else [])
        words += (["-l", self.user] if self.user else []) + (["-p", str(self.port)] if self.port else [])
        if self.identity_file:
            words += ["-i", str(Path(self.identity_file).expanduser()), "-o", "IdentitiesOnly=yes"]
        return words + [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def run(self, script: str, given: bytes | IO[bytes] = b"", shell: str = "sh") -> str:
        """Run a short script there and give what it prints.

        Args:
            script: One line for a POSIX shell, whatever the account's own shell is.
            given: Its standard input.
            shell: The shell.

        Raises:
            Unreachable: The machine does not answer.
            LexigraftError: The script failed, or the login.
        """
        with tempfile.TemporaryFile() as stdin:
            if isinstance(given, bytes):
                stdin.write(given)
                stdin.seek(0)
            source = stdin if isinstance(given, bytes) else given
            return self.talk(script, lambda process: process.stdout.read(), source, shell).decode("utf-8", "replace")

    def talk(
        self, script: str, read: Callable[[Any], Any], stdin: IO[bytes] | int, shell: str = "sh", short: bool = True
    ) -> Any:
        """Run a script there while ``read`` deals with its process; gives what ``read`` gives.

        Args:
            script: As for :meth:`run`.
            read: Called with the process, whose standard output is a pipe.
            stdin: The standard input; ``subprocess.PIPE`` for one that ``read`` writes and closes.
            shell: The shell.
            short: Whether it is ended where it takes minutes.

        Raises:
            Unreachable: The machine does not answer.
            LexigraftError: The script failed, or the login.
        """
        command = [*self.program(), "--", self.host, f"exec {shell} -c {shlex.quote(script)}"]
        # A file, because a connection that stays open may hold on to its first command's standard error.
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors)
            except FileNotFoundError:
                raise LexigraftError("OpenSSH's client is not installed", "ssh", "Install openssh-client") from None
            result, broken = None, None
            with process, self.watched(process, _SHORT_SECONDS if short else math.inf) as late:
                try:
                    result = read(process)
                except (
                    BrokenPipeError,
                    EOFError,
                    tarfile.TarError,
                ) as error:
                    # The remote machine has hung up: its own words follow.
                    broken = error
                except OSError as error:
                    raise LexigraftError("cannot copy the file", error.filename, error.strerror or str(error)) from None
                finally:
                    with contextlib.suppress(OSError):
                        if process.stdin:
                            process.stdin.close()
                code = process.wait()
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
        if late:
            self.give_up()
        if code or broken:
            self.refuse(code, said or str(broken or ""))
        return result

    def refuse(self, code: int, said: str) -> None:
        """Raise the error for a command that ended with this code and these words.

        Raises:
            Unreachable: The machine does not answer.
            LexigraftError: Anything else.
        """
        words = " ".join(said.split())
        lower, last, where = words.lower(), words[-300:], self.host
        if any(text in lower for text in _FULL):
            raise LexigraftError("the machine's disk is full", where, last)
        if code != _FAILED:
            raise LexigraftError("a command on the machine failed", where, last)
        if "remote host identification has changed" in lower:
            hint = (
                "Somebody may be listening, or the machine was set up anew: ask who runs it. If all is well, take the "
                f"old key out of {self.known_hosts or '~/.ssh/known_hosts'} (`ssh-keygen -R`) and connect once by hand"
            )
            raise LexigraftError("the machine's host key has changed", where, hint)
        if any(text in lower for text in _NO_KEY):
            hint = f"Connect once by hand (`ssh {where}`), compare the fingerprint, and accept it; or give known_hosts"
            raise LexigraftError("the machine's host key is not known", where, hint)
        if "permission denied (" in lower or "too many authentication failures" in lower:
            hint = f"`ssh {where}` must work without a question: a key in the agent, or identity_file. {last}"
            raise LexigraftError("the machine refuses the login", where, hint)
        if not words or any(text in lower for text in _AWAY):
            hint = f"Jobs that run there go on. {last}".rstrip()
            raise Unreachable("the machine cannot be reached", where, hint)
        raise LexigraftError("ssh failed", where, last)

    def give_up(self) -> None:
        """Drop the shared connection, and raise the error for a machine that does not answer in time.

        Raises:
            Unreachable: Always.
        """
        self.close()
        hint = "Jobs that run there go on; run the same command again later"
        raise Unreachable("the machine does not answer", self.host, hint)

    def close(self) -> None:
        """End the shared connection; the next command opens it again."""
        self._hangs("exit")
        for socket in _private_folder().glob(f"{self._digest}-*"):  # a process that hangs leaves it
            socket.unlink(missing_ok=True)

    @contextlib.contextmanager
    def watched(self, process: subprocess.Popen[bytes], limit: float = math.inf) -> Iterator[list[bool]]:
        """Kill a process whose shared connection hangs, or that takes too long.

        Args:
            process: One that uses the connection.
            limit: How long it may take in all, in seconds.

        Yields:
            A list that holds something once it was killed.
        """
        late: list[bool] = []
        ended = threading.Event()

        def watch() -> None:
            begun, pause = time.monotonic(), self.seconds + _ANSWER_SECONDS
            while not ended.wait(min(pause, max(0.0, begun + limit - time.monotonic()))):
                if time.monotonic() - begun >= limit or self._hangs("check"):
                    late.append(True)
                    process.kill()
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield late
        finally:
            ended.set()

    def _hangs(self, order: str) -> bool:
        """Whether a process holds the shared connection and does not answer an order."""
        try:
            subprocess.run(
                [*self.program(), "-O", order, "--", self.host], capture_output=True, timeout=_ANSWER_SECONDS
            )
        except subprocess.TimeoutExpired:
            return True
        return False

    @property
    def _digest(self) -> str:
        """Eight characters that differ where any setting does: settings that differ share no connection."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:8]


def _private_folder() -> Path:
    """A folder for sockets that only this user can enter; its path is short, as that of a socket must be."""
    folder = Path("/tmp") / f"lexigraft-ssh-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        hint = "Somebody else made it, or let others in: delete it"
        raise LexigraftError("the folder for the shared connection is not yours alone", folder, hint)
    return folder
