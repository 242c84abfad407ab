"""Columns of a body's matrices that matter for source text, and their protection while the body trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.core.training.packing import PackedText, Unmarked
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.random_state import global_randomness_kept

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.model_parts import Parts
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective

CALIBRATION_TOKENS = 2**16
"""Tokens of source text that importance is measured on, at most."""
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of one matrix: the weights that read one input feature each.

    Attributes:
        axis: The axis of the weight that columns lie along: 1, or 0 for GPT-2's ``Conv1D``, which is transposed.
        values: By column: its importance, or its number where columns were chosen.
    """

    axis: int
    values: torch.Tensor


def importance(
    model: PreTrainedModel,
    model_parts: Parts,
    objective: Objective,
    vocabulary: Vocabulary,
    source: PackedText,
    seed: int,
) -> dict[str, Columns]:
    """How much every column of the body's linear layers matters for source text.

    The importance of column j of a matrix W is the sum over i of |W_ij| · ‖x_j‖, where ‖x_j‖ is the Euclidean norm,
    over all tokens of the source text, of the input feature that the column reads: Wanda's score (Sun et al. 2024)
    summed by column, with which Source-Shielded Updates choose what stays (Yamaguchi et al. 2025). The model reads the
    text as it does in training.

    Args:
        model: The model before adaptation.
        model_parts: Its parts.
        objective: The training objective, which makes the inputs.
        vocabulary: The vocabulary of the text.
        source: Source-language text.
        seed: Seed of the rows that are read, and of the objective's noise.

    Returns:
        By the name of the weight; layers that the text does not reach, such as an unused expert, are left out.
    """
    import numpy as np
    import torch
    from transformers.pytorch_utils import Conv1D

    if torch.cuda.is_available():
        model.to(torch.device("cuda", processes().local_index))
    squares: dict[str, torch.Tensor] = {}
    axes: dict[str, int] = {}

    def reads(name: str) -> Any:
        def add(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            features = inputs[0].detach().flatten(0, -2).double().square().sum(0)
            squares[name] = squares[name] + features if name in squares else features

        return add

    generator = torch.Generator().manual_seed(seed)

    def read(first: int, last: int) -> None:
        text = Unmarked.of(np.stack([source.at(n, seed) for n in range(first, last)]))
        batch = objective.batch(torch.from_numpy(text.ids), vocabulary, generator)
        objective.loss(model, {key: tensor.to(model.device) for key, tensor in batch.items()})

    rows = min(len(source), max(1, CALIBRATION_TOKENS // source.rows.shape[1]))
    was_training = model.training
    with torch.no_grad(), global_randomness_kept(), ExitStack() as hooks:
        model.eval()
        read(0, 1)  # what an objective tries out on a model, once, must not count
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear | Conv1D) and f"{name}.weight" in model_parts.body:
                axes[f"{name}.weight"] = 0 if isinstance(module, Conv1D) else 1
                hooks.callback(module.register_forward_pre_hook(reads(f"{name}.weight")).remove)
        for first in range(0, rows, _ROWS_AT_ONCE):
            read(first, min(rows, first + _ROWS_AT_ONCE))
    model.train(was_training)
    weights = dict(model.named_parameters())
    return {
        name: Columns(axes[name], weights[name].detach().abs().double().sum(1 - axes[name]) * total.sqrt())
        for name, total in squares.items()
    }


def most_important(scores: Mapping[str, Columns], share: float) -> dict[str, Columns]:
    """The most important share of the columns of each matrix, rounded to whole columns.

    Args:
        scores: The importance of every column.
        share: Which share of them.
    """
    import torch

    chosen: dict[str, Columns] = {}
    for name, columns in scores.items():
        order = torch.argsort(columns.values, descending=True, stable=True)
        count = math.floor(share * len(order) + 0.5)
        chosen[name] = Columns(columns.axis, order[:count].sort().values.cpu())
    return chosen


def hold_columns(optimizer: torch.optim.Optimizer, held: Mapping[torch.nn.Parameter, Columns]) -> None:
    """Put columns back after every step, bit for bit: their gradient is zero already, but weights decay without one.

    Args:
        optimizer: The optimizer.
        held: The columns that stay, by parameter.
    """
    kept = {
        weight: weight.detach().index_select(columns.axis, columns.values.to(weight.device))
        for weight, columns in held.items()
    }

    def put_back(*_: Any) -> None:
        for weight, columns in held.items():
            weight.detach().index_copy_(columns.axis, columns.values.to(weight.device), kept[weight])

    optimizer.register_step_post_hook(put_back)
