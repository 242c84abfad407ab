"""Program around a job's command, which keeps its log, gives signs of life and writes down how it ended.

``python -m lexigraft.core.remote.wrapper FOLDER [options] -- COMMAND…``. It works for any command and needs nothing but
Python's own library, so that it starts at once and outlives whatever happens to the command.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.gpu_locks import GpuPool, locked_gpus
from lexigraft.core.remote.job_files import (
    CANCELLED,
    CREDENTIALS,
    ENDED,
    HEARTBEAT,
    LOG,
    STARTED,
    SUBMITTED,
    JobFiles,
    last_lines,
    read_credentials,
    read_json,
    write_json,
)
from lexigraft.core.remote.processes import identity, is_alive, stop
from lexigraft.core.utils.files import lock_file

MODULE = "lexigraft.core.remote.wrapper"
HEARTBEAT_SECONDS = 15.0
LOCK_SECONDS = 180.0
"""Longest wait for an earlier start of the same job, as an NFS server frees a dead machine's locks late."""
_GRACE_SECONDS = 30.0
_NOT_FOUND = 127
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_FULL_MEMORY = ("outofmemoryerror", "out of memory", "the memory is not enough", "memoryerror", "oom-kill")
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command as a job.

    Args:
        arguments: The command line; the process's own by default.

    Returns:
        The command's exit code; 128 and the signal's number where a signal ended it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="the job's folder: log and state are written there")
    parser.add_argument("--detach", action="store_true", help="start it in the background and print its identity")
    parser.add_argument("--report", action="store_true", help="print what the job has written, with its last lines")
    parser.add_argument("--stop", action="store_true", help="end the job that runs in the folder")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_SECONDS, help="seconds between signs of life")
    parser.add_argument("--time-limit", type=float, default=0.0, help="seconds after which it is ended; 0 for none")
    parser.add_argument("--grace", type=float, default=_GRACE_SECONDS, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--requeued", action="store_true", help="keep the credentials until it ends for good")
    parser.add_argument("--devices", default="", help="GPUs of which the job takes free ones, such as 0,1,3")
    parser.add_argument("--device-count", type=int, default=1, help="how many of --devices it takes")
    parser.add_argument("--device-locks", type=Path, help="folder of the locks on --devices; all their jobs share it")
    parser.add_argument("--lines", type=int, default=50, help="lines of the log that --report prints")
    parser.add_argument("--echo", action="store_true", help="copy the log to the standard output, for who collects it")
    end = given.index("--") if "--" in given else len(given)
    options, command = parser.parse_args(given[:end]), given[end + 1 :]
    folder = options.folder.resolve()
    if options.report or options.stop:
        if options.stop:
            write_json(folder / CANCELLED, {"time": _now()})
            stop(_known(folder))
        print(json.dumps(report(folder, options.lines)))
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    if options.detach:
        return _detach(folder, [one for n, one in enumerate(given) if one != "--detach" or n > end])
    if not command:
        parser.error("give a command after --")
    gpus = GpuPool.of(options.devices, options.device_count, options.device_locks or folder)
    busy = LexigraftError("this job is running already", folder, "See its log")
    try:
        with (
            lock_file(folder / ".lock", busy, wait_seconds=LOCK_SECONDS),
            locked_gpus(gpus, (folder / CANCELLED).exists) as there,
        ):
            if not there:
                return 128 + signal.SIGTERM
            watch = _Watch(folder, command, options.heartbeat, options.time_limit, options.grace, options.requeued)
            watch.echoed = _size(folder / LOG) if options.echo else None
            return watch.run()
    except LexigraftError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def report(folder: Path, lines: int = 50) -> dict[str, Any]:
    """What is known about a job in its folder on this machine, as plain values.

    Args:
        folder: The job's folder.
        lines: Lines of its log.

    Returns:
        ``files``, ``alive``, ``known`` (the wrapper's process) and ``log``.
    """
    known = _known(folder)
    alive = None if known is None else is_alive(known)
    # Files are read after the process was looked for: a job that ends in between has written its end.
    files = JobFiles.read(folder)
    return {"files": files.as_json(), "alive": alive, "known": known, "log": last_lines(folder, lines)}


def _known(folder: Path) -> dict[str, Any] | None:
    """The wrapper's process, which runs the command or still waits for a GPU."""
    return read_json(folder / SUBMITTED) or read_json(folder / STARTED)


def _detach(folder: Path, given: Sequence[str]) -> int:
    """Start the wrapper again as the leader of a session of its own, which nobody waits for."""
    for left in (ENDED, CANCELLED, SUBMITTED):  # of an earlier start in the same folder
        (folder / left).unlink(missing_ok=True)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *given],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    known = identity(process.pid)
    write_json(folder / SUBMITTED, known)
    print(json.dumps(known), flush=True)
    os._exit(0)  # without waiting for the child, which a Popen object would warn of


