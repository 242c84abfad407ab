"""Callbacks of the Trainer."""

from __future__ import annotations

import math
import signal
import threading
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.random_state import global_randomness_kept

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.run_settings import OnStep


class Evaluate(TrainerCallback):
    """Calls ``on_step`` with the live model at chosen steps.

    Its figures go into the log and thus into checkpoints.
    """

    def __init__(self, model: PreTrainedModel, on_step: OnStep | None, steps: frozenset[int], first_step: int) -> None:
        self.model, self.on_step, self.steps, self.first_step = model, on_step, steps, first_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Evaluate when the step is one of those asked for."""
        step = self.first_step + state.global_step
        if self.on_step is None or step not in self.steps or not state.is_world_process_zero:
            return
        training = [m for m in self.model.modules() if m.training]
        # Frozen bfloat16 weights and float32 tables and LoRA layers cannot be multiplied without autocast.
        mixed = args.bf16 and any(p.dtype == torch.bfloat16 for p in self.model.parameters())
        with global_randomness_kept(), torch.autocast(args.device.type, torch.bfloat16, enabled=mixed):
            self.model.eval()
            try:
                scores = self.on_step(step, self.model)
            finally:
                for module in training:
                    module.training = True
        state.log_history.append({"at": step, "step": state.global_step, "evaluation": dict(scores or {})})


class StopWhenTold(TrainerCallback):
    """Ends a run with a checkpoint when the process is told to end.

    Then its time is up, or another job needs its place.

    ``SIGTERM`` and ``SIGUSR1`` count while training runs, in the main thread of a program; elsewhere nothing changes.
    Of several processes one that is told is enough, and all of them stop after the same step.
    """

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the signals over."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._tell) for number in (signal.SIGTERM, signal.SIGUSR1)}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and stop where the process was told to."""
        if args.world_size > 1:
            told = torch.tensor(self.received, device=args.device)
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
            self.received = int(told)
        if self.received:
            control.should_save = control.should_training_stop = True

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _tell(self, number: int, frame: object) -> None:
        self.received = number


class StopAtBadLoss(TrainerCallback):
    """Stops a run whose loss is not finite."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Raise ``LexigraftError`` when the loss that was just logged is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise LexigraftError(
                f"the training loss at step {state.global_step} is not finite", loss, "Lower learning_rate"
            )


class Progress(TrainerCallback):
    """A progress bar, on terminals only."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the bar."""
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if console.is_terminal and state.is_world_process_zero:
            self.bar = Bar(console=console, transient=True)
            self.task = self.bar.add_task("training", total=self.steps, completed=state.global_step)
            self.bar.start()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Update the bar."""
        if self.bar is not None and "loss" in (logs or {}):
            self.bar.update(
                self.task, completed=state.global_step, description=f"training, loss {(logs or {})['loss']:.3f}"
            )

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()
