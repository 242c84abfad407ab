"""Identity of a process on this machine by its number and start time, as numbers are used again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


def process_mark(pid: int) -> str | None:
    """What tells a living process from every other one that has or had its number; None where it is dead.

    On Linux it is the system's boot with the process's start in it, so that nothing survives a reboot by its number.
    """
    if not (_PROC / "self" / "stat").exists():
        return _mark_by_ps(pid)
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _mark_by_ps(pid: int) -> str | None:
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, begun = done.stdout.strip().partition(" ")
    return None if not begun or state.startswith("Z") else " ".join(begun.split())


def identity(pid: int) -> dict[str, Any]:
    """The number, mark and host of a process, as plain values."""
    return {"pid": pid, "mark": process_mark(pid), "host": socket.gethostname()}


def is_alive(known: Mapping[str, Any]) -> bool | None:
    """Whether the process of an :func:`identity` lives; None where it is another machine's."""
    if known["host"] != socket.gethostname():
        return None
    return known["mark"] is not None and process_mark(int(known["pid"])) == known["mark"]


def stop(known: Mapping[str, Any] | None) -> None:
    """Ask the process of an :func:`identity` to end; nothing happens where it is dead or another machine's."""
    if known is not None and is_alive(known):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(known["pid"]), signal.SIGTERM)
