"""Training that goes on from its checkpoints."""

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
    from lexigraft.core.training.packing import TrainingText


def run_folder(work: Path, stage: str, key_parts: Iterable[str], model: PreTrainedModel) -> Path:
    """The folder of a run, named by a hash of everything that decides it, so that no other run's checkpoints are used.

    Args:
        work: The folder that holds the runs.
        stage: First part of the folder's name.
        key_parts: Settings and hashes as text.
        model: The model before training; its weights are part of the hash.

    Returns:
        The folder's path; it need not exist.
    """
    import torch

    digest = hashlib.sha256("\0".join(key_parts).encode())
    for name, parameter in model.named_parameters():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return work / f"{stage}-{digest.hexdigest()[:16]}"


def train_phase(
    model: PreTrainedModel,
    objective: Objective,
    vocabulary: Vocabulary,
    packed: TrainingText,
    loop: Loop,
    *,
    on_step: OnStep | None,
    eval_steps: Collection[int],
    folder: Path | None,
    keep: bool,
) -> History:
    """Train one phase, or load its result where it had ended before an interruption.

    Args:
        model: The model.
        objective: The training objective.
        vocabulary: The vocabulary.
        packed: The text.
        loop: Steps, rates, precision, checkpoints and seed.
        on_step: See :func:`lexigraft.adapters.training.loop.train`.
        eval_steps: See :func:`lexigraft.adapters.training.loop.train`.
        folder: The phase's folder under the run's.
        keep: Whether to keep its final weights, for the phases that follow.

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
