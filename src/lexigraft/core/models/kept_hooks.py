"""Removal of the hooks that transformers leaves in a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CAPTURING = "_output_capturing_hooks_installed"


@contextlib.contextmanager
def hooks_kept(model: PreTrainedModel) -> Iterator[None]:
    """Remove the hooks that transformers installs in a model when it is first asked for hidden states, and keeps."""
    before = {module: (set(module._forward_hooks), _CAPTURING in vars(module)) for module in model.modules()}
    try:
        yield
    finally:
        for module, (hooks, capturing) in before.items():
            for added in set(module._forward_hooks) - hooks:
                del module._forward_hooks[added]
            if not capturing and _CAPTURING in vars(module):
                delattr(module, _CAPTURING)
