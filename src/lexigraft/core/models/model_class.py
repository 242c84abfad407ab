"""What a model's class reads of its configuration and calls its tensors, and new models of it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def forward_reads(module: torch.nn.Module, attribute: str) -> bool:
    """Whether a module's own forward pass, not that of one of torch's, reads an attribute of this name."""
    forward = inspect.unwrap(type(module).forward)
    return not forward.__module__.startswith("torch.") and attribute in forward.__code__.co_names


def new_on_meta(model: PreTrainedModel, config: Any) -> PreTrainedModel:
    """A model of the same class on the meta device, by another configuration."""
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the class gave them when the model itself was made
        fresh: PreTrainedModel = type(model)(config)
    return fresh


def names_on_loading(model: PreTrainedModel, stored: Iterable[str]) -> Mapping[str, str]:
    """The new names of a checkpoint's tensors that transformers renames on loading, by their stored names."""
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightRenaming

    renamings = [change for change in get_model_conversion_mapping(model) if isinstance(change, WeightRenaming)]
    renamed = {}
    for name in stored:
        new = name
        for renaming in renamings:
            new, _ = renaming.rename_source_key(new)
        if new != name:
            renamed[name] = new
    return renamed