@dataclass
class _Watch:
    """One run of a command under observation."""

    folder: Path
    command: Sequence[str]
    every: float
    limit: float
    grace: float
    requeued: bool
    echoed: int | None = None
    """Bytes of the log that are on the standard output, or are not wanted there; None where none are."""
    _received: str = ""
    _kill_at: float | None = None
    _timed_out: bool = False
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def run(self) -> int:
        secrets = read_credentials(self.folder)
        if not self.requeued:  # a job whose machine died is started again without anybody who could write them again
            (self.folder / CREDENTIALS).unlink(missing_ok=True)
        (self.folder / ENDED).unlink(missing_ok=True)
        begun, ooms = time.monotonic(), _memory_kills()
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        device = _device()
        self._beat(begun)
        code = self._start({**os.environ, **secrets})
        if self._child is not None:
            self._write_started(device)
            code = self._wait(begun)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)  # what the command has left behind
        name = signal.Signals(-code).name if code < 0 else ""
        full = code != 0 and not self._received and (_memory_kills() > ooms or _says_full(self.folder))
        if code == 0 or not self._received or (self.folder / CANCELLED).exists():
            (self.folder / CREDENTIALS).unlink(missing_ok=True)
        self._echo()
        self._beat(begun)
        write_json(
            self.folder / ENDED,
            {
                "exit_code": None if code < 0 else code,
                "signal": name,
                "received": self._received,
                "timed_out": self._timed_out,
                "out_of_memory": full,
                "host": socket.gethostname(),
                "device": device,
                "seconds": round(time.monotonic() - begun, 3),
                "peak_rss_bytes": _peak_of_children(),
                "time": _now(),
            },
        )
        return 128 - code if code < 0 else code

    def _start(self, environment: dict[str, str]) -> int:
        with (self.folder / LOG).open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    list(self.command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=environment,
                    process_group=0,
                    preexec_fn=_die_with_parent(),
                )
            except (OSError, ValueError, IndexError) as error:
                log.write(f"error: the command cannot be started: {error}\n".encode())
                return _NOT_FOUND
        return 0

    def _write_started(self, device: str) -> None:
        child = self._child.pid if self._child else None
        attempt = int((read_json(self.folder / STARTED) or {}).get("attempt", 0)) + 1
        facts = {"child": child, "command": list(self.command), "time": _now(), "device": device, "attempt": attempt}
        write_json(self.folder / STARTED, {**identity(os.getpid()), **facts})

    def _wait(self, begun: float) -> int:
        assert self._child is not None
        beat_at = begun + self.every
        while True:
            now = time.monotonic()
            if self.limit and not self._timed_out and now - begun > self.limit:
                self._timed_out = True
                self._end_child()
            if self._received and self._kill_at is None:  # a signal that came before the command had started
                self._end_child()
            if self._kill_at is not None and now > self._kill_at:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._child.pid, signal.SIGKILL)
            if now >= beat_at:
                self._beat(begun)
                beat_at = now + self.every
            self._echo()
            try:
                return self._child.wait(timeout=min(1.0, max(0.01, beat_at - now)))
            except subprocess.TimeoutExpired:
                continue

    def _on_signal(self, number: int, frame: object) -> None:
        self._received = self._received or signal.Signals(number).name
        self._end_child()

    def _end_child(self) -> None:
        if self._child is not None:
            self._kill_at = self._kill_at or time.monotonic() + self.grace
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGTERM)

    def _echo(self) -> None:
        if self.echoed is None:
            return
        with contextlib.suppress(OSError), (self.folder / LOG).open("rb") as log:
            log.seek(self.echoed)
            while part := log.read(2**16):
                self.echoed += len(part)
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()

    def _beat(self, begun: float) -> None:
        # A full disk must not end the job: it may be able to finish all the same.
        with contextlib.suppress(LexigraftError, OSError):
            write_json(self.folder / HEARTBEAT, {"every": self.every, "seconds": round(time.monotonic() - begun, 1)})


def _die_with_parent() -> Callable[[], None] | None:
    """What a new process calls so that the system kills it when the wrapper is killed, and no lost job runs on."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _peak_of_children() -> int:
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _memory_kills() -> int:
    """How many processes of this control group the system has killed for want of memory; 0 where it does not say."""
    try:
        group = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].splitlines()[0]
        text = Path(f"/sys/fs/cgroup/{group}/memory.events").read_text()
    except (OSError, IndexError):
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))


def _says_full(folder: Path) -> bool:
    text = "\n".join(last_lines(folder, 20)).lower()
    return any(words in text for words in _FULL_MEMORY)


def _device() -> str:
    """The GPUs that the job may use, by the driver's own program; ``cpu`` where there are none."""
    program = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if program is None or visible in ("", "-1"):
        return "cpu"
    query: list[Any] = [program, "--query-gpu=name", "--format=csv,noheader"]
    if visible:
        query.append(f"--id={visible}")
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=15)
    except (OSError, subprocess.SubprocessError):
        return "cpu"
    return ", ".join(done.stdout.split("\n")).strip(", ") or "cpu" if done.returncode == 0 else "cpu"


if __name__ == "__main__":
    sys.exit(main())
