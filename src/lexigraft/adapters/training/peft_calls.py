"""Calls of PEFT."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@contextlib.contextmanager
def expected_peft_warnings() -> Iterator[None]:
    """Silence PEFT where it uses an old name of transformers, or corrects a configuration that wrongly says "tied".

    mT5-like models hold two tables although their configuration says they are tied; PEFT corrects it on merging.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied", UserWarning)
        yield


def merged(peft_model: Any) -> PreTrainedModel:
    """Merge the LoRA layers of a PEFT model into the weights and remove them.

    What the configuration says about ties stays, because UMT5 scales its logits by it.
    """
    config = peft_model.get_base_model().config
    tied = config.tie_word_embeddings
    with expected_peft_warnings():
        model: PreTrainedModel = peft_model.merge_and_unload(safe_merge=True)
    config.tie_word_embeddings = tied
    return model
