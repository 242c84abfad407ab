"""Locks on the GPUs that the jobs of one machine share, held by each job while it runs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import lock_file

VISIBLE = "CUDA_VISIBLE_DEVICES"
_SECONDS = 1.0


@dataclass(frozen=True)
class GpuPool:
    """GPUs to choose from.

    Attributes:
        names: Their numbers or names, as ``CUDA_VISIBLE_DEVICES`` takes them; none where jobs do not choose.
        count: How many a job takes.
        locks: The folder of the locks.
    """

    names: tuple[str, ...]
    count: int
    locks: Path

    @classmethod
    def of(cls, names: str, count: int, locks: Path) -> GpuPool:
        """Read names that are separated by commas."""
        return cls(tuple(filter(None, names.split(","))), count, locks)


@contextmanager
def locked_gpus(gpus: GpuPool, given_up: Callable[[], bool]) -> Iterator[bool]:
    """Wait for free GPUs, and show only these to this process and its children while the block runs.

    The system releases the locks when the process ends, however it ends.

    Args:
        gpus: What to choose from.
        given_up: Whether nobody wants them any more; asked while waiting.

    Yields:
        Whether the block may run; False where it was given up.
    """
    if not gpus.names:
        yield True
        return
    gpus.locks.mkdir(parents=True, exist_ok=True)
    while not given_up():
        with ExitStack() as held:
            if found := _lock_free(gpus, held):
                os.environ[VISIBLE] = ",".join(found)
                yield True
                return
        time.sleep(_SECONDS)
    yield False


def _lock_free(gpus: GpuPool, held: ExitStack) -> list[str]:
    """As many free GPUs as are asked for, locked; none where there are fewer, so that no two jobs block each other."""
    found: list[str] = []
    for name in gpus.names:
        busy = LexigraftError("another job uses the device", name)
        with contextlib.suppress(LexigraftError):
            held.enter_context(lock_file(gpus.locks / f"{re.sub(r'[^0-9A-Za-z-]', '_', name)}.lock", busy))
            found.append(name)
        if len(found) == gpus.count:
            return found
    return []
