"""Batches of pages spread over processes, with results in order; a page that takes for ever costs only itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lexigraft.core.data.wikipedia.extraction import Extracted, Extractor, as_lines, shown_title
from lexigraft.core.data.wikipedia.site import Site
from lexigraft.core.utils.process_pool import process_pool

PAGE_SECONDS = 60.0
"""Processor time for one page, at most; a long article takes a second, a tangle of brackets the square of its size."""
_AHEAD = 2
"""Batches for each process that wait or are finished before their turn."""


@dataclass(frozen=True)
class Batch:
    """Pages that are read together.

    Attributes:
        part: The number of the file that they go to.
        pages: Their XML.
    """

    part: int
    pages: Sequence[bytes]


@dataclass(frozen=True)
class Rows:
    """What became of a batch.

    Attributes:
        part: The number of the file.
        lines: JSON lines.
        found: The counts.
    """

    part: int
    lines: bytes
    found: Extracted


@dataclass(frozen=True)
class WorkerSettings:
    """What each process is given.

    Attributes:
        site: The wiki.
        index: The file of titles.
        compressed: Whether lines are compressed.
        page_seconds: Processor time for one page.
    """

    site: Site
    index: Path
    compressed: bool
    page_seconds: float = PAGE_SECONDS


def extract_batches(batches: Iterable[Batch], settings: WorkerSettings, processes: int) -> Generator[Rows, None, None]:
    """Extract batches in worker processes.

    Args:
        batches: The batches; a few are taken ahead.
        settings: What each process is given.
        processes: How many.

    Yields:
        What became of each, in order.
    """
    source = iter(batches)
    waiting: deque[Batch] = deque(islice(source, processes * _AHEAD))
    while waiting:
        running: deque[tuple[Batch, Future[Rows]]] = deque()
        with process_pool(processes, _start, (settings,)) as pool:
            try:
                while waiting or running:
                    while waiting:
                        running.append((waiting[0], pool.submit(_extract, waiting[0])))
                        waiting.popleft()
                    yield running[0][1].result()
                    running.popleft()
                    waiting.extend(islice(source, 1))
            except BrokenProcessPool:
                waiting.extendleft(batch for batch, _ in reversed(running))
        if waiting:
            yield _one_by_one(waiting.popleft(), settings)
            waiting.extend(islice(source, 1))


def _one_by_one(batch: Batch, settings: WorkerSettings) -> Rows:
    """A batch in which a page may have ended its process: each page alone, and without the one that does it again."""
    lines, found = [], Extracted()
    left = deque(batch.pages)
    while left:
        with process_pool(1, _start, (settings,)) as pool:
            try:
                while left:
                    rows = pool.submit(_extract, Batch(batch.part, [left[0]])).result()
                    left.popleft()
                    lines.append(rows.lines)
                    found.add(rows.found)
            except BrokenProcessPool:
                slow = Extracted()
                slow.counts["unreadable"] += 1
                slow.problems.append(
                    f"{shown_title(left.popleft())}: ended its process, or took more than {settings.page_seconds:g} s"
                )
                found.add(slow)
    return Rows(batch.part, b"".join(lines), found)


_extractor: Extractor | None = None
_settings: WorkerSettings | None = None
"""What this process was started with."""


def _start(settings: WorkerSettings) -> None:
    """Prepare a process: it ignores Ctrl-C, ends with its parent, and by a signal when a page takes too long."""
    global _extractor, _settings
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _extractor, _settings = Extractor(settings.site, settings.index), settings


def _extract(batch: Batch) -> Rows:
    assert _extractor is not None
    assert _settings is not None
    documents, found = [], Extracted()
    for page in batch.pages:
        # The tokenizer is one call of C, in which no handler runs: the signal's default, which ends the process, does.
        signal.setitimer(signal.ITIMER_VIRTUAL, _settings.page_seconds)
        document, counted = _extractor.extract(page)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        documents += document
        found.add(counted)
    return Rows(batch.part, as_lines(documents, _settings.compressed), found)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
