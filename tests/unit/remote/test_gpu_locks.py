"""Locks on the GPUs that jobs of one machine share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lexigraft.core.remote.gpu_locks import VISIBLE, GpuPool, locked_gpus


def test_each_takes_free_ones_and_gives_them_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "7")
    one, two = (GpuPool.of("0,GPU-a/1,2", count, tmp_path / "locks") for count in (1, 2))
    with locked_gpus(one, lambda: False) as first:
        assert (first, os.environ[VISIBLE]) == (True, "0")
        with locked_gpus(two, lambda: False) as second:
            assert (second, os.environ[VISIBLE]) == (True, "GPU-a/1,2")
            asked = iter([False, True])
            with locked_gpus(one, lambda: next(asked)) as third:
                assert third is False
    with locked_gpus(two, lambda: False):
        assert os.environ[VISIBLE] == "0,GPU-a/1"


def test_too_few_are_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "7")
    one, two = (GpuPool.of("0,1", count, tmp_path) for count in (1, 2))
    with locked_gpus(one, lambda: False):
        asked = iter([False, True])
        with locked_gpus(two, lambda: next(asked)) as second:
            assert second is False
        with locked_gpus(one, lambda: False):
            assert os.environ[VISIBLE] == "1"


def test_without_gpus_nothing_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "7")
    with locked_gpus(GpuPool.of("", 1, tmp_path / "locks"), lambda: True) as there:
        assert (there, os.environ[VISIBLE]) == (True, "7")
    assert not (tmp_path / "locks").exists()
