"""Freed memory goes back to the system where the C library can do that, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest
import torch

from lexigraft.core.training import memory_trim
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


class _System:
    """What a process takes, has taken at most, and has freed but not given back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken, self.peak, self.freed, self.trims = 100, 100, 0, 0
        monkeypatch.setattr(memory_trim, "rss_bytes", lambda: self.taken)
        monkeypatch.setattr(memory_trim, "peak_rss_bytes", lambda: self.peak)
        monkeypatch.setattr(memory_trim, "trim", self.trim)

    def take(self, size: int, freed: int = 0) -> None:
        """Take so much, of which so much is freed again."""
        self.taken += size
        self.freed += freed
        self.peak = max(self.peak, self.taken)

    def trim(self) -> None:
        """Give back what was freed."""
        self.trims += 1
        self.taken, self.freed = self.taken - self.freed, 0


class _Layer(torch.nn.Module):
    """Keeps 5 for its backward pass and leaves 5 behind."""

    def __init__(self, system: _System) -> None:
        super().__init__()
        self.system = system

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        self.system.take(10, freed=5)
        output = states * 2
        output.register_hook(lambda gradient: self.system.take(0, freed=5))
        return output


def test_freed_memory_is_used_again_up_to_the_peak_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    system = _System(monkeypatch)
    layers = [_Layer(system) for _ in range(4)]
    trims, peaks = [], []
    with memory_trim.trimmed_between(layers):
        for _ in range(3):
            states = torch.ones(1, requires_grad=True)
            for layer in layers:
                states = layer(states)
            trims.append(system.trims)
            system.take(60, freed=60)
            states.sum().backward()
            peaks.append(system.peak)
    # The first pass sets the peak and gives all back at once; the others go up to it, and give back before the loss.
    assert trims[0] == 4
    assert trims[2] - trims[1] < 4
    assert peaks == [180, 180, 180]
    trims_then = system.trims
    layers[-1](torch.ones(1, requires_grad=True))
    assert system.trims == trims_then


def test_what_comes_before_the_loss_goes_back_even_below_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    system = _System(monkeypatch)
    system.peak = 10_000
    layers = [_Layer(system) for _ in range(4)]
    with memory_trim.trimmed_between(layers):
        states = torch.ones(1, requires_grad=True)
        for layer in layers:
            states = layer(states)
        assert (system.trims, system.freed) == (1, 0)
        states.sum().backward()
    assert system.trims == 1


def test_a_system_that_does_not_tell_gets_all_back(monkeypatch: pytest.MonkeyPatch) -> None:
    system = _System(monkeypatch)
    system.peak = 10_000
    monkeypatch.setattr(memory_trim, "rss_bytes", lambda: None)
    layers = [_Layer(system), _Layer(system)]
    with memory_trim.trimmed_between(layers):
        layers[0](torch.ones(1, requires_grad=True)).sum().backward()
    assert system.trims == 2


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    try:
        assert memory._malloc_trim() is None
        memory.trim()
    finally:
        memory._malloc_trim.cache_clear()
