"""Progress of a comparison: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

TELL = "from lexigraft.cli.compare import show_progress; show_progress('focus[k=3] (seed 0) done', 2, 6)"


def test_progress_is_a_plain_line_in_a_file_and_a_bar_on_a_terminal() -> None:
    plain = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    assert (plain.stdout, plain.stderr) == ("", "[2/6] focus[k=3] (seed 0) done\n")
    ours, theirs = pty.openpty()
    shown = subprocess.run(
        [sys.executable, "-c", TELL],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert shown.stdout == b""
    assert "2/6" in text
    assert "━" in text
    assert "focus[k=3] (seed 0) done" in text
