"""What the tests of jobs stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.jobs import AddPlugin
from lexigraft.core.registry import PLUGIN_PATH


@pytest.fixture
def add_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddPlugin:
    """Writes files of plug-ins into the test's folder ``plugins``, where they are looked for."""

    def add(name: str, text: str) -> None:
        path = tmp_path / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        monkeypatch.setenv(PLUGIN_PATH, str(tmp_path / "plugins"))

    return add
