"""Pool of spawned processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any


@contextmanager
def process_pool(
    processes: int, start: Callable[..., object], arguments: tuple[Any, ...]
) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes are ended at once when the block is left by an exception.

    Args:
        processes: How many at most.
        start: What each calls first.
        arguments: Its arguments.
    """
    pool = ProcessPoolExecutor(processes, get_context("spawn"), start, arguments)
    try:
        yield pool
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
