"""Base classes of objectives that build on the usual one of the model's kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.registry import find
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE, Objective

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class ExtendedObjective(Objective):
    """An objective with the batches and the loss of the usual one, where it does not give its own."""

    @cached_property
    def usual(self) -> Objective:
        """The usual objective of the kind of model that trains; options that both have by name are this one's."""
        [kind] = [self.kind] if self.kind else self.kinds
        cls = find("objective", DEFAULT_OBJECTIVE[kind])
        own = self.parameters()
        usual: Objective = cls(**{field.name: own[field.name] for field in fields(cls) if field.name in own})
        return usual

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The usual batch; see the base class."""
        return self.usual.batch(sequences, vocabulary, generator, predictable)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The usual loss."""
        return self.usual.loss(model, batch)

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """The tokens that the usual loss is the mean of."""
        return self.usual.predicted(batch)


@dataclass(frozen=True)
class AddedTerm(ExtendedObjective):
    """The usual loss plus ``weight`` times a term on examples that are drawn for each packed sequence of a batch.

    Attributes:
        weight: Weight of the term.
    """

    resets: ClassVar[bool] = True
    weight: float

    def draw(self, sequences: int, generator: torch.Generator) -> torch.Tensor:
        """Examples for a batch.

        Args:
            sequences: Packed sequences of the batch.
            generator: The only source of randomness.

        Returns:
            What :meth:`term` is to work on, one row for each sequence.
        """
        raise NotImplementedError(f"{type(self).__name__} has no draw()")

    def term(self, model: PreTrainedModel, drawn: torch.Tensor) -> torch.Tensor:
        """The term on drawn examples, a scalar that gradients flow from.

        Args:
            model: The model.
            drawn: Rows of :meth:`draw`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term()")

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The usual batch, and ``drawn``, the examples."""
        drawn = self.draw(len(sequences), generator)
        return {**super().batch(sequences, vocabulary, generator, predictable), "drawn": drawn}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The usual loss, plus the weighted term."""
        return super().loss(model, batch) + self.weight * self.term(model, batch["drawn"])
