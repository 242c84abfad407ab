"""List of the files in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from lexigraft.core.remote.file_list import list_files


def test_a_list_of_files_leaves_out_locks_drafts_and_what_is_named(tmp_path: Path) -> None:
    for name in ("a", "b/c d", "b/.draft/x", ".lock", "remote/job.log", "b/remote", "recipe.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("12")
    os.utime(tmp_path / "a", (5, 5))
    found = list_files(tmp_path, ["remote", "recipe.yaml"])
    assert sorted(found) == ["a", "b/c d", "b/remote"]
    assert found["a"] == [2, 5]
    assert list_files(tmp_path / "nothing") == {}
