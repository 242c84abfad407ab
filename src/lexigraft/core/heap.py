"""Memory that was freed and that the C library keeps."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def trim() -> None:
    """Hand freed memory back to the system, with glibc; elsewhere do nothing.

    glibc before 2.38 rarely uses a freed aligned block again for another of its size, and torch aligns all of its
    tensors (glibc's bug 14581): the short-lived ones of a forward pass leave as much behind as the pass keeps.
    """
    if (malloc_trim := _malloc_trim()) is not None:
        malloc_trim(0)


@contextlib.contextmanager
def trimmed_between(layers: Iterable[torch.nn.Module]) -> Iterator[None]:
    """For a while freed memory goes back after each layer's forward pass, and before its backward pass."""
    hooks = [layer.register_forward_hook(_after) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _after(layer: torch.nn.Module, given: Any, output: Any) -> None:
    trim()
    states = output[0] if isinstance(output, tuple) else output
    if getattr(states, "requires_grad", False):
        states.register_hook(lambda gradient: trim())


@cache
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
