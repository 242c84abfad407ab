"""The line that says where runs are seen: it works when pasted, and shows no password."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lexigraft.cli.compare import _shown_at

MLFLOW = str(Path(sys.executable).with_name("mlflow"))


@pytest.mark.parametrize("path", ["/a b/mlflow.db", "/a'b$HOME/mlflow.db", "/a%2520b/m;x.db", "mlflow.db"])
def test_a_shell_reads_the_store_as_it_is(path: str) -> None:
    line = _shown_at(f"sqlite:///{path}")
    program, *arguments = shlex.split(line)
    assert Path(program).samefile(MLFLOW)
    assert arguments == ["ui", "--backend-store-uri", f"sqlite:///{path}"]
    printed = line.replace(shlex.quote(program), "printf '%s\\n'")
    shown = subprocess.run(["sh", "-c", printed], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == arguments


def test_servers_and_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert _shown_at("https://me:word@host/x") == "https://***@host/x"
    assert _shown_at("postgresql://me:word@host/x") == "postgresql://***@host/x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:word@host/x")
    assert _shown_at("postgresql://me:word@host/x").endswith('mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"')
