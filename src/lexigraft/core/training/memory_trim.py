"""Memory that was freed and that the C library keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from lexigraft.core.utils.memory import peak_rss_bytes, rss_bytes, trim

if TYPE_CHECKING:
    import torch


@contextlib.contextmanager
def trimmed_between(layers: Iterable[torch.nn.Module]) -> Iterator[None]:
    """For a while freed memory goes back between layers where keeping it would soon raise the process's peak.

    To give all of it back each time would cost a tenth of a training step: the system clears what it lends again. After
    the last layer's forward pass it always goes, for the loss over a large vocabulary takes the most.

    Args:
        layers: A model's layers in the order in which the forward pass takes them.
    """
    found = list(layers)
    guard = _Guard(len(found))
    hooks = [layer.register_forward_hook(partial(guard.after, place)) for place, layer in enumerate(found, start=1)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Guard:
    """Stands between layers, learns how much one adds, and trims where that much more would be a new peak."""

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._most = 0
        self._before = (0, 0)

    def after(self, place: int, layer: torch.nn.Module, given: Any, output: Any) -> None:
        """After the forward pass of the layer in this place, from 1; its backward pass will stop here first."""
        self._stand(place)
        states = output[0] if isinstance(output, tuple) else output
        if getattr(states, "requires_grad", False):
            states.register_hook(lambda gradient: self._stand(-place))

    def _stand(self, place: int) -> None:
        """On the way there places count from 1 up, on the way back up to -1."""
        resident = rss_bytes()
        if resident is None:
            trim()
            return
        place_before, resident_before = self._before
        if place_before == place - 1 and place != 1:
            self._most = max(self._most, resident - resident_before)
        if place == self._layers or resident + self._most >= peak_rss_bytes():
            trim()
        self._before = (place, rss_bytes() or 0)
