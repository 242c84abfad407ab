"""A closed terminal ends a command as an error does; `nohup` keeps it running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, signal, sys, time
from pathlib import Path
from lexigraft.cli import main as command
from lexigraft.core.utils.files import whole_folder
def work(as_json):
    with whole_folder(Path(sys.argv[1]), force=False) as draft:
        (draft / "file").write_text("half")
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.1)
    return 0
command._invoke = work
command.main()
"""


@pytest.mark.parametrize(("nohup", "code", "left"), [(False, 129, set()), (True, 0, {"made"})])
def test_a_hangup_leaves_no_partial_folder(tmp_path: Path, nohup: bool, code: int, left: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "prepared" / "made")],
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL),
    )
    assert done.returncode == code, done.stderr.decode()
    assert {path.name for path in (tmp_path / "prepared").iterdir()} == left
