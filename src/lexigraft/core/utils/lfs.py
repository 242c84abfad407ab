"""Git LFS pointers in place of files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lexigraft.core.errors import LexigraftError

_SIGNATURE = b"version https://git-lfs.github.com/spec/"
_LONGEST = 1024
"""Bytes; the specification allows no longer pointer."""


def refuse_pointers(paths: Iterable[Path]) -> None:
    """Refuse files that are Git LFS pointers; what is no file is left to its reader.

    Args:
        paths: The files that are about to be read.

    Raises:
        LexigraftError: One of them is a pointer.
    """
    for path in paths:
        if _is_pointer(path):
            hint = "Run `git lfs pull` in its repository, or download the file itself"
            raise LexigraftError("this is a Git LFS pointer, not the file", path, hint)


def _is_pointer(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST:
            return False
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except (OSError, ValueError):
        return False
