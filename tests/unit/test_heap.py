"""Freed memory goes back to the system where the C library can do that, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest
import torch

from lexigraft.core import heap


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory between kept blocks")
def test_freed_memory_goes_back() -> None:
    # 64 MiB in blocks that are too small to be mapped each on its own; every tenth stays.
    blocks = [torch.ones(2**14) for _ in range(1024)]
    kept = blocks[::10]
    del blocks
    before = _resident()
    heap.trim()
    assert before - _resident() > 2**25
    assert all(block.sum() == 2**14 for block in kept)


def test_a_layer_gives_back_after_its_forward_pass_and_before_its_backward_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(heap, "trim", lambda: happened.append("trim"))
    layer = torch.nn.Linear(2, 2)
    states = torch.ones(1, 2, requires_grad=True)
    states.register_hook(lambda gradient: happened.append("backward"))
    with heap.trimmed_between([layer]):
        loss = layer(states).sum()
        happened.append("forward")
        loss.backward()
        assert happened == ["trim", "forward", "trim", "backward"]
    layer(states)
    assert len(happened) == 4


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heap._malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    try:
        assert heap._malloc_trim() is None
        heap.trim()
    finally:
        heap._malloc_trim.cache_clear()
