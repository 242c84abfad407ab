"""Work in parts, as many at once as torch has threads, each part on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lexigraft.core.utils.memory import trim

Part = TypeVar("Part")
Done = TypeVar("Done")


def parallel_map(work: Callable[[Part], Done], parts: Iterable[Part]) -> list[Done]:
    """Work on each part, without gradients; what several parts give does not depend on the number of threads.

    Many small operations one after the other are faster this way than each of them shared among all threads, which wait
    for each other after every one. What the threads freed goes back to the system: each has a heap of its own.

    Args:
        work: May run for several parts at once; most of its time must be torch's, or a library's that frees the
            interpreter as torch does.
        parts: In order. One alone is shared among the threads as torch does it.

    Returns:
        What came of each, in order. After a fault no further part is begun.
    """
    import torch

    def alone(part: Part) -> Done:
        with torch.no_grad():
            return work(part)

    parts, threads = list(parts), torch.get_num_threads()
    if min(len(parts), threads) < 2:
        return list(map(alone, parts))
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(alone, parts))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
        trim()
