"""Body of a model, without its language-model head."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scoring import Ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LAST = -1
"""The layer whose states the body returns, after its last norm."""


class Batch(NamedTuple):
    """Padded inputs, each ``(batch, length)``.

    The segments are those of BERT's sentence pairs.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    segments: torch.Tensor


def padded(model: PreTrainedModel, sequences: Sequence[Ids], seconds: Sequence[int]) -> Batch:
    """A batch on the model's device, padded on the right.

    Args:
        model: The model.
        sequences: Token ids.
        seconds: Where the second text of each begins.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    pad = getattr(model.config, "pad_token_id", None) or 0
    rows = [torch.from_numpy(sequence) for sequence in sequences]
    ids = pad_sequence(rows, batch_first=True, padding_value=pad)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    segments = (torch.arange(ids.shape[1]) >= torch.tensor(seconds).unsqueeze(1)).long() * mask
    return Batch(*(tensor.to(model.device) for tensor in (ids, mask, segments)))


def body_of(model: PreTrainedModel) -> Any:
    """The body: the encoder of an encoder-decoder, else the model without its head; the live module, not a copy."""
    return model.get_encoder() if model.config.is_encoder_decoder else model.base_model


def layers_of(model: PreTrainedModel) -> int:
    """How many layers the body has."""
    config = model.config.get_text_config()
    return int(getattr(config, "num_layers", None) or config.num_hidden_layers)


def refuse_layer(model: PreTrainedModel, layer: int) -> None:
    """Refuse a layer that the body does not have.

    Raises:
        LexigraftError: The layers that it has.
    """
    if not LAST <= layer <= (most := layers_of(model)):
        raise LexigraftError("the model has fewer layers", layer, f"Give -1 (the last one) or 0 to {most}")


def states(body: Any, batch: Batch, layer: int = LAST) -> torch.Tensor:
    """Hidden states.

    Args:
        body: A body of :func:`body_of`, or a copy of one.
        batch: Its inputs.
        layer: After how many layers; 0 is the embeddings.

    Returns:
        ``(batch, length, hidden)``, in the body's own dtype.

    Raises:
        LexigraftError: The body gives no hidden states.
    """
    inputs: dict[str, Any] = {"input_ids": batch.ids, "attention_mask": batch.mask}
    known = inspect.signature(body.forward).parameters
    if getattr(body.config, "type_vocab_size", 1) > 1 and "token_type_ids" in known:
        inputs["token_type_ids"] = batch.segments
    if "use_cache" in known:
        inputs["use_cache"] = False
    output = body(**inputs, output_hidden_states=layer != LAST, return_dict=True)
    found: torch.Tensor | None
    if layer == LAST:
        found = getattr(output, "last_hidden_state", None)
    else:
        found = (getattr(output, "hidden_states", None) or {layer: None})[layer]
    if found is None:
        raise LexigraftError("the model gives no hidden states", type(body).__name__, "Measure it by another evaluator")
    return found


def plain_copy(model: PreTrainedModel) -> Any:
    """A copy of the body to train: adapters (LoRA) that the model is being trained with are merged into it.

    Nothing in it requires a gradient, and what the model itself holds is left as it was.
    """
    body = copy.deepcopy(body_of(model)).requires_grad_(False)
    for name, module in list(body.named_modules()):
        if hasattr(module, "base_layer") and hasattr(module, "merge"):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(body.get_submodule(parent), child, module.get_base_layer())
    for module in body.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.gradient_checkpointing = False
    return body.eval()


@contextlib.contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Evaluation mode without gradients; the modules' own modes are restored."""
    import torch

    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m in training:
            m.training = True
