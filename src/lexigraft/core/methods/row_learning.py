"""Rows of new tokens trained through some parameters by the language model's loss, everything else frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.rows import Rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.methods.row_optimizer import batches, learn_rows, planned_steps
from lexigraft.core.methods.target_model import TargetLanguageModel
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch

Sequences = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class RowLearning:
    """One training run.

    Attributes:
        ctx: Whose rows are asked for.
        model: The grafted model.
        sequences: Text to train on, ``(sequences, length)``.
        ids: Target ids of the rows that are learned, ascending, int64.
        name: The strategy, for notes.
        batch_size: Sequences in a batch.
    """

    ctx: InitContext
    model: TargetLanguageModel
    sequences: Sequences
    ids: npt.NDArray[np.int64]
    name: str
    batch_size: int

    @classmethod
    def of(
        cls,
        ctx: InitContext,
        initial: Rows,
        ids: npt.NDArray[np.int64],
        name: str,
        sequence_length: int,
        batch_size: int,
    ) -> RowLearning:
        """Graft the model with the initial rows, and tokenize the text; needs ``Need.MODEL`` and ``Need.TRAINING``."""
        model = TargetLanguageModel.of(ctx.resources.model(), initial, ctx.source, ctx.target, ctx.device)
        sequences = model.packed(ctx.resources.training().lines, sequence_length)
        return cls(ctx, model, sequences, ids, name, batch_size)

    def steps(self, epochs: int, most: int) -> int:
        """How many batches are trained on."""
        return planned_steps(len(self.sequences), self.batch_size, epochs, most)

    def summed_gradients(self, steps: int) -> dict[Role, torch.Tensor]:
        """The gradients of the initial rows, summed over a few batches, ``(ids, hidden)`` by role."""
        import torch

        places = torch.from_numpy(self.ids)
        total: dict[Role, torch.Tensor] = {}
        for batch in self._batches(steps):
            _, gradients = self._gradients(batch, self.ctx.generator)
            for role, gradient in gradients.items():
                total[role] = total.get(role, 0) + gradient.cpu()[places]
        return total

    def learn(
        self,
        rows: Callable[[], dict[Role, torch.Tensor]],
        leaves: Sequence[torch.Tensor],
        steps: int,
        learning_rate: float,
        start: str,
    ) -> None:
        """Change the parameters so that the loss falls; a note says by how much on one batch.

        Args:
            rows: The rows of the ids by role, made of the parameters.
            leaves: The parameters.
            steps: Batches to train on.
            learning_rate: Adam's, at its highest; warm-up over a tenth of the steps, then linearly to 0.
            start: What the rows were before, for the note.
        """
        import torch

        places = torch.from_numpy(self.ids)

        def loss_of(batch: list[Sequences]) -> torch.Tensor:
            """The loss of a batch; its gradient reaches the parameters through the rows."""
            made = rows()
            self.model.put(places, made)
            loss, gradients = self._gradients(batch, self.ctx.generator)
            pull = torch.stack([(one * gradients[role].cpu()[places]).sum() for role, one in made.items()]).sum()
            return loss.cpu() + pull - pull.detach()

        todo = self._batches(steps)
        noise = self.ctx.generator.get_state()
        with torch.no_grad():
            self.model.put(places, rows())
        before = self._measure(todo[0], noise)
        learn_rows(
            leaves,
            loss_of,
            iter(todo),
            steps=steps,
            warm_up=max(1, steps // 10),
            learning_rate=learning_rate,
            logger=self.ctx.logger,
            name=self.name,
        )
        with torch.no_grad():
            self.model.put(places, rows())
        after = self._measure(todo[0], noise)
        self.ctx.journal.note(
            f"{self.name}: {steps} steps; the loss of one batch fell from {before:.3f} ({start}) to {after:.3f} nats a "
            "token"
        )

    def _batches(self, steps: int) -> list[list[Sequences]]:
        return list(batches(list(self.sequences), self.batch_size, steps, self.ctx.generator))

    def _gradients(
        self, batch: Sequence[Sequences], generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[Role, torch.Tensor]]:
        self.ctx.journal.spend(sum(map(len, batch)))
        return self.model.gradients(batch, generator)

    def _measure(self, batch: Sequence[Sequences], noise: torch.Tensor) -> float:
        import torch

        loss, _ = self._gradients(batch, torch.Generator().set_state(noise))
        return float(loss)
