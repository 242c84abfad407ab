"""EntityCS's entity prediction: entities, or parts of them, are hidden from a masked model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import ExtendedObjective
from lexigraft.core.training.masking import hidden, maskable

if TYPE_CHECKING:
    import torch

    from lexigraft.core.tokenization.vocabulary import Vocabulary

MASKED_SHARE, RANDOM_SHARE = 0.8, 0.1


@dataclass(frozen=True)
class EntityPrediction(ExtendedObjective):
    """Predict entities that are hidden from a masked model; which tokens are entities the anchors of the text say.

    `wep` (whole entities): 80 % of the chosen entities become mask tokens as a whole, 20 % stay as they are; all their
    tokens are predicted. The others choose tokens of entities (partial entities): 80 % become the mask token, and of
    the rest `pep_ms` keeps all as they are, `pep_mrs` turns one half into random tokens, and both predict them, while
    `pep_m` keeps them and predicts nothing there. With `mlm` half of the entities, or of their tokens, are chosen, and
    15 % of the tokens outside of entities as well, as in masked language modeling.

    A batch without an entity teaches nothing, unless `mlm` is on.

    Source: Whitehouse et al. 2022, "EntityCS", section 3.2 and table 1.
    Relations: with `mlm`, masked outside of entities; `entity_switch` makes the text of the paper.

    Attributes:
        masking: What of an entity is hidden.
        mlm: Whether tokens outside of entities are hidden, too.
        entity_share: Share of the entities (`wep`), or of their tokens, that are chosen; by default all, half with
            `mlm`.
        mask_share: Share of the other tokens that are chosen with `mlm`.
        logits_per_block: How many logits are held at a time; by default what suits the device.
    """

    name: ClassVar[str] = "entity_prediction"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked"})
    resets: ClassVar[bool] = True
    entities: ClassVar[bool] = True
    masking: Literal["wep", "pep_mrs", "pep_ms", "pep_m"] = "pep_ms"
    mlm: bool = False
    entity_share: float | None = None
    mask_share: float = 0.15
    logits_per_block: int | None = None

    def __post_init__(self) -> None:
        """Refuse impossible shares and an empty block."""
        if self.logits_per_block is not None and self.logits_per_block < 1:
            raise ValueError("logits_per_block must be at least 1")
        if not 0 < self.mask_share < 1:
            raise ValueError("mask_share must lie between 0 and 1")
        if self.entity_share is not None and not 0 < self.entity_share <= 1:
            raise ValueError("entity_share must be above 0 and not above 1")

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
        entities: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Hide entities: ``input_ids`` and ``labels``, both ``(batch, length)``; see the base class for the arguments.

        A chosen token that is not predictable is neither hidden nor predicted.
        """
        import torch

        possible = maskable(sequences, vocabulary, predictable)
        numbers = torch.zeros_like(sequences) if entities is None else entities
        of_entity = possible & (numbers > 0)
        share = self.entity_share if self.entity_share is not None else 0.5 if self.mlm else 1.0
        chosen = of_entity & (self._draws(numbers, generator) < share)
        fate = self._draws(numbers, generator)
        masked = chosen & (fate < MASKED_SHARE)
        random = chosen & ~masked & (fate < MASKED_SHARE + RANDOM_SHARE)
        inputs = sequences.masked_fill(masked, vocabulary.specials["mask"])
        if self.masking == "pep_mrs":
            inputs = hidden(inputs, random, vocabulary, generator, 0.0, 1.0)
        learned = masked if self.masking == "pep_m" else chosen
        if self.mlm:
            others = possible & (numbers == 0)
            others &= torch.rand(sequences.shape, generator=generator) < self.mask_share
            inputs = hidden(inputs, others, vocabulary, generator, MASKED_SHARE, RANDOM_SHARE)
            learned |= others
        return {"input_ids": inputs, "labels": sequences.masked_fill(~learned, -100)}

    def _draws(self, numbers: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A number from 0 to 1 for each token, in `wep` the same for all tokens of an entity."""
        import torch

        draws = torch.rand(numbers.shape, generator=generator)
        # An entity's number in its row is at most the row's length, so there is a draw for it.
        return draws.gather(1, (numbers - 1).clamp(min=0)) if self.masking == "wep" else draws
