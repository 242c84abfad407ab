"""Files that a plug-in reads, by what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lexigraft.core.errors import LexigraftError, UnknownName

Files = Mapping[str, Sequence[str]]
"""Paths by what they hold, such as ``{"train": [...], "test": [...]}``."""


@dataclass(frozen=True)
class InputFile:
    """A file that a plug-in reads.

    Attributes:
        holds: What it holds and in which format, in a few words.
        required: Whether the plug-in can do nothing without it.
    """

    holds: str
    required: bool = True


def refuse_other_files(kind: str, name: str, reads: Mapping[str, InputFile], files: Files) -> None:
    """Refuse files that a plug-in does not read, and lacking ones that it must have.

    Args:
        kind: The plug-in's kind, for messages.
        name: Its name.
        reads: What it reads.
        files: What was given.

    Raises:
        UnknownName: Files that it does not read.
        LexigraftError: A missing file.
    """
    for unknown in sorted(set(files) - set(reads)):
        raise UnknownName(f"file of {name}", unknown, reads)
    if missing := [key for key, file in reads.items() if file.required and not files.get(key)]:
        described = "; ".join(f"{key}: {reads[key].holds}" for key in missing)
        raise LexigraftError(f"{kind} {name} needs more files", ", ".join(missing), described)
