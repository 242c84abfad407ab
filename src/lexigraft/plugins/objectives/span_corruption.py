"""T5's span corruption: spans are replaced by sentinels, and the decoder predicts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.tokenization.sentinel_tokens import sentinel_ids
from lexigraft.core.training.objective import Objective

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class SpanCorruption(Objective):
    """Predict the spans that were left out of the input.

    Every sequence loses the same number of tokens in the same number of spans, at random places, so that no input and
    no target is padded. Targets are sentinel, span, sentinel, span, …, end.

    Source: Raffel et al. 2020, section 3.1.4 (density 0.15, mean span 3); T5's random_spans_noise_mask.
    Relations: masked is the same idea for encoders.

    Attributes:
        density: Share of the tokens left out.
        mean_span: Mean length of a span in tokens.
    """

    name: ClassVar[str] = "span_corruption"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"seq2seq"})
    density: float = 0.15
    mean_span: float = 3.0

    def __post_init__(self) -> None:
        """Refuse a density or length that leaves no token."""
        if not 0 < self.density < 1:
            raise ValueError("density must lie between 0 and 1")
        if self.mean_span < 1:
            raise ValueError("mean_span must be at least 1")

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Leave spans out: ``input_ids`` (kept + spans + 1 wide) and ``labels`` (left out + spans + 1 wide).

        Where not every token is predictable, ``targets`` are the labels with all of them, for the decoder to read.
        """
        import torch

        rows, length = sequences.shape
        if length < 4:
            raise LexigraftError(
                "sequences are too short for span corruption", length, "Use a sequence_length of 8 or more"
            )
        noise = min(max(round(length * self.density), 1), length - 2)
        spans = max(1, min(round(noise / self.mean_span), noise, length - noise))
        sentinels = sentinel_ids(vocabulary)
        if spans > len(sentinels):
            hint = f"The tokenizer has {len(sentinels)}; shorten sequence_length, or raise mean_span"
            raise LexigraftError("more spans than sentinel tokens", spans, hint)
        left_out = _random_mask(rows, length, noise, spans, generator)
        starts = left_out & ~torch.nn.functional.pad(left_out, (1, 0))[:, :-1]
        marks = torch.tensor(sentinels)[(starts.cumsum(1) - 1).clamp(min=0)]
        inputs = torch.where(starts, marks, sequences)[~left_out | starts].view(rows, -1)
        doubled = torch.stack([marks, sequences], 2).flatten(1)
        kept = torch.stack([starts, left_out], 2).flatten(1)
        labels = doubled[kept].view(rows, -1)
        batch = {"input_ids": _ended(inputs, vocabulary), "labels": _ended(labels, vocabulary)}
        if predictable is None:
            return batch
        learned = torch.stack([torch.ones_like(predictable), predictable], 2).flatten(1)[kept].view(rows, -1)
        hidden = torch.nn.functional.pad(~learned, (0, batch["labels"].shape[1] - learned.shape[1]))
        return {**batch, "labels": batch["labels"].masked_fill(hidden, -100), "targets": batch["labels"]}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over the target tokens, sentinels and end included; the model shifts them."""
        from torch.nn.functional import cross_entropy

        labels = batch["labels"]
        if "targets" not in batch:
            logits = model(input_ids=batch["input_ids"], labels=labels, use_cache=False).logits
            return cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        # From labels the model would read padding where a token is not learned.
        shown = model.prepare_decoder_input_ids_from_labels(labels=batch["targets"])
        logits = model(input_ids=batch["input_ids"], decoder_input_ids=shown, use_cache=False).logits
        total = cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), reduction="sum")
        return total / max(1, self.predicted(batch))


def _ended(ids: torch.Tensor, vocabulary: Vocabulary) -> torch.Tensor:
    import torch

    end = vocabulary.specials.get("eos", vocabulary.specials.get("sep"))
    return ids if end is None else torch.nn.functional.pad(ids, (0, 1), value=end)


def _random_mask(rows: int, length: int, noise: int, spans: int, generator: torch.Generator) -> torch.Tensor:
    """Which tokens are left out, ``(rows, length)``: kept and left-out spans alternate, beginning with a kept one."""
    import torch

    out = _random_parts(rows, noise, spans, generator)
    kept = _random_parts(rows, length - noise, spans, generator)
    bounds = torch.stack([kept, out], 2).flatten(1).cumsum(1)
    return torch.searchsorted(bounds, torch.arange(length).repeat(rows, 1), right=True) % 2 == 1


def _random_parts(rows: int, total: int, parts: int, generator: torch.Generator) -> torch.Tensor:
    """Lengths of ``parts`` parts of at least 1 that sum to ``total``, uniform over all such divisions, per row."""
    import torch

    cuts = torch.rand(rows, total - 1, generator=generator).argsort(1)[:, : parts - 1].sort(1).values + 1
    edges = torch.nn.functional.pad(torch.nn.functional.pad(cuts, (1, 0)), (0, 1), value=total)
    return edges.diff(dim=1)
