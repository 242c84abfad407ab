"""Memory of this process: its peak, what is free, sizes in words, and freed heap returned to the system."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Any


def trim() -> None:
    """Hand freed memory back to the system, with glibc; elsewhere do nothing.

    glibc before 2.38 rarely uses a freed aligned block again for another of its size, and torch aligns all of its
    tensors (glibc's bug 14581): the short-lived ones of a forward pass leave as much behind as the pass keeps.
    """
    if (malloc_trim := _malloc_trim()) is not None:
        malloc_trim(0)


@cache
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


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


DEFAULT_SHARE = 0.25


def default_memory_budget() -> int:
    """A quarter of the memory that is free now, in bytes."""
    pages = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else 2**18
    return max(int(pages * os.sysconf("SC_PAGE_SIZE") * DEFAULT_SHARE), 2**26)
