"""Transfer study: which donor language helps which target, from a recipe to a folder with matrix and report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexigraft.api.adapt import refuse_untrainable
from lexigraft.api.compare.inputs import train_tokenizer_once
from lexigraft.api.compare.run import JOBS_PER_CORE
from lexigraft.api.evaluate import text_evaluators
from lexigraft.api.inputs import StrategyInputs
from lexigraft.api.tasks import make_evaluator, refuse_unsuitable_tasks
from lexigraft.api.tracking import open_tracker
from lexigraft.api.transfer.cells import TransferCellRunner, transfer_cells
from lexigraft.api.transfer.inputs import TransferTexts
from lexigraft.api.transfer.pair_features import describe_pairs
from lexigraft.core.config.recipe_files import dump_recipe, read_settings
from lexigraft.core.config.transfer_recipe import ZERO_SHOT, TransferSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import load_results
from lexigraft.core.evaluation.cells.runner import Progress, run_cells
from lexigraft.core.grafting.needs import refuse_missing
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.strategy import needs_of
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output
from lexigraft.core.utils.hashing import hash_of, model_hash
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.core.utils.versions import versions
from lexigraft.report.transfer import TransferPaths, write_transfer_report

Say = Callable[[str], None]


@dataclass(frozen=True)
class Transferred:
    """A finished transfer study.

    Attributes:
        out: Its folder.
        comparison: Its cells and facts.
        results: One result for each cell.
        report: Where matrix and report are.
        store: The MLflow store that holds the runs, with its password; empty when tracking is off.
        tracking: A warning about the tracked runs; empty where all of them were logged as asked.
    """

    out: Path
    comparison: Comparison
    results: tuple[CellResult, ...]
    report: TransferPaths
    store: str = field(repr=False)
    tracking: str


def transfer(
    recipe: str | Path | TransferSettings,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    jobs: int = 1,
    say: Say = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Transferred:
    """Run a transfer study, or resume one that was interrupted.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The folder for results and report.
        overrides: Dotted recipe keys with other values.
        jobs: Cells at a time on this machine.
        say: Called with a line on what is being prepared.
        progress: Called when a cell has finished.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    if not isinstance(recipe, TransferSettings):
        recipe = read_settings(Path(recipe), TransferSettings, overrides)
    settings, folder = recipe, Path(out)
    if jobs > (most := JOBS_PER_CORE * (os.cpu_count() or 1)):
        raise LexigraftError("this machine cannot run so many cells at a time", jobs, f"Give --jobs of at most {most}")
    refuse_other_output(folder)
    check_transfer(settings)
    runner = TransferCellRunner(settings, folder)
    refuse_unsuitable_tasks(runner.texts.tasks, DiskModel(settings.source).config)
    with emptied_after_error(folder):
        tracker = open_tracker(settings.tracking, settings.name, folder)
        for name, target in settings.targets.items() if settings.graft is not None else ():
            train_tokenizer_once(target.tokenizer or "", runner.texts.train[name], folder / "prepared", say)
    comparison, text = describe_transfer(settings, runner.texts, runner.vocabulary), dump_recipe(settings)
    if tracker:
        tracker.start(comparison, text)
    try:
        results = run_cells(
            comparison.cells,
            runner,
            folder,
            jobs=jobs,
            on_done=(lambda r: tracker.log_cell(r, folder)) if tracker else (lambda r: None),
            progress=progress,
            comparison=comparison,
            recipe=text,
        )
    except LexigraftError:
        unfinished = write_transfer_report(folder) if load_results(folder, comparison) else ()
        if tracker:
            tracker.finish(folder, unfinished, failed=True)
        raise
    report = write_transfer_report(folder)
    message = tracker.finish(folder, report) if tracker else ""
    return Transferred(folder, comparison, tuple(results), report, tracker.uri if tracker else "", message)


def check_transfer(recipe: TransferSettings) -> None:
    """Check a recipe before any weights load and before its texts are read.

    Raises:
        LexigraftError: An unknown evaluator or strategy, missing needs, or a source that cannot be adapted as asked.
    """
    text_evaluators(recipe.evaluation)
    for name, task in recipe.task_options().items():
        make_evaluator(name.partition(".")[2], task)
    if recipe.graft is not None:
        chain = make_chain(recipe.graft.strategy.chain)
        inputs = StrategyInputs(source=recipe.source, vectors=recipe.graft.target_vectors, corpus=_no_text)
        refuse_missing({recipe.graft.strategy.label: needs_of(chain)}, inputs.available_needs())
    refuse_untrainable(DiskModel(recipe.source).skeleton, recipe.adaptation)


def _no_text() -> Any:
    raise AssertionError("the text of a check is not read")


def describe_transfer(recipe: TransferSettings, texts: TransferTexts, vocabulary: Vocabulary) -> Comparison:
    """The cells and the facts of a study."""
    adaptation = recipe.adaptation
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
        "tasks": {
            task.name: {
                "evaluator": task.evaluator.name,
                "items": task.data.size,
                "lower_is_better": task.evaluator.lower_is_better,
            }
            for task in texts.tasks
        },
        "recipe_hash": hash_of(masked_uris(recipe.model_dump(mode="json"))),
        "steps": adaptation.steps,
        "batch_tokens": adaptation.batch_tokens,
        "tokens_trained": adaptation.steps * adaptation.batch_tokens,
        "versions": versions(),
    }
    return Comparison(recipe.name, transfer_cells(recipe, texts, model_hash(recipe.source)), ZERO_SHOT, facts)


def _about(texts: TransferTexts, name: str, language: str | None) -> dict[str, Any]:
    if (text := texts.train.get(name)) is None:
        return {"language": language}
    return {"language": language, "lines": len(text), "bytes": text.bytes}
