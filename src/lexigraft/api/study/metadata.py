"""Metadata that comparisons and transfer studies have in common, shown in the report and logged as MLflow tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lexigraft.api.tasks import Task
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.utils.hashing import hash_of
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.core.utils.versions import versions


def task_metadata(tasks: Iterable[Task]) -> dict[str, Any]:
    """The evaluator and size of each task, by its name."""
    return {
        task.name: {
            "evaluator": task.evaluator.name,
            "items": task.data.size,
            "lower_is_better": task.evaluator.lower_is_better,
        }
        for task in tasks
    }


def recipe_metadata(recipe: CompareSettings | TransferSettings) -> dict[str, Any]:
    """The recipe's hash, how much its adaptation trains, and the versions of packages."""
    adaptation = recipe.adaptation
    return {
        "recipe_hash": hash_of(masked_uris(recipe.model_dump(mode="json", exclude={"execution"}))),
        "steps": adaptation.steps,
        "batch_tokens": adaptation.batch_tokens,
        "tokens_trained": adaptation.steps * adaptation.batch_tokens,
        "versions": versions(),
    }
