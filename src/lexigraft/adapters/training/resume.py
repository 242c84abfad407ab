"""Stretches of training that survive an interruption: one folder for each run, named after all that decides it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.training.loop import train
from lexigraft.adapters.training.run_settings import History, Loop, OnStep

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective
    from lexigraft.core.training.packing import PackedText


def run_folder(work: Path, stage: str, said: Iterable[str], model: PreTrainedModel) -> Path:
    """A folder named after everything that decides a run, so that another run's checkpoints are never continued.

    Args:
        work: Where runs lie.
        stage: First part of the folder's name.
        said: Settings and hashes as text.
        model: The model at its start; its weights count.

    Returns:
        The folder's path; it need not exist.
    """
    import torch

    digest = hashlib.sha256("\0".join(said).encode())
    for name, parameter in model.named_parameters():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return work / f"{stage}-{digest.hexdigest()[:16]}"


def stretch(
    model: PreTrainedModel,
    objective: Objective,
    vocabulary: Vocabulary,
    packed: PackedText,
    loop: Loop,
    *,
    on_step: OnStep | None,
    eval_steps: Collection[int],
    folder: Path | None,
    keep: bool,
) -> History:
    """Train one stretch, or read it back when it had ended before an interruption.

    Args:
        model: The model.
        objective: What it learns from.
        vocabulary: The vocabulary.
        packed: The text.
        loop: How.
        on_step: See :func:`trainer_loop.train`.
        eval_steps: See :func:`trainer_loop.train`.
        folder: The stretch's own folder under the run's.
        keep: Whether to keep its end, for the stretches that follow.

    Returns:
        Its losses and evaluations.
    """
    from safetensors.torch import save_file

    from lexigraft.adapters.training.trained_weights import WEIGHTS, load_trained, trained_state
    from lexigraft.core.utils.distributed import processes
    from lexigraft.core.utils.files import sync_tree

    done = folder / "done" if folder is not None and loop.checkpoint_every else None
    if done is not None and done.is_dir():
        load_trained(model, done / WEIGHTS)
        saved = json.loads((done / "history.json").read_text())
        return History(
            [(int(s), float(x)) for s, x in saved["losses"]], {int(s): v for s, v in saved["evaluations"].items()}
        )
    history = train(model, objective, vocabulary, packed, loop, on_step=on_step, eval_steps=eval_steps, work=folder)
    if done is not None and keep and processes().first:
        partial = done.with_name("ending")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(trained_state(model), partial / WEIGHTS)
        (partial / "history.json").write_text(
            json.dumps({"losses": history.losses, "evaluations": history.evaluations})
        )
        sync_tree(partial)
        os.replace(partial, done)
    return history
