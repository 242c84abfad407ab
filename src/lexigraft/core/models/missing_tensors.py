"""Tensors that a model's class needs and its checkpoint lacks."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.bounds import refuse_larger_than_stored
from lexigraft.core.models.checkpoint import Checkpoint

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_LOG = logging.getLogger("lexigraft")
_SHOWN = 5


def compare_names(cls: Any, config: PretrainedConfig, checkpoint: Checkpoint) -> Mapping[str, Any]:
    """What transformers would report on loading a checkpoint, found without reading a weight.

    Transformers itself compares, with tensors on the meta device: so renamed and merged tensors, ties, and buffers that
    a class makes itself are judged as on loading.

    Args:
        cls: The model's class.
        config: The configuration; it is copied.
        checkpoint: The checkpoint.

    Returns:
        ``missing_keys`` and ``unexpected_keys``, among others.

    Raises:
        LexigraftError: A tensor has another shape than the configuration says.
    """
    import torch
    from transformers.utils import logging as transformers_logging

    refuse_larger_than_stored(cls, config, [shard.path for shard in checkpoint.shards])
    tensors = {name: torch.empty(stored.shape, device="meta") for name, stored in checkpoint.tensors.items()}
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        _, info = cls.from_pretrained(
            None,
            config=copy.deepcopy(config),
            state_dict=tensors,
            device_map="meta",
            output_loading_info=True,
        )
    except Exception as error:  # as load_model: each library raises its own kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError("model weights cannot be read", checkpoint.folder, reason) from error
    found: Mapping[str, Any] = info
    return found


def refuse_missing(info: Mapping[str, Any], where: object, allowed: Sequence[str] = ()) -> tuple[str, ...]:
    """Refuse a checkpoint that lacks tensors of its model: transformers would give them random values.

    Args:
        info: What transformers reports on loading.
        where: The model, for the message.
        allowed: Patterns of names that are knowingly new, such as ``lm_head.*``.

    Returns:
        The names that are missing and allowed to be.

    Raises:
        LexigraftError: A tensor is missing that no pattern names.
    """
    missing, unexpected = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    if bad := [name for name in missing if not any(fnmatchcase(name, pattern) for pattern in allowed)]:
        others = f"The checkpoint holds others that the model lacks: {_shown(unexpected)}. " if unexpected else ""
        raise LexigraftError(
            f"checkpoint lacks tensors of its model: {where}",
            _shown(bad),
            f"{others}Give a complete checkpoint; --allow-missing PATTERN (allow_missing) lets them start at random",
        )
    if unexpected:
        _LOG.info("%s: tensors that the model does not use: %s", where, _shown(unexpected))
    return tuple(missing)


def refuse_not_finite(names: Collection[str], where: object) -> None:
    """Refuse weights that hold NaN or infinite values.

    Args:
        names: The tensors that do.
        where: The model, for the message.

    Raises:
        LexigraftError: There is one.
    """
    if names:
        raise LexigraftError(
            f"weights hold NaN or infinite values: {where}", _shown(sorted(names)), "The checkpoint is damaged"
        )


def _shown(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
