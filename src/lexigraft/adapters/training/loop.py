"""The training loop."""

from __future__ import annotations

import atexit
import copy
import logging
import math
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lexigraft.adapters.training.run_settings import History, Loop, OnStep, Precision
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.denormals import denormals_flushed
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.memory import trim
from lexigraft.core.utils.random_state import global_randomness_kept

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.trainer import OneDevice, TrainingModule
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective
    from lexigraft.core.training.packing import TrainingText


_LOG = logging.getLogger("lexigraft")

_PATIENCE = 24 * 60 * 60
"""Seconds that processes wait for one that evaluates; where one dies, the launcher ends the others at once."""


def uses_bfloat16(precision: Precision) -> bool:
    """Whether training runs under bfloat16 autocast."""
    import torch

    return precision == "bfloat16" or (
        precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )


def train(
    model: PreTrainedModel,
    objective: Objective,
    vocabulary: Vocabulary,
    packed: TrainingText,
    loop: Loop,
    *,
    on_step: OnStep | None = None,
    eval_steps: Collection[int] = (),
    work: Path | None = None,
) -> History:
    """Train the parameters that require gradients, in place; continues from the last checkpoint under ``work``.

    Under a launcher every process calls this with the same arguments. They share the rows of each batch, and each ends
    with the same weights. Where the launcher shards the weights, a sharded copy trains, and what it learned is written
    back into ``model``.

    Args:
        model: The model, LoRA layers already in place.
        objective: The training objective.
        vocabulary: The vocabulary of the packed text.
        packed: The text.
        loop: Steps, rates, precision, checkpoints and seed.
        on_step: Called with the step and the model in evaluation mode at each of ``eval_steps``; it cannot change the
            run, because the random state is put back. What it returns is kept in checkpoints too. Of many processes
            only the first calls it.
        eval_steps: Steps to call it at, counted over all phases.
        work: Folder of this phase's checkpoints.

    Returns:
        Losses and evaluations, those before an interruption too.

    Raises:
        SystemExit: The process was told to end (``SIGTERM``, ``SIGUSR1``); a checkpoint is saved, with which the same
            call goes on. Without checkpoints such a signal ends the process as it always does.
        LexigraftError: The loss is not finite, the disk is full, a batch has fewer rows than there are processes, or
            sharded weights are to be evaluated.
    """
    import torch
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from lexigraft.adapters.training.callbacks import Evaluate, Progress, StopAtBadLoss, StopWhenTold
    from lexigraft.adapters.training.trained_weights import trained_state, write_trained
    from lexigraft.adapters.training.trainer import PackedTrainer, Shares, TrainingModule

    here = processes()
    shares = Shares(packed, loop, objective, vocabulary)
    if here.sharding and on_step is not None and eval_steps:
        raise LexigraftError(
            "weights in shards cannot be evaluated while they train", here.sharding, "Evaluate when training has ended"
        )
    folder = nullcontext(str(work)) if work is not None else tempfile.TemporaryDirectory()
    with folder as output, global_randomness_kept():
        saves = work is not None and loop.checkpoint_every > 0
        arguments = _arguments(loop, output, saves)
        module = TrainingModule(copy.deepcopy(model) if here.sharding else model, objective)
        progress = Progress(loop.steps)
        told = StopWhenTold()
        trainer = PackedTrainer(
            model=module,
            args=arguments,
            train_dataset=shares,
            callbacks=[
                StopAtBadLoss(),
                Evaluate(model, on_step, frozenset(eval_steps), loop.first_step),
                progress,
                *([told] if saves else []),
            ],
            loop=loop,
        )
        for callback in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(callback)
        if here.count > 1:
            _leave_the_group_at_exit()
        # Each process drops out other units of its own rows.
        torch.manual_seed(loop.seed + here.index)
        last = last_checkpoint(work) if work is not None else None
        if last is not None:
            _LOG.info("continuing from %s", last)
        try:
            with _training_state(module, arguments):
                trainer.train(resume_from_checkpoint=str(last) if last else None)
        except OSError as error:
            raise LexigraftError("cannot write the checkpoint", work, error.strerror or str(error)) from error
        finally:
            progress.close()
            told.close()
        if told.received:
            _exit_as_told(told.received, loop.first_step + trainer.state.global_step, work)
        if here.sharding:
            write_trained(TrainingModule(model, objective), trained_state(trainer.model))
        return _history(trainer.state.log_history, loop.first_step)


