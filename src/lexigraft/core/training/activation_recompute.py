"""Outputs of activations, made again for the way back from inputs that are kept for it anyway."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextlib.contextmanager
def outputs_made_again(layers: Iterable[torch.nn.Module]) -> Iterator[None]:
    """For a while the backward pass makes an activation's output again where the forward pass kept the input already.

    The output is what a gated product, or a LoRA layer, keeps beside the input that the activation keeps. It is made of
    the same bits, element by element, which costs little beside a layer's products.

    Args:
        layers: Whose activations; any of transformers' own that have no parameters.
    """
    import torch
    from transformers.activations import ACT2CLS

    kinds = tuple({kind[0] if isinstance(kind, tuple) else kind for kind in ACT2CLS.values()})
    found = [m for layer in layers for m in layer.modules() if isinstance(m, kinds) and not any(m.parameters())]
    if not found:
        yield
        return
    watch = _Watch()
    handles = [m.register_forward_pre_hook(watch.before) for m in found]
    handles += [m.register_forward_hook(watch.after) for m in found]
    try:
        with torch.autograd.graph.saved_tensors_hooks(watch.pack, _unpack):
            yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A tensor, or the input that a module makes it of; its version, for torch checks none that hooks have packed."""

    tensor: torch.Tensor
    version: int
    module: Any = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Origin:
    """What an output was made of, and its version when it was."""

    module: torch.nn.Module
    given: torch.Tensor
    given_version: int
    version: int


class _Watch:
    """Sees what an activation is given, whether that is kept, and what comes out."""

    def __init__(self) -> None:
        self._given: torch.Tensor | None = None
        self._kept = False

    def before(self, module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
        self._given, self._kept = arguments[0], False

    def after(self, module: torch.nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        given, self._given = self._given, None
        # Of another dtype it was made under autocast, which is over on the way back.
        if self._kept and given is not None and given.dtype == output.dtype:
            output.lexigraft_origin = _Origin(module, given.detach(), given._version, output._version)

    def pack(self, tensor: torch.Tensor) -> _Kept:
        self._kept |= tensor is self._given
        whole = tensor if tensor._base is None else tensor._base
        origin = getattr(whole, "lexigraft_origin", None)
        same = tensor.numel() == whole.numel() and tensor.is_contiguous() and whole.is_contiguous()
        if origin is not None and same and whole._version == origin.version:
            return _Kept(origin.given, origin.given_version, origin.module, tuple(tensor.shape))
        return _Kept(tensor.detach(), tensor._version)


def _unpack(kept: _Kept) -> torch.Tensor:
    import torch

    if kept.tensor._version != kept.version:
        raise RuntimeError("a tensor that the backward pass needs was changed in place after the forward pass kept it")
    if kept.module is None:
        return kept.tensor
    with torch.no_grad():
        made: torch.Tensor = kept.module.forward(kept.tensor)
    return made.view(kept.shape)
