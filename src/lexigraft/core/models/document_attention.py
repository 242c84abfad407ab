"""Documents kept apart inside a packed row: each attends to itself alone and counts its positions from the start."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.evaluation_mode import evaluation_mode
from lexigraft.core.models.padding_positions import padding_of_positions

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_TOLERANCE = 1e-3


def model_inputs(model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A batch's inputs for the forward pass; ``document_starts``, where it has them, keep its documents apart.

    Causal models of transformers tell documents by positions that start anew; to other models the mask is given.

    Args:
        model: The model.
        batch: ``input_ids``, ``(batch, length)``, and maybe ``document_starts``, bool of the same shape, or the
            ``attention_mask`` of padded rows.
    """
    import torch

    inputs = {name: batch[name] for name in ("input_ids", "attention_mask") if name in batch}
    if "document_starts" not in batch:
        return inputs
    numbers = torch.arange(inputs["input_ids"].shape[1], device=inputs["input_ids"].device)
    starts = batch["document_starts"].clone()
    starts[:, 0] = True
    firsts = torch.where(starts, numbers, 0).cummax(1).values
    inputs["position_ids"] = numbers - firsts + _first_position(model)
    if model_kind(model.config) != "causal":
        document = starts.cumsum(1)
        same = (document[:, :, None] == document[:, None, :])[:, None]
        if model.config._attn_implementation != "sdpa":
            same = torch.zeros(same.shape, device=same.device, dtype=model.dtype).masked_fill(
                ~same, torch.finfo(model.dtype).min
            )
        inputs["attention_mask"] = same
    return inputs


def _first_position(model: PreTrainedModel) -> int:
    """The number of the first position: RoBERTa-like bodies count from the padding id + 1."""
    padding = padding_of_positions(model)
    return 0 if padding is None else padding + 1


def refuse_mixing(model: PreTrainedModel, length: int) -> None:
    """Refuse a model that does not keep documents apart: two of them in one row must give the logits of each alone.

    Args:
        model: The model with its weights.
        length: Tokens of a row.

    Raises:
        LexigraftError: The logits differ, or the model takes no positions.
    """
    import torch

    name = type(model).__name__
    if model_kind(model.config) == "seq2seq" or "position_ids" not in inspect.signature(model.forward).parameters:
        raise LexigraftError("model cannot keep documents apart", name, _HINT)
    half = length // 2
    size = model.get_input_embeddings().weight.shape[0]
    ids = torch.randint(size, (1, 2 * half), generator=torch.Generator().manual_seed(0)).to(model.device)
    if (pad := model.config.get_text_config().pad_token_id) is not None:
        ids[ids == pad] = (pad + 1) % size  # some bodies give padding no position
    starts = torch.zeros_like(ids, dtype=torch.bool)
    starts[:, half] = True
    # With a cache, positions that start anew would not tell documents apart.
    uncached = {"use_cache": False} if model_kind(model.config) == "causal" else {}
    with evaluation_mode(model), torch.no_grad():
        inputs = model_inputs(model, {"input_ids": ids, "document_starts": starts})
        together = model(**inputs, **uncached).logits[0, half:].float()
        alone = model(input_ids=ids[:, half:]).logits[0].float()
    exact = model.dtype == torch.float32
    allowed = (_TOLERANCE if exact else 50 * _TOLERANCE) * max(1.0, alone.abs().max().item())
    if (together - alone).abs().max().item() > allowed:
        raise LexigraftError("model does not keep documents apart", name, _HINT)


_HINT = "Leave adaptation.documents at 'separated'; attention then reaches over the end of a document"
