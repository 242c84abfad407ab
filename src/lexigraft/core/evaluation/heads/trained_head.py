"""Linear head on the hidden states of a body."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.model_body import evaluating, padded, states
from lexigraft.core.evaluation.scoring import Ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Reads = Literal["positions", "mean", "first", "last"]
Logits = npt.NDArray[np.float32]
_TOKENS_AT_ONCE = 8192


class Example(NamedTuple):
    """A sequence with what is to be predicted from its states.

    Attributes:
        ids: Token ids with special tokens, ``(length,)``.
        positions: Where its states are read, ``(positions,)``.
        labels: The label of each position; of the whole sequence where its states are pooled; where a span is
            predicted, its first and its last position, as indices into ``positions``.
        second: Where the second text begins; behind the end where there is none.
    """

    ids: Ids
    positions: Ids
    labels: Ids
    second: int


@dataclass(frozen=True)
class Head:
    """A linear head.

    Attributes:
        outputs: How many numbers it gives for each state that it reads.
        reads: Each position, or one state of the whole sequence: the mean over the positions, the first token's, or
            the last position's.
        spans: Whether the two outputs are scores of a position as the first and as the last one of a span; otherwise
            the outputs are the labels' scores.
    """

    outputs: int
    reads: Reads
    spans: bool = False


def read_states(model: PreTrainedModel, body: Any, layer: int, head: Head, examples: Sequence[Example]) -> torch.Tensor:
    """What a head reads of a batch.

    Args:
        model: The model, for its device and configuration.
        body: Its body, or a copy.
        layer: After how many layers.
        head: What is read.
        examples: The batch.

    Returns:
        float32, ``(positions, hidden)``, or ``(sequences, hidden)`` where the head pools.
    """
    import torch

    found = states(body, padded(model, [e.ids for e in examples], [e.second for e in examples]), layer).float()
    counts = [len(e.positions) for e in examples]
    rows = torch.from_numpy(np.repeat(np.arange(len(examples)), counts)).to(found.device)
    positions = torch.from_numpy(np.concatenate([e.positions for e in examples])).to(found.device)
    if head.reads == "positions":
        return found[rows, positions]
    if head.reads == "first":
        return found[:, 0]
    if head.reads == "last":
        ends = torch.tensor([int(e.positions[-1]) for e in examples], device=found.device)
        return found[torch.arange(len(examples), device=found.device), ends]
    # A product, because sums by index on a GPU come out in any order.
    weights = torch.zeros(found.shape[:2], device=found.device)
    weights[rows, positions] = 1 / torch.tensor(counts, device=found.device)[rows]
    return (weights.unsqueeze(1) @ found).squeeze(1)


def by_example(
    model: PreTrainedModel,
    body: Any,
    layer: int,
    head: Head,
    examples: Sequence[Example],
    linear: torch.nn.Linear | None = None,
) -> list[Logits]:
    """What a head reads (or, with its layer, gives) for each example, in evaluation mode.

    Args:
        model: The model.
        body: Its body, or a copy.
        layer: After how many layers.
        head: What is read.
        examples: In any order.
        linear: The head's layer.

    Returns:
        For each example ``(positions, values)``, or ``(1, values)`` where the head pools.
    """
    batches: list[list[int]] = []
    for n in sorted(range(len(examples)), key=lambda n: -len(examples[n].ids)):
        if not batches or (len(batches[-1]) + 1) * len(examples[batches[-1][0]].ids) > _TOKENS_AT_ONCE:
            batches.append([])
        batches[-1].append(n)
    found: dict[int, Logits] = {}
    with evaluating(body):
        for chosen in batches:
            batch = [examples[n] for n in chosen]
            read = read_states(model, body, layer, head, batch)
            counts = [len(e.positions) if head.reads == "positions" else 1 for e in batch]
            parts = (read if linear is None else linear(read)).cpu().split(counts)
            found |= dict(zip(chosen, (part.numpy() for part in parts), strict=True))
    return [found[n] for n in range(len(examples))]


@dataclass(frozen=True)
class HeadOnBody:
    """A head on the model's own body, or on a trained copy of it.

    Attributes:
        model: The model that is measured.
        body: The body whose states the head reads.
        layer: After how many layers they are read; -1 is the last one.
        head: What the head reads and gives.
        linear: Its layer.
        tokens_trained: Tokens of the training sequences, in every epoch anew.
    """

    model: PreTrainedModel
    body: Any
    layer: int
    head: Head
    linear: torch.nn.Linear
    tokens_trained: int

    def logits(self, examples: Sequence[Example]) -> list[Logits]:
        """What the head gives for each example, ``(positions, outputs)``, or ``(1, outputs)`` where it pools."""
        return by_example(self.model, self.body, self.layer, self.head, examples, self.linear)

    def loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """The mean cross-entropy of a batch."""
        import torch
        from torch.nn.functional import cross_entropy
        from torch.nn.utils.rnn import pad_sequence

        logits = self.linear(read_states(self.model, self.body, self.layer, self.head, examples))
        labels = torch.from_numpy(np.concatenate([e.labels for e in examples])).to(logits.device)
        if not self.head.spans:
            return cross_entropy(logits, labels)
        parts = logits.split([len(e.positions) for e in examples])
        rows = pad_sequence(parts, batch_first=True, padding_value=-math.inf)
        return cross_entropy(rows.transpose(1, 2).flatten(0, 1), labels)
