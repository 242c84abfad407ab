"""Set-up of a transfer study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lexigraft.api.adapt import refuse_untrainable
from lexigraft.api.augment import learns_entities
from lexigraft.api.evaluate import text_evaluators
from lexigraft.api.inputs import StrategyInputs
from lexigraft.api.study.metadata import recipe_metadata, task_metadata
from lexigraft.api.tasks import make_evaluator, refuse_unsuitable_tasks
from lexigraft.api.transfer.cells import transfer_cells
from lexigraft.api.transfer.inputs import TransferTexts, load_transfer_texts
from lexigraft.api.transfer.pair_features import describe_pairs
from lexigraft.core.config.transfer_recipe import ZERO_SHOT, TransferSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Comparison
from lexigraft.core.grafting.needs import refuse_missing
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.strategy import needs_of
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import model_hash


def open_texts(recipe: TransferSettings) -> TransferTexts:
    """Check a recipe with its source model, and read its texts.

    Raises:
        LexigraftError: See :func:`check_settings`; a source that cannot be adapted as asked; texts that cannot be used.
    """
    check_settings(recipe)
    source = DiskModel(recipe.source)
    refuse_untrainable(source.skeleton, recipe.adaptation)
    texts = load_transfer_texts(recipe)
    refuse_unsuitable_tasks(texts.tasks, source.config)
    return texts


def check_settings(recipe: TransferSettings) -> None:
    """Check a recipe without its files.

    Raises:
        LexigraftError: An unknown evaluator, task, objective or strategy, missing needs, or an objective that asks for
            the anchors of annotated text.
    """
    if learns_entities(recipe.adaptation):
        hint = "Leave it out, or compare on annotated text"
        raise LexigraftError("the text of a study has no anchors", f"objective: {recipe.adaptation.objective}", hint)
    text_evaluators(recipe.evaluation)
    for name, task in recipe.task_options().items():
        make_evaluator(name.partition(".")[2], task)
    if recipe.graft is not None:
        chain = make_chain(recipe.graft.strategy.chain)
        inputs = StrategyInputs(source=recipe.source, vectors=recipe.graft.target_vectors, corpus=_no_text)
        refuse_missing({recipe.graft.strategy.label: needs_of(chain)}, inputs.available_needs())


def _no_text() -> Any:
    raise AssertionError("the text of a check is not read")


def describe_transfer(recipe: TransferSettings, texts: TransferTexts, vocabulary: Vocabulary) -> Comparison:
    """The cells and the facts of a study."""
    facts = {
        "kind": "transfer",
        "source": Path(recipe.source).name,
        "donors": {name: _about(texts, name, donor.language) for name, donor in recipe.donors.items()},
        "targets": {
            name: _about(texts, name, target.language) | {"heldout_lines": len(texts.heldout[name])}
            for name, target in recipe.targets.items()
        },
        "controls": recipe.target_controls,
        "pairs": describe_pairs(recipe, texts, vocabulary),
        "evaluators": {
            one.name: {"lower_is_better": one.lower_is_better} for one in text_evaluators(recipe.evaluation)
        },
        "tasks": task_metadata(texts.tasks),
        **recipe_metadata(recipe),
    }
    return Comparison(recipe.name, transfer_cells(recipe, texts, model_hash(recipe.source)), ZERO_SHOT, facts)


def _about(texts: TransferTexts, name: str, language: str | None) -> dict[str, Any]:
    if (text := texts.train.get(name)) is None:
        return {"language": language}
    return {"language": language, "lines": len(text), "bytes": text.bytes}
