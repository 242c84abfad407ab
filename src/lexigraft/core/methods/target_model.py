"""Grafted source model with a frozen body and trainable embedding rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.models.surgery import install
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.registry import make
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE, Objective
from lexigraft.core.training.packing import pack

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.grafting.rows import Rows
    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class TargetLanguageModel:
    """A model that reads and predicts the target vocabulary; everything but chosen rows of its tables is constant.

    The body shares its memory with the model that it comes from (where that is float32 on the same device); the tables
    are its own.

    Attributes:
        model: The grafted model, float32, in evaluation mode.
        target: Its vocabulary.
        objective: The training objective of its kind of model.
        tables: Its tables by role, leaves that gradients reach.
    """

    model: PreTrainedModel
    target: Vocabulary
    objective: Objective
    tables: Mapping[Role, torch.Tensor]

    @classmethod
    def of(
        cls, model: PreTrainedModel, rows: Rows, source: Vocabulary, target: Vocabulary, device: str
    ) -> TargetLanguageModel:
        """Graft a model without changing it.

        Args:
            model: The source model.
            rows: Initial rows of the whole target vocabulary.
            source: The model's vocabulary.
            target: The new vocabulary.
            device: Where to compute.
        """
        import torch

        grafted = frozen_copy(model, device)
        with torch.random.fork_rng(devices=[]):  # resizing draws rows that are overwritten at once
            install(grafted, rows.tables, source, target)
        tables = {role: table.requires_grad_() for role, table in tables_of(grafted).by_role.items()}
        objective = make("objective", DEFAULT_OBJECTIVE[model_kind(grafted.config)])
        return cls(grafted, target, objective, tables)

    def packed(self, lines: Sequence[str], sequence_length: int) -> npt.NDArray[np.int32]:
        """Text as training sequences, ``(sequences, length)``, never longer than the model takes.

        Raises:
            LexigraftError: The text does not fill one sequence.
        """
        length = min(sequence_length, context_length(self.model))
        return pack(self.target, lines, length, kind=model_kind(self.model.config)).rows

    def gradients(
        self, sequences: Sequence[npt.NDArray[np.int32]], generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[Role, torch.Tensor]]:
        """The objective's loss and its gradients with respect to the current tables.

        Args:
            sequences: Some of :meth:`packed`.
            generator: Draws the objective's noise.

        Returns:
            The mean loss in nats, a scalar without gradient, and by role a gradient of the table's shape.
        """
        import torch

        ids = torch.from_numpy(np.stack(sequences).astype(np.int64))
        batch = self.objective.batch(ids, self.target, generator)
        loss = self.objective.loss(self.model, {name: t.to(self.model.device) for name, t in batch.items()})
        found = torch.autograd.grad(loss, list(self.tables.values()), materialize_grads=True)
        return loss.detach(), dict(zip(self.tables, found, strict=True))

    def put(self, ids: torch.Tensor, rows: Mapping[Role, torch.Tensor]) -> None:
        """Write rows into the tables.

        Args:
            ids: Target ids, int64, ``(rows,)``.
            rows: By role, ``(rows, hidden)``; the bias ``(rows,)``.
        """
        import torch

        with torch.no_grad():
            for role, made in rows.items():
                self.tables[role][ids] = made.detach().to(self.tables[role])


def frozen_copy(model: PreTrainedModel, device: str = "cpu") -> PreTrainedModel:
    """A copy whose weights are float32 constants on a device; those that are so already are shared, except the tables.

    The tables are always copied, because rows of a target vocabulary of the same size are written into them.
    """
    import torch

    own = {id(table) for table in tables_of(model).by_role.values()}
    memo: dict[int, object] = {}
    for parameter in model.parameters():
        weight = parameter.detach().to(device, torch.float32, copy=id(parameter) in own)
        memo[id(parameter)] = torch.nn.Parameter(weight, requires_grad=False)
    duplicate = copy.deepcopy(model, memo)
    return duplicate.to(device, torch.float32).eval()
