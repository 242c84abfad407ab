"""Cache of arrays in files named by the hash of their inputs."""

from __future__ import annotations

import logging
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.utils.files import made_once, replacing

Arrays = Mapping[str, npt.NDArray[Any]]
T = TypeVar("T")

logger = logging.getLogger("lexigraft")


def cached_arrays(
    path: Path, make: Callable[[], T], to_arrays: Callable[[T], Arrays], from_arrays: Callable[[Arrays], T]
) -> T:
    """Read a value from its cache file, or make it and write the file; a damaged file is logged and made again.

    Of several processes that want the same file one makes it, and the others wait for it.

    Args:
        path: An ``.npz`` file, whose name holds the hash of everything that decides the value.
        make: Makes the value.
        to_arrays: Turns the value into named arrays (none of Python objects).
        from_arrays: Turns such arrays back into the value; raises ValueError, KeyError, IndexError or TypeError for
            arrays that ``to_arrays`` cannot have made.

    Raises:
        LexigraftError: The file cannot be written.
    """
    if (found := _read(path, from_arrays, quiet=True)) is not None:
        return found
    with made_once(path):
        if (found := _read(path, from_arrays)) is not None:
            return found
        value = make()
        with replacing(path) as temporary, temporary.open("wb") as output:
            np.savez(output, **to_arrays(value))  # type: ignore[arg-type]
    return value


def _read(path: Path, from_arrays: Callable[[Arrays], T], *, quiet: bool = False) -> T | None:
    """The value in a cache file; None where there is none, or a damaged one, which is logged unless ``quiet``."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return from_arrays({name: archive[name] for name in archive.files})
    except (
        OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError,
        NotImplementedError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        if not quiet:
            logger.warning("the cached file %s is damaged and is made again: %s", path.name, error)
        return None
