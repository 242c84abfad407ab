"""Comparison of strategies: from a recipe to a folder with results, report and tracked runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lexigraft.api.compare_cells import CellRunner, cells_of
from lexigraft.api.compare_inputs import Prepared, Shared, load_texts, prepare, strategy_inputs
from lexigraft.api.train import pretraining_objective, refuse_untrainable
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings
from lexigraft.core.config.recipe_files import dump_recipe, read_recipe
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cell import CellResult, Comparison
from lexigraft.core.evaluation.cell_store import load_results
from lexigraft.core.evaluation.runner import Progress, run_cells
from lexigraft.core.grafting.needs import refuse_missing
from lexigraft.core.grafting.pipeline import make_chain, refuse_same
from lexigraft.core.grafting.strategy import Body, Strategy, needs_of
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.surgery import check_usable
from lexigraft.core.registry import make
from lexigraft.core.tokenization.alignment import refuse_unknown_rules
from lexigraft.core.utils.devices import usable_device
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output
from lexigraft.core.utils.hashing import hash_of
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.core.utils.versions import versions
from lexigraft.report.writer import ReportPaths, write_report

JOBS_PER_CORE = 8
"""Most cells at a time for each processor core; each takes a process with libraries and a model of its own."""


@dataclass(frozen=True)
class Compared:
    """A finished comparison.

    Attributes:
        out: Its folder.
        comparison: What was compared on what.
        results: One result for each cell.
        report: Where the report is.
        store: The MLflow store that holds the runs, with its password; empty when tracking is off.
        tracking: A warning about the tracked runs; empty where all of them were logged as asked.
    """

    out: Path
    comparison: Comparison
    results: tuple[CellResult, ...]
    report: ReportPaths
    store: str = field(repr=False)
    tracking: str


def check_recipe(recipe: CompareSettings) -> dict[str, list[Strategy]]:
    """Check a recipe's strategies, needs, evaluators and objective, before any weights load.

    Returns:
        The configured strategies by label.

    Raises:
        LexigraftError: Unknown strategies, fields or match rules, missing needs, evaluators or objectives, or a device
            that is not here.
    """
    chains = {s.label: make_chain(s.chain) for s in recipe.strategies}
    for check in checks_of(recipe, chains):
        check()
    return chains


def checks_of(recipe: CompareSettings, chains: Mapping[str, Sequence[Strategy]]) -> Iterator[Callable[[], object]]:
    """The checks of a recipe that need none of its files; each raises LexigraftError for a mistake.

    Args:
        recipe: The recipe.
        chains: Its strategies that can be made, by label.
    """
    yield lambda: refuse_unmet(recipe, chains)
    yield lambda: refuse_unknown_rules(recipe.graft.rules)
    yield lambda: usable_device(recipe.graft.device)
    if isinstance(poor := recipe.poor_model, PretrainSettings):
        yield lambda: pretraining_objective(poor)
    evaluation, adaptation = recipe.evaluation, recipe.adaptation
    for name in sorted({*evaluation.evaluators, *evaluation.options}):
        yield partial(make, "evaluator", name, evaluation.options.get(name, {}))
    if (objective := adaptation.objective) is not None:
        yield lambda: make("objective", objective, adaptation.objective_options)


def refuse_untrainable_source(recipe: CompareSettings, source: DiskModel, chains: Iterable[Sequence[Strategy]]) -> None:
    """Refuse an adaptation that the source model's body could not go through; no weights load.

    Raises:
        LexigraftError: A phase that trains nothing, layers that are not there, an objective of another kind, or
            sequences that are too long.
    """
    if recipe.adaptation.steps and any(chain[0].body is Body.SOURCE for chain in chains):
        refuse_untrainable(source.skeleton, recipe.adaptation)


def refuse_unmet(recipe: CompareSettings, chains: Mapping[str, Sequence[Strategy]]) -> None:
    """Refuse strategies whose needs the recipe does not meet.

    Raises:
        LexigraftError: Which strategy misses what, and how to supply it.
    """
    inputs = strategy_inputs(recipe, poor="the recipe's" if recipe.poor_model else None)
    refuse_missing({label: needs_of(chain) for label, chain in chains.items()}, inputs.available_needs())


def compare(
    recipe: str | Path | CompareSettings,
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    jobs: int = 1,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Compared:
    """Run a comparison, or resume one that was interrupted.

    Args:
        recipe: A YAML recipe, or its settings.
        out: The folder for results, report, trained tokenizer, poor model and vectors.
        overrides: Dotted recipe keys with other values.
        jobs: Cells at a time.
        say: Called with a line on what is being prepared.
        progress: Called when a cell has finished.

    Returns:
        The results, with the report written.

    Raises:
        LexigraftError: Anything wrong with the recipe or its inputs; or cells that failed (the others are kept).
    """
    settings = recipe if isinstance(recipe, CompareSettings) else read_recipe(Path(recipe), overrides)
    folder = Path(out)
    if jobs > (most := JOBS_PER_CORE * (os.cpu_count() or 1)):
        raise LexigraftError("this machine cannot run so many cells at a time", jobs, f"Give --jobs of at most {most}")
    refuse_other_output(folder)
    chains = check_recipe(settings)
    source = DiskModel(settings.source)
    refuse_untrainable_source(settings, source, chains.values())
    texts = load_texts(settings)
    with emptied_after_error(folder):
        tracker = _tracker(settings, folder)
        prepared, target = prepare(settings, texts, folder / "prepared", say)
        if any(not strategy.keeps_tokenizer for chain in chains.values() for strategy in chain):
            check_usable(target)
            refuse_same(source.vocabulary, target)
    shared = Shared(texts, source, target, chains)
    comparison = describe_comparison(settings, prepared, shared)
    if tracker:
        tracker.start(comparison, dump_recipe(settings))
    try:
        results = run_cells(
            comparison.cells,
            CellRunner(settings, prepared, folder, shared),
            folder,
            jobs=jobs,
            on_done=(lambda r: tracker.log_cell(r, folder)) if tracker else (lambda r: None),
            progress=progress,
            comparison=comparison,
            recipe=dump_recipe(settings),
        )
    except LexigraftError:
        unfinished = write_report(folder) if load_results(folder, comparison) else ()
        if tracker:
            tracker.finish(folder, unfinished, failed=True)
        raise
    report = write_report(folder)
    message = tracker.finish(folder, report) if tracker else ""
    return Compared(folder, comparison, tuple(results), report, tracker.uri if tracker else "", message)


def describe_comparison(recipe: CompareSettings, prepared: Prepared, shared: Shared) -> Comparison:
    """The cells and the facts of a comparison."""
    texts, vocabulary = shared.texts, shared.target
    cells = cells_of(recipe, prepared, texts, vocabulary.hash, shared.chains)
    adaptation = recipe.adaptation
    facts = {
        "source": Path(recipe.source).name,
        "target_tokenizer": f"{vocabulary.family.value}, {vocabulary.size:,} tokens",
        "corpus_lines": len(texts.train),
        "corpus_bytes": texts.train.bytes,
        "heldout_lines": len(texts.heldout),
        "measured_lines": {name: len(text) for name, text in texts.measured.items()},
        "corpus_hash": texts.train.hash,
        "tokenizer_hash": vocabulary.hash,
        "recipe_hash": hash_of(masked_uris(recipe.model_dump(mode="json"))),
        "steps": adaptation.steps,
        "batch_tokens": adaptation.batch_tokens,
        "tokens_trained": adaptation.steps * adaptation.batch_tokens,
        "probe_step": adaptation.probe_step,
        "device": _device(),
        "versions": versions(),
    }
    return Comparison(recipe.name, cells, recipe.reference, facts)


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def _tracker(recipe: CompareSettings, folder: Path) -> Any:
    """The MLflow tracker, checked before anything runs; ``None`` when tracking is off."""
    if not recipe.tracking.enabled:
        return None
    from lexigraft.adapters.tracking.tracker import MlflowTracker

    return MlflowTracker.open(recipe.tracking, recipe.name, folder)
