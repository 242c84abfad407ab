"""Function applied to many items in a thread pool."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

_THREAD_COUNT = threading.Lock()
"""Held while torch's number of threads, a setting of the whole process, is 1."""
_WORKER = threading.local()


def parallel_map(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Apply a function to each part, without gradients; results of several parts do not depend on the thread count.

    Many small operations run faster with one part per thread than with each operation split over all threads, which
    then wait for each other after every operation. Concurrent calls from several threads run one after another.

    Args:
        work: The function; it must be safe to call in several threads, and spend most of its time in torch or another
            library that releases the GIL. Where it calls :func:`parallel_map` itself, those parts run one by one.
        parts: The work items. A single one is computed with all of torch's threads, so its result may depend on them.

    Returns:
        The results in the order of the parts. After an error no further part is started.
    """
    import torch

    def without_gradients(part: Part) -> Result:
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
                    return list(pool.map(without_gradients, parts))
                finally:
                    pool.shutdown(cancel_futures=True)
                    torch.set_num_threads(threads)
    return list(map(without_gradients, parts))
