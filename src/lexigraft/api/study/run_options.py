"""Options of a run that comparisons, transfer studies and benchmark suites share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from lexigraft.core.evaluation.cells.runner import Progress


class RunOptions(TypedDict, total=False):
    """Where cells run, how many at a time, and who hears of it; every one may be left out.

    Attributes:
        jobs: Cells at a time on this machine; 1 where not given.
        backend: The launcher whose jobs run stages and cells, such as ``slurm``; None for this process.
        backend_config: Its configuration, a YAML or JSON file.
        max_parallel: Most jobs of the backend at a time; 1 where not given.
        say: Called with a line on what is being prepared.
        progress: Called when a cell has finished.
    """

    jobs: int
    backend: str | None
    backend_config: str | Path | None
    max_parallel: int
    say: Callable[[str], None]
    progress: Progress
