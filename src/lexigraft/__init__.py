"""Lexigraft gives a pre-trained language model a new vocabulary, and compares the ways to do it.

The public Python API; nothing heavy is imported until a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexigraft import augmenters as augmenters
    from lexigraft import evaluators as evaluators
    from lexigraft import objectives as objectives
    from lexigraft import settings as settings
    from lexigraft import strategies as strategies
    from lexigraft import testing as testing
    from lexigraft.api.adapt import adapt as adapt
    from lexigraft.api.adapt import load_adapter as load_adapter
    from lexigraft.api.align_vectors import align_vectors as align_vectors
    from lexigraft.api.compare.run import compare as compare
    from lexigraft.api.evaluate import evaluate as evaluate
    from lexigraft.api.graft import graft as graft
    from lexigraft.api.graft import graft_model as graft_model
    from lexigraft.api.mixed_adapters import mix_adapters as mix_adapters
    from lexigraft.api.plugins.strategies import list_strategies as list_strategies
    from lexigraft.api.pretrain import pretrain as pretrain
    from lexigraft.api.transfer.analysis import analyze_pairs as analyze_pairs
    from lexigraft.api.transfer.donors import donors as donors
    from lexigraft.api.transfer.overlap import overlap as overlap
    from lexigraft.core.errors import LexigraftError as LexigraftError

_WHERE = {
    "graft": "lexigraft.api.graft",
    "graft_model": "lexigraft.api.graft",
    "adapt": "lexigraft.api.adapt",
    "load_adapter": "lexigraft.api.adapt",
    "mix_adapters": "lexigraft.api.mixed_adapters",
    "align_vectors": "lexigraft.api.align_vectors",
    "pretrain": "lexigraft.api.pretrain",
    "evaluate": "lexigraft.api.evaluate",
    "compare": "lexigraft.api.compare.run",
    "list_strategies": "lexigraft.api.plugins.strategies",
    "overlap": "lexigraft.api.transfer.overlap",
    "donors": "lexigraft.api.transfer.donors",
    "analyze_pairs": "lexigraft.api.transfer.analysis",
    "LexigraftError": "lexigraft.core.errors",
}
_MODULES = ("augmenters", "evaluators", "objectives", "settings", "strategies", "testing")

__all__ = [
    "LexigraftError",
    "adapt",
    "align_vectors",
    "analyze_pairs",
    "augmenters",
    "compare",
    "donors",
    "evaluate",
    "evaluators",
    "graft",
    "graft_model",
    "list_strategies",
    "load_adapter",
    "mix_adapters",
    "objectives",
    "overlap",
    "pretrain",
    "settings",
    "strategies",
    "testing",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"lexigraft.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'lexigraft' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
