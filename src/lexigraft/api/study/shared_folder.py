"""Folders that the processes of a study share, each made by one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lexigraft.core.utils.files import made_once


@contextmanager
def made_by_one(out: Path, say: Callable[[str], None]) -> Iterator[bool]:
    """Whether a folder has to be made, in the block and by this process alone."""
    if out.is_dir():
        yield False
        return
    with made_once(out, say):
        yield not out.is_dir()
