"""Bits (−log2 p) of chosen tokens under a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.models.evaluation_mode import evaluation_mode
from lexigraft.core.models.heads import head_logits, output_layer_inputs, separable
from lexigraft.core.utils.progress import progress

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


Ids = npt.NDArray[np.int64]

_LOGITS_AT_ONCE = 2**25


class Item(NamedTuple):
    """One sequence to score.

    Attributes:
        inputs: What the model reads, ``(length,)``.
        positions: Where its outputs are scored, ``(scored,)``.
        targets: The token that each scored output should give, ``(scored,)``.
        decoder: What the decoder reads (encoder-decoder models only); positions then count in it.
    """

    inputs: Ids
    positions: Ids
    targets: Ids
    decoder: Ids | None = None


def item_bits(model: PreTrainedModel, items: Sequence[Item], batch_tokens: int) -> npt.NDArray[np.float64]:
    """The sum of −log2 p over the scored tokens of each item; arguments as :func:`target_bits`.

    Returns:
        Bits, shape ``(items,)``.
    """
    owners = np.repeat(np.arange(len(items)), [len(item.targets) for item in items])
    return np.bincount(owners, target_bits(model, items, batch_tokens), len(items)).astype(np.float64)


def target_bits(model: PreTrainedModel, items: Sequence[Item], batch_tokens: int) -> npt.NDArray[np.float64]:
    """−log2 p of every scored token.

    Args:
        model: The model; it is run in evaluation mode without gradients and left as it was.
        items: What to score, in any order.
        batch_tokens: Most input tokens in one batch, padding included (a longer single sequence goes alone).

    Returns:
        Bits of the items' targets, one item after the other, shape ``(scored,)``.
    """
    import torch

    ends = np.cumsum([0, *(len(item.targets) for item in items)])
    nats = np.zeros(ends[-1])
    with evaluation_mode(model), torch.no_grad(), progress("sequences scored", len(items)) as tell:
        for indices in _batches(items, batch_tokens, model):
            places = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in indices])
            nats[places] = _batch_nats(model, [items[i] for i in indices])
            tell(len(indices))
    return nats / math.log(2)


def _batches(items: Sequence[Item], batch_tokens: int, model: PreTrainedModel) -> Iterator[list[int]]:
    """Indices of items of similar length, for one batch at a time."""
    table = model.get_output_embeddings()
    most_scored = max(1, _LOGITS_AT_ONCE // (table.weight.shape[0] if table is not None else model.config.vocab_size))
    bounded = model.config.is_encoder_decoder or model.base_model is model
    batch: list[int] = []
    longest = scored = 0
    for index in sorted(range(len(items)), key=lambda i: -len(items[i].inputs)):
        item = items[index]
        length = max(longest, len(item.inputs), 0 if item.decoder is None else len(item.decoder))
        too_long = length * (len(batch) + 1) > batch_tokens
        if batch and (too_long or (bounded and scored + len(item.targets) > most_scored)):
            yield batch
            batch, scored, length = [], 0, len(item.inputs)
        batch.append(index)
        longest, scored = length, scored + len(item.targets)
    if batch:
        yield batch


def _batch_nats(model: PreTrainedModel, batch: list[Item]) -> npt.NDArray[np.float64]:
    """−ln p of every target of a batch, one item after the other."""
    import torch
    from torch.nn.functional import cross_entropy

    device = model.device
    inputs = _padded(model, [i.inputs for i in batch])
    rows = torch.from_numpy(np.repeat(np.arange(len(batch)), [len(i.positions) for i in batch])).to(device)
    positions = torch.from_numpy(np.concatenate([i.positions for i in batch])).to(device)
    targets = torch.from_numpy(np.concatenate([i.targets for i in batch])).to(device)
    if batch[0].decoder is not None:
        decoder = _padded(model, [i.decoder for i in batch if i.decoder is not None])
        logits = _decoder_logits(model, inputs, decoder["input_ids"], rows, positions)
        nats = cross_entropy(logits.float(), targets, reduction="none")
    elif separable(model, inputs["input_ids"][:, : int(min(len(i.inputs) for i in batch))]):
        states = output_layer_inputs(model, lambda hidden: hidden[rows, positions], **inputs)
        size = max(1, _LOGITS_AT_ONCE // model.get_output_embeddings().weight.shape[0])
        parts = zip(states.split(size), targets.split(size), strict=True)
        nats = torch.cat([cross_entropy(head_logits(model, s).float(), w, reduction="none") for s, w in parts])
    else:
        logits = model(**inputs).logits[rows, positions]
        nats = cross_entropy(logits.float(), targets, reduction="none")
    found: npt.NDArray[np.float64] = nats.double().cpu().numpy()
    return found


def _decoder_logits(
    model: PreTrainedModel,
    inputs: dict[str, torch.Tensor],
    decoder: torch.Tensor,
    rows: torch.Tensor,
    positions: torch.Tensor,
) -> torch.Tensor:
    """Logits ``(scored, vocabulary)``: the output table sees the scored positions only."""

    def select(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return arguments[0][rows, positions].unsqueeze(0)

    handle = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        logits: torch.Tensor = model(**inputs, decoder_input_ids=decoder, use_cache=False).logits
    finally:
        handle.remove()
    return logits[0]


def _padded(model: PreTrainedModel, sequences: Sequence[Ids]) -> dict[str, torch.Tensor]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    pad = getattr(model.config, "pad_token_id", None) or 0
    ids = [torch.tensor(sequence, dtype=torch.int64) for sequence in sequences]
    padded = {"input_ids": pad_sequence(ids, batch_first=True, padding_value=pad).to(model.device)}
    mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
    if not mask.all():
        padded["attention_mask"] = mask.to(model.device)
    return padded
