"""Any damage to any file that is read: it loads, or is one LexigraftError, in bounded time and memory.

A few inputs for each reader, the same every time; with FUZZ_SECONDS (`make fuzz`), new ones for so long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
TARGETS = [name for name in os.environ.get("FUZZ_TARGETS", "").split(",") if name]
EXAMPLES = 40 if SECONDS else 4
PATIENCE = 120
"""Seconds for one input, on a machine that does other things too."""
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_damaged_files_are_read_or_refused() -> None:
    folder = Path(tempfile.mkdtemp(prefix="lexigraft-fuzz-"))
    paths = os.pathsep.join(str(ROOT / name) for name in ("src", "tests"))
    environment = os.environ | {"PYTHONPATH": paths, "RUST_BACKTRACE": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "fuzz.child", folder, str(SECONDS), str(EXAMPLES), *TARGETS]
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(list(map(str, command)), env=environment, stdout=log, stderr=log, cwd=ROOT)
        try:
            while child.poll() is None:
                time.sleep(0.2)
                assert not _hangs(folder / "target"), _report(folder, f"reading took more than {PATIENCE} s")
        finally:
            child.kill()
            child.wait()
    failure = folder / "failure"
    said = failure.read_text() if failure.exists() else (folder / "log").read_text()[-3000:]
    assert child.returncode == 0, _report(folder, said)
    print((folder / "log").read_text().splitlines()[-1])


def _hangs(beat: Path) -> bool:
    """Whether the last input was written long ago."""
    return beat.exists() and time.time() - beat.stat().st_mtime > PATIENCE


def _report(folder: Path, said: str) -> str:
    target = folder / "target"
    name = target.read_text() if target.exists() else "none"
    again = f"PYTHONPATH=src:tests {sys.executable} -m fuzz.child --again {folder / 'input'}"
    return f"{said}\nreader: {name}\ninput: {folder / 'input'}\nread it again: {again}"
