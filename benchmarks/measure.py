"""What every benchmark shares: the machine in words, one run in a fresh process, and ratios.

A script that imports this or another benchmark puts this folder and ``tests/`` on its path first, and names the other
by its folder (``from gpu.gpu_model import job``); so it runs as ``python benchmarks/FOLDER/NAME.py`` from anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def machine() -> str:
    """Processor, cores, Python and torch version."""
    import torch

    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0))
    software = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{names[0] if names else platform.machine()}, {cores} cores; {software}"


def fresh(script: Path, request: Mapping[str, Any], **environment: str) -> dict[str, Any]:
    """Run a script of ours in a process of its own, so that its peak memory is its own; its last line is JSON."""
    command = [sys.executable, str(script), json.dumps(request)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | environment)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of each number over several answers of one script."""
    return {
        name: statistics.median(run[name] for run in runs) for name in runs[0] if not isinstance(runs[0][name], str)
    }


@dataclass(frozen=True)
class Floors:
    """What the machine can do at best.

    Attributes:
        multiply: float32 multiplications and additions in a large matrix product, per second.
        copy: Bytes copied in memory, per second.
    """

    multiply: float
    copy: float


def floors(threads: int) -> Floors:
    """Measure both rates, the best of five, in this process."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    large, other = torch.zeros(2**26), torch.zeros(2**26)
    product = min(seconds(lambda: torch.mm(a, b)) for _ in range(5))
    copied = min(seconds(lambda: other.copy_(large)) for _ in range(5))
    return Floors(2 * 2048**3 / product, 4 * len(large) / copied)


def asked(doc: str | None, **defaults: int) -> argparse.Namespace:
    """The numbers given on the command line; the program ends with 2 where the real data is not there."""
    from parity.sentencepiece_pairs import DATA

    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    given = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; name its folder in LEXIGRAFT_DATA", file=sys.stderr)
        sys.exit(2)
    return given


def seconds(work: Callable[[], object]) -> float:
    """Wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(what: str, ours: float, theirs: float, unit: str) -> str:
    """One line of the table: ours, theirs and how many times more theirs takes."""
    return f"| {what} | {ours:,.2f} {unit} | {theirs:,.2f} {unit} | {theirs / ours:,.1f} |"
