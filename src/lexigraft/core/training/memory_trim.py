"""Freed memory that the C library keeps, handed back to the system."""

from __future__ import annotations

import ctypes
from functools import cache
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
