"""Freed memory goes back to the system where the C library can do that, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest
import torch

from lexigraft.core.utils import memory


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory between kept blocks")
def test_freed_memory_goes_back() -> None:
    # 64 MiB in blocks that are too small to be mapped each on its own; every tenth stays.
    blocks = [torch.ones(2**14) for _ in range(1024)]
    kept = blocks[::10]
    del blocks
    before = _resident()
    memory.trim()
    assert before - _resident() > 2**25
    assert all(block.sum() == 2**14 for block in kept)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    try:
        assert memory._malloc_trim() is None
        memory.trim()
    finally:
        memory._malloc_trim.cache_clear()
