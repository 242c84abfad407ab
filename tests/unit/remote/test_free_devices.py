"""GPUs that jobs of one machine share, and the list of a folder's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lexigraft.core.remote.free_devices import VISIBLE, Devices, taken
from lexigraft.core.remote.listing import listing


def test_each_takes_free_ones_and_gives_them_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "7")
    one, two = (Devices.of("0,GPU-a/1,2", count, tmp_path / "locks") for count in (1, 2))
    with taken(one, lambda: False) as first:
        assert (first, os.environ[VISIBLE]) == (True, "0")
        with taken(two, lambda: False) as second:
            assert (second, os.environ[VISIBLE]) == (True, "GPU-a/1,2")
            asked = iter([False, True])
            with taken(one, lambda: next(asked)) as third:
                assert third is False
    with taken(two, lambda: False):
        assert os.environ[VISIBLE] == "0,GPU-a/1"


def test_too_few_are_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "7")
    one, two = (Devices.of("0,1", count, tmp_path) for count in (1, 2))
    with taken(one, lambda: False):
        asked = iter([False, True])
        with taken(two, lambda: next(asked)) as second:
            assert second is False
        with taken(one, lambda: False):
            assert os.environ[VISIBLE] == "1"


def test_without_devices_nothing_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "7")
    with taken(Devices.of("", 1, tmp_path / "locks"), lambda: True) as there:
        assert (there, os.environ[VISIBLE]) == (True, "7")
    assert not (tmp_path / "locks").exists()


def test_a_listing_leaves_out_locks_drafts_and_what_is_named(tmp_path: Path) -> None:
    for name in ("a", "b/c d", "b/.draft/x", ".lock", "remote/job.log", "b/remote", "recipe.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("12")
    os.utime(tmp_path / "a", (5, 5))
    found = listing(tmp_path, ["remote", "recipe.yaml"])
    assert sorted(found) == ["a", "b/c d", "b/remote"]
    assert found["a"] == [2, 5]
    assert listing(tmp_path / "nothing") == {}
