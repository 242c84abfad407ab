"""A parallel map over parts of a task, as many at once as torch has threads, each part on one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Done = TypeVar("Done")

_THREAD_COUNT = threading.Lock()
"""Held while torch's number of threads, which the whole process shares, is set to 1."""
_WORKER = threading.local()


def parallel_map(work: Callable[[Part], Done], parts: Iterable[Part]) -> list[Done]:
    """Work on each part, without gradients; what several parts give does not depend on the number of threads.

    Many small operations one after the other are faster this way than each of them shared among all threads, which wait
    for each other after every one. Threads that call this at once take turns.

    Args:
        work: May run for several parts at once; most of its time must be torch's, or a library's that frees the
            interpreter as torch does. Where it calls this function itself, its own parts run one after another.
        parts: In order. One alone is shared among the threads as torch does it.

    Returns:
        What came of each, in order. After an error no further part is begun.
    """
    import torch

    def alone(part: Part) -> Done:
        with torch.no_grad():
            return work(part)

    def become_worker() -> None:
        _WORKER.busy = True

    parts = list(parts)
    if len(parts) > 1 and not getattr(_WORKER, "busy", False):
        with _THREAD_COUNT:
            threads = torch.get_num_threads()
            if threads > 1:
                torch.set_num_threads(1)
                pool = ThreadPoolExecutor(threads, initializer=become_worker)
                try:
                    return list(pool.map(alone, parts))
                finally:
                    pool.shutdown(cancel_futures=True)
                    torch.set_num_threads(threads)
    return list(map(alone, parts))
