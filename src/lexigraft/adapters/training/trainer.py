"""transformers.Trainer for packed text."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments

from lexigraft.adapters.training.learning_rates import scale_rows, split_groups
from lexigraft.adapters.training.lora import plain_name
from lexigraft.adapters.training.shielding import hold_columns
from lexigraft.adapters.training.trained_weights import WEIGHTS, load_trained, trained_state
from lexigraft.core.training.packing import Unmarked
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import sync_tree

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.run_settings import Loop
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective
    from lexigraft.core.training.packing import TrainingText

_PREFIX = "model."


class OneDevice(TrainingArguments):
    """Training arguments of a process that keeps to one device, however many it sees.

    transformers would otherwise split each batch over all GPUs by threads (DataParallel), which averages the means of
    the parts; several GPUs are for a launcher.
    """

    @property
    def n_gpu(self) -> int:
        """GPUs of this process: 1, or 0 without any."""
        return min(1, int(super().n_gpu))


class TrainingModule(torch.nn.Module):
    """The model with its objective.

    Calling it gives the loss, so that a distributed wrapper sees one forward pass.
    """

    def __init__(self, model: PreTrainedModel, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        # Where DeepSpeed looks for the model's width, and FSDP for the layers that are one unit each.
        self.config = model.config
        self._no_split_modules = _layers(model)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The objective's mean loss on a batch."""
        return self.objective.loss(self.model, batch)

    def layers(self) -> list[torch.nn.Module]:
        """The model's layers, one after another."""
        return [m for m in self.model.modules() if type(m).__name__ in self._no_split_modules]


def _layers(model: PreTrainedModel) -> list[str]:
    """Class names of a model's layers; not of what holds a table, which the head may share."""
    table = model.get_input_embeddings()
    holders = {type(m).__name__ for m in model.modules() if any(inner is table for inner in m.modules())}
    here = {type(m).__name__ for m in model.modules()}
    return sorted(here.intersection(model._no_split_modules or ()) - holders)


class Shares(Dataset[dict[str, Any]]):
    """One process's share of the batch of every step of one phase of training.

    The noise is drawn for the whole batch, from the seed and the position of its first row in the endless order, and
    the rows are divided afterwards. So a batch is the same however many processes share it, and when it is repeated.
    """

    def __init__(self, packed: TrainingText, loop: Loop, objective: Objective, vocabulary: Vocabulary) -> None:
        self.packed, self.loop, self.objective, self.vocabulary = packed, loop, objective, vocabulary
        self.processes = processes()
        self.rows = self.processes.share(loop.rows_per_batch)

    def __len__(self) -> int:
        return self.loop.steps

    def __getitem__(self, step: int) -> dict[str, Any]:
        """``batch``, tensors of this process's rows, and ``weight``, what its mean loss counts for.

        Gradients are averaged over processes. With the weight (share of the predicted tokens times processes) the
        average is the mean over all predicted tokens of the batch.
        """
        import numpy as np

        rows, seed = self.loop.rows_per_batch, self.loop.seed
        position = (self.loop.first_step + step) * rows
        text = Unmarked.of(np.stack([self.packed.at(position + i, seed) for i in range(rows)]))
        state = np.random.SeedSequence([seed, position]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        ids, predictable = torch.from_numpy(text.ids), text.loss
        if "causal" in self.objective.kinds:  # nothing of another document says what a document begins with
            predictable = predictable & ~text.starts
        hidden = {} if predictable.all() else {"predictable": torch.from_numpy(predictable)}
        if self.objective.entities:
            hidden["entities"] = torch.from_numpy(text.entities)
        whole = self.objective.batch(ids, self.vocabulary, generator, **hidden)
        if text.starts.any():
            whole["document_starts"] = torch.from_numpy(text.starts)
        share = {name: tensor[self.rows] for name, tensor in whole.items()}
        weight = self.processes.count * self.objective.predicted(share) / max(1, self.objective.predicted(whole))
        return {"batch": share, "weight": weight}


class PackedTrainer(Trainer):
    """Trainer whose data are already divided among processes.

    Its atomic checkpoints hold the trained parameters.
    """

    def __init__(self, *args: Any, loop: Loop, **kwargs: Any) -> None:
        self.table_names = {_PREFIX + name for name in loop.table_names}
        self.rates, self.held_columns = loop.rates, loop.held_columns
        self._saving: str | None = None
        super().__init__(*args, **kwargs)

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every step's share in order; not prepared by accelerate, which would divide the shares again."""
        shares = self.train_dataset
        return DataLoader(shares, sampler=SequentialSampler(shares), batch_size=1, collate_fn=lambda one: one[0])

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The weighted loss of this process's share, through whatever wraps the module."""
        loss: torch.Tensor = model(inputs["batch"])
        return loss * inputs["weight"]

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Matrices decay; embedding tables, biases and norms do not (rows whose gradient is zero stay bit for bit)."""
        names: list[str] = super().get_decay_parameter_names(model)
        return [name for name in names if name not in self.table_names]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimizer, with the rates of parameters and rows, and the columns that stay."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        named = dict((model or self.model).named_parameters())
        if self.rates.parameters:
            multiples = {named[_PREFIX + name]: rate for name, rate in self.rates.parameters.items()}
            optimizer.param_groups = split_groups(optimizer.param_groups, multiples)
        if self.rates.rows:
            scale_rows(optimizer, {named[_PREFIX + name]: rates for name, rates in self.rates.rows.items()})
        if self.held_columns:
            plain = {plain_name(name.removeprefix(_PREFIX)): parameter for name, parameter in named.items()}
            hold_columns(optimizer, {plain[name]: columns for name, columns in self.held_columns.items()})
        return optimizer

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the trained parameters; DeepSpeed's own checkpoint, written afterwards, holds the weights itself."""
        if self.is_deepspeed_enabled:
            return
        state = trained_state(self.model)
        if self.args.should_save:
            target = Path(output_dir or self.args.output_dir)
            target.mkdir(parents=True, exist_ok=True)
            save_file(state, target / WEIGHTS)

    def _get_output_dir(self, trial: Any) -> str:
        return self._saving or str(super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """All processes write into a partial folder, then the first one renames it."""
        run, step = Path(self.args.output_dir), self.state.global_step
        partial, name = run / f"partial-{step}", f"checkpoint-{step}"
        if self.args.should_save:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self._saving = str(partial)
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._saving = None
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            sync_tree(partial)
            shutil.rmtree(run / name, ignore_errors=True)
            os.replace(partial / name, run / name)
            sync_tree(run / name)
            shutil.rmtree(partial)
            for old in run.glob("checkpoint-*"):
                if old.name != name:
                    shutil.rmtree(old, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_trained(model or self.model, Path(resume_from_checkpoint) / WEIGHTS)
