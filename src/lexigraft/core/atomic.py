"""Files appear whole or not at all: write a temporary sibling, flush, rename."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lexigraft.core.errors import LexigraftError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary sibling that takes the place of ``path`` when the block ends well.

    Args:
        path: The file to write; its folder is made when missing.

    Yields:
        The temporary path to write to.

    Raises:
        LexigraftError: The disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as fault:
        raise LexigraftError("cannot write the file", path, fault.strerror or str(fault)) from fault
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as fault:
        raise LexigraftError("cannot write the file", path, fault.strerror or str(fault)) from fault
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file such that a reader, a crash or a full disk meets the old file or the new one, never a part."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync_tree(folder: Path) -> None:
    """Flush every file under a folder, and the folder, to the disk."""
    for path in [p for p in folder.rglob("*") if p.is_file()] + [folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
