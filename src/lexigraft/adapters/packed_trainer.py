"""transformers.Trainer for packed rows: sequential data, one module that returns the loss, small atomic checkpoints."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer

from lexigraft.core.atomic import sync_tree

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.adapters.trainer_loop import Loop
    from lexigraft.core.objective import Objective
    from lexigraft.core.packing import PackedText

WEIGHTS = "trained.safetensors"
_PREFIX = "model."


class TrainingModule(torch.nn.Module):
    """The model with its objective: calling it gives the loss, so that a distributed wrapper sees one forward pass."""

    def __init__(self, model: PreTrainedModel, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The objective's mean loss on a batch."""
        return self.objective.loss(self.model, batch)


class TrainingRows(Dataset[tuple[int, torch.Tensor]]):
    """The rows of one stretch of training in their order, each with its place in the endless order."""

    def __init__(self, packed: PackedText, loop: Loop) -> None:
        self.packed, self.loop = packed, loop
        # Several processes share the rows of a step, so each stretch holds enough rows for all of them.
        self.processes = int(os.environ.get("WORLD_SIZE", "1"))

    def __len__(self) -> int:
        return self.loop.steps * self.loop.rows_per_batch * self.processes

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        """The place and the row, int64, ``(length,)``."""
        place = self.loop.first_step * self.loop.rows_per_batch * self.processes + index
        return place, torch.from_numpy(self.packed.at(place, self.loop.seed)).long()


class PackedTrainer(Trainer):
    """Trainer whose checkpoints hold what trains and appear whole or not at all."""

    def __init__(self, *args: Any, table_names: frozenset[str], **kwargs: Any) -> None:
        self.table_names = {_PREFIX + name for name in table_names}
        self._saving: str | None = None
        super().__init__(*args, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The loss of a batch, through whatever wraps the module."""
        loss: torch.Tensor = model(inputs)
        return loss

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Matrices decay; embedding tables, biases and norms do not (rows whose gradient is zero stay bit for bit)."""
        names: list[str] = super().get_decay_parameter_names(model)
        return [name for name in names if name not in self.table_names]

    def _get_output_dir(self, trial: Any) -> str:
        return self._saving or str(super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run = Path(self.args.output_dir)
        if not self._writes_alone():
            super()._save_checkpoint(model, trial)
            return
        partial = run / f"partial-{self.state.global_step}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self._saving = str(partial)
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._saving = None
        name = f"checkpoint-{self.state.global_step}"
        sync_tree(partial)
        shutil.rmtree(run / name, ignore_errors=True)
        os.replace(partial / name, run / name)
        sync_tree(run / name)
        partial.rmdir()
        for old in run.glob("checkpoint-*"):
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)

    def _writes_alone(self) -> bool:
        return self.args.world_size == 1 and not (self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if not self.args.should_save:
            return
        target = Path(output_dir or self.args.output_dir)
        target.mkdir(parents=True, exist_ok=True)
        save_file(trained_state(self.model), target / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_trained(model or self.model, Path(resume_from_checkpoint) / WEIGHTS)


def trained_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The parameters that require gradients, by name, tied ones once."""
    return {name: p.detach().contiguous() for name, p in module.named_parameters() if p.requires_grad}


def load_trained(module: torch.nn.Module, path: Path) -> None:
    """Write saved parameters into a module."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in load_file(path).items():
            parameters[name].copy_(value)
