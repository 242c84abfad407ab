"""Files that a job writes about its start, its heartbeat and its end, beside its log."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.utils.files import write_whole

STARTED, HEARTBEAT, ENDED, LOG = "started.json", "heartbeat.json", "ended.json", "job.log"
CANCELLED = "cancelled.json"
"""Written by who cancels a job, before its process is told."""
SUBMITTED = "submitted.json"
"""The wrapper's process, written by who starts it in the background, as the job may wait for a GPU first."""
CREDENTIALS = ".environment.json"
"""Variables for the job, of mode 0600; the job reads and removes it."""
_TAIL_BYTES = 2**16


@dataclass(frozen=True)
class JobFiles:
    """What a job has written about itself.

    Attributes:
        started: ``pid``, ``mark``, ``host``, ``child``, ``command``, ``time``, ``device``, ``attempt``; None before.
        ended: ``exit_code``, ``signal``, ``received``, ``timed_out``, ``out_of_memory``, ``host``, ``device``,
            ``seconds``, ``peak_rss_bytes``, ``time``; None before.
        cancelled: Whether somebody has asked for its end.
        heartbeat_seconds: How often it gives a sign of life; None before the first one.
        silent_seconds: Time since the last sign of life, by the clock of the file system that holds it.
    """

    started: Mapping[str, Any] | None = None
    ended: Mapping[str, Any] | None = None
    cancelled: bool = False
    heartbeat_seconds: float | None = None
    silent_seconds: float | None = None

    @classmethod
    def read(cls, folder: Path) -> JobFiles:
        """Read a job's folder; files that are not there, or are damaged, count as not written."""
        beat = read_json(folder / HEARTBEAT)
        every = float(beat["every"]) if beat and "every" in beat else None
        silent = _age(folder / HEARTBEAT) if every is not None else None
        cancelled = (folder / CANCELLED).exists()
        return cls(read_json(folder / STARTED), read_json(folder / ENDED), cancelled, every, silent)

    def as_json(self) -> dict[str, Any]:
        """Plain values that ``JobFiles(**values)`` reads back, for a machine that sends them to another one."""
        return asdict(self)


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None where there is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    write_whole(path, json.dumps(dict(values), indent=1, ensure_ascii=False))


def last_lines(folder: Path, lines: int, name: str = LOG) -> list[str]:
    """The last lines of a job's log, or of another file in its folder; none where there is none yet."""
    try:
        with (folder / name).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    # A progress bar writes over its own line: what it showed last is the line.
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.rstrip("\n").split("\n")][-lines:] if text else []


def write_credentials(folder: Path, variables: Mapping[str, str]) -> None:
    """Write a job's variables into a file that only its owner can read; no variables, no file."""
    path = folder / CREDENTIALS
    path.unlink(missing_ok=True)
    if not variables:
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(dict(variables), file)


def read_credentials(folder: Path) -> dict[str, str]:
    """A job's variables; none where there is no such file."""
    return {str(name): str(value) for name, value in (read_json(folder / CREDENTIALS) or {}).items()}


def _age(path: Path) -> float | None:
    """Seconds since a file was written, both times by the file system's clock, as a machine's own may be wrong."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".now.") as now:
            return max(0.0, os.fstat(now.fileno()).st_mtime - path.stat().st_mtime)
    except OSError:
        return None
