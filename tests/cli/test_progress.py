"""Progress of a comparison: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

TELL = "from lexigraft.cli.output import show_progress; show_progress('focus[k=3] (seed 0) done', 2, 6)"


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


LOOP = """
from contextlib import nullcontext
from lexigraft.core.utils.progress import progress, showing_progress
for shown in (nullcontext(), showing_progress()):
    with shown, progress("sequences scored", 7) as tell:
        tell(3)
    print("-", flush=True)
"""


def test_a_loop_shows_a_bar_on_a_terminal_where_a_command_asks_for_it() -> None:
    plain = subprocess.run([sys.executable, "-c", LOOP], capture_output=True, text=True, check=True)
    assert (plain.stdout, plain.stderr) == ("-\n-\n", "")
    ours, theirs = pty.openpty()
    terminal = {"stdout": theirs, "stderr": theirs, "env": os.environ | {"TERM": "xterm"}}
    subprocess.run([sys.executable, "-c", LOOP], check=True, **terminal)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    asked = text.partition("-")[2]
    assert text.startswith("-"), "nothing was shown before a command asked"
    assert "sequences scored" in asked
    assert "3/7" in asked
