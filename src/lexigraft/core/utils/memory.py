"""Memory of this process."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Any


def trim() -> None:
    """Return freed heap memory to the operating system, with glibc (``malloc_trim``); elsewhere do nothing.

    glibc before 2.38 rarely reuses a freed aligned block for another of its size, and torch aligns all of its tensors
    (glibc's bug 14581): the freed tensors of a forward pass occupy as much memory as those that the pass keeps.
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
    """Peak resident memory of this process so far, in bytes.

    On Linux it is read from ``VmHWM``: the value of ``getrusage`` starts at the size of the parent process.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


DEFAULT_SHARE = 0.25


def default_memory_budget() -> int:
    """A quarter of the memory that is free now, in bytes."""
    pages = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else 2**18
    return max(int(pages * os.sysconf("SC_PAGE_SIZE") * DEFAULT_SHARE), 2**26)
