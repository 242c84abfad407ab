"""What holds for every test."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

# As the command line does: threads that wait do not spin. It must be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# The tests are about processors, wherever they run; `make gpu-check` is about GPUs.
os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are imported: what is imported stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _imported_is_no_garbage() -> None:
    """Leave what is there before a module's tests out of every search for garbage.

    accelerate searches after each training; with all objects of torch and transformers to look at, that takes longer
    than the training of a tiny model.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Arithmetic in one thread: small products lose time by sharing them out."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds by folder and the slowest tests, of all processes together."""
    folders: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folders[Path(report.nodeid).parts[1]] += report.duration
                tests[report.nodeid] += report.duration
    if not tests:
        return
    terminalreporter.section("seconds by folder, and the slowest tests")
    for name, seconds in [*folders.most_common(), *tests.most_common(10)]:
        terminalreporter.write_line(f"{seconds:8.1f}  {name}")
