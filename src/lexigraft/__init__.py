"""Lexigraft gives a pre-trained language model a new vocabulary, and compares the ways to do it.

The public Python API; nothing heavy is imported until a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexigraft.api.adapting import adapt as adapt
    from lexigraft.api.adapting import pretrain as pretrain
    from lexigraft.api.comparing import compare as compare
    from lexigraft.api.evaluating import evaluate as evaluate
    from lexigraft.api.grafting import graft as graft
    from lexigraft.api.listing import strategies as strategies
    from lexigraft.core.errors import LexigraftError as LexigraftError

_WHERE = {
    "graft": "lexigraft.api.grafting",
    "adapt": "lexigraft.api.adapting",
    "pretrain": "lexigraft.api.adapting",
    "evaluate": "lexigraft.api.evaluating",
    "compare": "lexigraft.api.comparing",
    "strategies": "lexigraft.api.listing",
    "LexigraftError": "lexigraft.core.errors",
}

__all__ = ["LexigraftError", "adapt", "compare", "evaluate", "graft", "pretrain", "strategies"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'lexigraft' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(_WHERE)
