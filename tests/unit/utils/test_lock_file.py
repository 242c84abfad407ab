"""Locks between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import lock_file

HOLD = """
import sys
from pathlib import Path
from lexigraft.core.utils.files import lock_file
from lexigraft.core.errors import LexigraftError
with lock_file(Path(sys.argv[1]), LexigraftError("taken"), remove=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_keeps_another_process_out_until_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    refusal = LexigraftError("another process writes", path, "Wait")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LexigraftError, match="another process writes"), lock_file(path, refusal):
            pass
        holder.kill()
    assert path.exists()
    with lock_file(path, refusal, remove=True):
        pass
    assert not path.exists()
