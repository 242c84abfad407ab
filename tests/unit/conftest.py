"""What several unit tests stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexigraft.core.registry import PLUGIN_PATH


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which plug-ins are looked for."""
    monkeypatch.setenv(PLUGIN_PATH, str(tmp_path))
    return tmp_path