def _arguments(loop: Loop, output: str, saves: bool) -> OneDevice:
    """The trainer's arguments.

    Args:
        loop: The settings of the phase.
        output: The folder of checkpoints.
        saves: Whether there are any.

    Raises:
        LexigraftError: Several processes were started, but not by a launcher that says which this one is.
    """
    import torch

    from lexigraft.adapters.training.trainer import OneDevice

    count = processes().count
    arguments = OneDevice(
        output_dir=output,
        max_steps=loop.steps,
        per_device_train_batch_size=-(-loop.rows_per_batch // count),
        learning_rate=loop.learning_rate,
        lr_scheduler_type="constant_with_warmup" if loop.schedule == "constant" else loop.schedule,
        warmup_steps=math.ceil(loop.warmup_share * loop.steps),
        weight_decay=loop.weight_decay,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps" if saves else "no",
        save_steps=max(1, loop.checkpoint_every),
        seed=loop.seed,
        bf16=uses_bfloat16(loop.precision),
        use_cpu=not torch.cuda.is_available(),
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        ddp_timeout=_PATIENCE,
    )
    if arguments.world_size != count:
        raise LexigraftError(
            "cannot tell which of several processes this is",
            f"LOCAL_RANK is not set, but {arguments.world_size} processes are expected",
            "Start them with torchrun or accelerate launch, or unset WORLD_SIZE",
        )
    return arguments


@contextmanager
def _training_state(module: TrainingModule, arguments: OneDevice) -> Iterator[None]:
    """Casts, denormal numbers, freed memory and warnings as training needs them, for the length of a block."""
    from peft.helpers import disable_input_dtype_casting

    with ExitStack() as around, warnings.catch_warnings():
        # Autocast casts what LoRA layers read; PEFT would first cast it to the layers' float32.
        around.enter_context(disable_input_dtype_casting(module, active=arguments.bf16))
        if arguments.use_cpu:
            around.enter_context(denormals_flushed())
            around.callback(_trim_before_the_loss(module).remove)
        # The first product of a backward pass on a GPU; torch then sets up what it misses.
        warnings.filterwarnings("ignore", "Attempting to run cuBLAS", UserWarning)
        yield


@cache
def _leave_the_group_at_exit() -> None:
    """Without this, gloo's threads now and then abort a process that ends before the others have."""
    import torch.distributed

    atexit.register(lambda: torch.distributed.is_initialized() and torch.distributed.destroy_process_group())


def _exit_as_told(received: int, step: int, work: Path | None) -> NoReturn:
    """End the process with the exit code of a signal."""
    name = signal.Signals(received).name
    _LOG.warning("ended by %s after step %d; the checkpoint is in %s", name, step, work)
    sys.exit(128 + received)


def _trim_before_the_loss(module: TrainingModule) -> Any:
    """Return freed memory to the system after the last layer's forward pass: the loss that follows needs the most."""

    def after(layer: torch.nn.Module, inputs: Any, output: Any) -> None:
        if layer.training:
            trim()

    return [module, *module.layers()][-1].register_forward_hook(after)


def last_checkpoint(work: Path) -> Path | None:
    """The newest finished checkpoint under a folder; partial ones of an interrupted save are removed."""
    if not work.is_dir():
        return None
    for partial in work.glob("partial*"):
        shutil.rmtree(partial, ignore_errors=True)
    checkpoints = {int(p.name.split("-")[1]): p for p in work.glob("checkpoint-*")}
    return checkpoints[max(checkpoints)] if checkpoints else None


def _history(log: list[dict[str, Any]], first_step: int) -> History:
    losses = [(first_step + int(entry["step"]), float(entry["loss"])) for entry in log if "loss" in entry]
    evaluations = {int(entry["at"]): entry["evaluation"] for entry in log if "evaluation" in entry}
    return History(losses, evaluations)
