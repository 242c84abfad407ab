"""Laws of an evaluator's data."""

from __future__ import annotations

from lexigraft.testing.evaluator_trial import Data
from lexigraft.testing.law import Law, require
from lexigraft.testing.laws import sample_files


def _data_is_sound(data: Data) -> None:
    read = data.read_once
    require(isinstance(read.hash, str) and len(read.hash) >= 32, f"the hash is {read.hash!r}")
    require(type(read.size) is int and read.size > 0, f"the size is {read.size!r}")
    for name in ("unseen", "notes"):
        lines = getattr(read, name)
        sound = isinstance(lines, tuple) and all(isinstance(line, str) and line.strip() for line in lines)
        require(sound, f"{name} is not a tuple of lines")


LAWS = (*sample_files.LAWS, Law("the data is sound", "data", _data_is_sound, on_fixtures=False))
