"""How much memory a process takes, and has taken at most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_rss_bytes() -> int:
    """The highest resident memory of this program so far.

    On Linux from ``VmHWM``: what ``getrusage`` answers begins at the size of the process that started this one.
    """
    told = _told("VmHWM:")
    if told is not None:
        return told
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024


def rss_bytes() -> int | None:
    """The resident memory of this program now; ``None`` where the system does not tell."""
    return _told("VmRSS:")


def _told(name: str) -> int | None:
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None
