"""Bounds on model configurations, checked before a library makes the layers and tables that they announce."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MOST_LAYERS = 1000
"""Layers of the deepest model that is read; the deepest ones published have some hundred."""
MOST_WIDE = 2**31 - 1
"""The largest width, number of heads, of positions, or of tokens."""

_SLACK, _SMALL = 8, 2**26
"""A model may have so many times as many values as its files have bytes, and so many more."""
_WIDTHS = ("_size", "_dim", "_heads", "_embd", "_inner", "_positions", "_embeddings", "_ctx", "d_model", "d_ff", "d_kv")
_NEVER_NEGATIVE = ("vocab_size", "hidden_size", "intermediate_size", "d_model", "n_embd")


def refuse_endless(config: Path) -> None:
    """Refuse a ``config.json`` that announces more layers or larger tables than any model has, or fewer than none.

    Args:
        config: The file; what is no JSON is left to its reader.

    Raises:
        LexigraftError: With the key and its value.
    """
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        found = list(_numbers(content, ""))
    except (OSError, ValueError, RecursionError):
        return
    for name, value in found:
        key = name.rpartition(".")[2]
        layers = key.endswith(("_layers", "n_layer")) or key == "layers"
        most = MOST_LAYERS if layers else MOST_WIDE if key.endswith(_WIDTHS) else value
        least = 0 if layers or key in _NEVER_NEGATIVE else value
        if not least <= value <= most:
            where = f"{config}: {name} is {value}"
            raise LexigraftError("configuration has an impossible size", where, "Fetch config.json again")


def _numbers(content: Any, name: str) -> Iterator[tuple[str, int | float]]:
    """The numbers of a JSON document by their dotted keys."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield name, content


def refuse_larger_than_stored(cls: Any, config: PretrainedConfig, files: Sequence[Path]) -> None:
    """Refuse a configuration of a far larger model than its files hold: transformers makes all of it before comparing.

    Args:
        cls: The model's class.
        config: The configuration; it is copied.
        files: The files of its weights.

    Raises:
        LexigraftError: With the number of values that the configuration announces, or why it is none.
    """
    import torch

    stored = sum(file.stat().st_size for file in files)
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are repeated where the model is loaded
            announced = sum(p.numel() for p in cls(copy.deepcopy(config)).state_dict().values())
    except Exception as error:  # each class has its own kinds for values that do not fit together
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError("model cannot be made from its configuration", files[0].parent, reason) from None
    if announced > _SLACK * stored + _SMALL:
        where = f"{files[0].parent}: config.json announces {announced:,} values, its weights have {stored:,} bytes"
        raise LexigraftError("the configuration is of another model than the weights", where, "Fetch config.json again")
