"""Models in MLflow's model registry."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CELL = "lexigraft.cell"
ARTIFACT = "model"
_TASKS = {"ForMaskedLM": "fill-mask", "ForCausalLM": "text-generation", "LMHeadModel": "text-generation"}
_REQUIREMENTS = ("transformers", "torch", "accelerate")


def register_model(client: MlflowClient, run: Run, folder: Path, name: str, example: str) -> str:
    """Log a model under a run and register it, unless a version of that cell is registered.

    The model is loaded once, since MLflow cannot take a folder as it is with transformers 5, and lies on this machine's
    disk twice meanwhile.

    Args:
        client: The connected client.
        run: The cell's run.
        folder: A model with its tokenizer, in transformers' format.
        name: The registered model's name.
        example: A text, for the input example; what is to be filled in is put at its end.

    Returns:
        The version.

    Raises:
        LexigraftError: MLflow's flavour has no task for such a model.
        Exception: Whatever MLflow or its transport raises.
    """
    from mlflow.exceptions import MlflowException

    key = run.data.tags[CELL]
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.tags.get(CELL) == key:
            return str(version.version)
    with tempfile.TemporaryDirectory() as temporary:
        _save(folder, Path(temporary) / ARTIFACT, example)
        client.log_artifacts(run.info.run_id, temporary)
    with suppress(MlflowException):  # it exists; anything else comes back with the version
        client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/{ARTIFACT}"
    return str(client.create_model_version(name, source, run.info.run_id, tags={CELL: key}).version)


def task_of(folder: Path) -> str:
    """The pipeline that a model is for.

    Raises:
        LexigraftError: There is none.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    made = next(iter(config.get("architectures") or [""]))
    for end, task in _TASKS.items():
        if made.endswith(end):
            return task
    raise LexigraftError("MLflow has no task for such a model", made, "Load its folder with transformers")


def _save(folder: Path, out: Path, example: str) -> None:
    from mlflow import transformers as flavour
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    task = task_of(folder)
    masked = task == "fill-mask"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = (AutoModelForMaskedLM if masked else AutoModelForCausalLM).from_pretrained(folder, dtype="auto")
    if masked:
        example = f"{example} {tokenizer.mask_token}"
    text = Schema([ColSpec("string")])
    have = versions()
    needed = [f"{package}=={have[package].partition('+')[0]}" for package in _REQUIREMENTS if package in have]
    logging.getLogger("mlflow.transformers").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flavour.save_model(
            transformers_model={"model": model, "tokenizer": tokenizer},
            path=str(out),
            task=task,
            signature=ModelSignature(inputs=text, outputs=text),
            input_example=example,
            pip_requirements=needed,
        )
