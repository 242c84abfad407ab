"""Fuzzing in a process of its own: `python -m fuzz.child FOLDER SECONDS EXAMPLES [TARGET …]`.

It leaves each input in FOLDER/input before it is read, so that the parent can name it when this process hangs or dies;
`python -m fuzz.child --again FOLDER/input` reads one again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.mutations import STEPS, Step, damaged
from fuzz.targets import Target, targets
from lexigraft.core.errors import LexigraftError

MOST_MEMORY = 2**30
"""Bytes that reading a small file may take more than before."""
ROUND = 40
"""Examples between two looks at the clock."""


def peak() -> int:
    """The largest memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def read(target: Target, folder: Path) -> None:
    """Read a folder; a LexigraftError is an answer.

    Raises:
        BaseException: Whatever else the reader raised; AssertionError for too much memory.
    """
    before = peak()
    with contextlib.suppress(LexigraftError):
        target.read(folder)
    assert peak() - before < MOST_MEMORY, f"reading took {(peak() - before) / 1e9:.1f} GB"


def write(name: str, target: Target, changed: dict[str, bytes], folder: Path) -> None:
    """Leave an input in its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for file, content in (dict(target.files) | changed).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    folder.with_name("target").write_text(name)


def fuzz(name: str, target: Target, folder: Path, examples: int, number: int) -> None:
    """Read damaged inputs; the last one read is the smallest that fails."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.sampled_from(target.damage), STEPS)
    def reads_or_refuses(file: str, steps: list[Step]) -> None:
        write(name, target, {file: damaged(target.files[file], steps, file)}, folder / "input")
        read(target, folder / "input")

    reads_or_refuses()


def main(arguments: list[str]) -> int:
    """Run; returns 1 after a failure, with its traceback in FOLDER/failure."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as made:
        every = targets(Path(made))
        if arguments[0] == "--again":
            folder = Path(arguments[1])
            read(every[folder.with_name("target").read_text()], folder)
            return 0
        folder, seconds, examples = Path(arguments[0]), float(arguments[1]), int(arguments[2])
        chosen = arguments[3:] or list(every)
        (folder / "names").write_text(json.dumps(chosen))
        limit = 4 * 2**30 + int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        end, counts = time.monotonic() + seconds, dict.fromkeys(chosen, 0)
        given = os.environ.get("FUZZ_SEED", "" if seconds else "0")
        numbers = random.Random(int(given)) if given else random.SystemRandom()
        while True:
            for name in chosen:
                try:
                    fuzz(name, every[name], folder, examples, numbers.getrandbits(64))
                except BaseException:
                    (folder / "failure").write_text(traceback.format_exc())
                    return 1
                counts[name] += examples
                if seconds and time.monotonic() > end:
                    break
            if time.monotonic() > end:
                break
        print(f"{sum(counts.values())} inputs for {len(counts)} readers, at least {min(counts.values())} for each")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
