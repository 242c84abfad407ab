"""Set-up of a comparison: its recipe checked, its shared inputs made, its cells listed; the same for every process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lexigraft.api.adapt import refuse_untrainable
from lexigraft.api.augment import check_augmenters
from lexigraft.api.compare.cell import CellRunner
from lexigraft.api.compare.cell_keys import cells_of
from lexigraft.api.compare.inputs import Prepared, Shared, Texts, load_texts, strategy_inputs
from lexigraft.api.compare.preparation import cost_metadata, prepare
from lexigraft.api.evaluate import text_evaluators
from lexigraft.api.pretrain import pretraining_objective
from lexigraft.api.study.metadata import recipe_metadata, task_metadata
from lexigraft.api.study.study import PREPARED, Opened
from lexigraft.api.tasks import make_evaluator, refuse_unsuitable_tasks
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings
from lexigraft.core.evaluation.cells.cell import Comparison
from lexigraft.core.grafting.needs import refuse_missing
from lexigraft.core.grafting.pipeline import make_chain, refuse_same
from lexigraft.core.grafting.strategy import Body, Strategy, needs_of
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.registry import make
from lexigraft.core.tokenization.matching.alignment import refuse_unknown_rules
from lexigraft.core.tokenization.measures.segmentation_samples import Segmentation
from lexigraft.core.tokenization.target_check import check_usable
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.devices import usable_device

SAMPLES = 4
SAMPLE_CHARACTERS = 160
"""Held-out lines whose segmentation the report shows, and how much of a long one."""


@dataclass(frozen=True)
class Checked:
    """A recipe whose strategies, texts and source model are known to be usable; nothing is trained yet.

    Attributes:
        recipe: The recipe.
        chains: The configured strategies by label.
        source: The source model on disk.
        texts: The texts.
    """

    recipe: CompareSettings
    chains: Mapping[str, Sequence[Strategy]]
    source: DiskModel
    texts: Texts


def check_comparison(recipe: CompareSettings) -> Checked:
    """Check a recipe with its source model and texts.

    Raises:
        LexigraftError: See :func:`check_recipe`; texts that cannot be read; a source that cannot be adapted as asked.
    """
    chains = check_recipe(recipe)
    source = DiskModel(recipe.source, text_model=recipe.graft.text_model)
    refuse_untrainable_source(recipe, source, chains.values())
    texts = load_texts(recipe)
    refuse_unsuitable_tasks(texts.tasks, source.skeleton.config)
    return Checked(recipe, chains, source, texts)


def open_comparison(checked: Checked, folder: Path, say: Callable[[str], None] = lambda text: None) -> Opened:
    """Make what the cells share, or find it from an earlier start, and list the cells.

    Args:
        checked: The checked recipe.
        folder: The comparison's folder.
        say: Called with a line on what is being prepared.

    Raises:
        LexigraftError: Inputs that cannot be used.
    """
    recipe = checked.recipe
    prepared, target = prepare(recipe, checked.texts, folder / PREPARED, say)
    check_target(checked, target)
    shared = Shared(checked.texts, checked.source, target, checked.chains)
    comparison = describe_comparison(recipe, prepared, shared)
    return Opened(comparison, CellRunner(recipe, prepared, folder, shared))


def check_target(checked: Checked, target: Vocabulary) -> None:
    """Refuse a target tokenizer that no model can be given; unless every strategy keeps the source's."""
    if any(not strategy.keeps_tokenizer for chain in checked.chains.values() for strategy in chain):
        check_usable(target)
        refuse_same(checked.source.vocabulary, target)


def check_recipe(recipe: CompareSettings) -> dict[str, list[Strategy]]:
    """Check a recipe's strategies, needs, evaluators and objective, before any weights load.

    Returns:
        The configured strategies by label.

    Raises:
        LexigraftError: Unknown strategies, fields or match rules, missing needs, evaluators or objectives, or a device
            that is not here.
    """
    chains = {line.label: make_chain(line.chain) for line in recipe.lines}
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
    yield lambda: text_evaluators(evaluation)
    for name in sorted(set(evaluation.options) - set(evaluation.evaluators)):
        yield partial(make, "evaluator", name, evaluation.options[name])
    for name, task in evaluation.tasks.items():
        yield partial(make_evaluator, name, task)
    if (objective := adaptation.objective) is not None:
        yield lambda: make("objective", objective, adaptation.objective_options)
    for line in recipe.lines:
        yield partial(check_augmenters, line.adaptation)


def refuse_untrainable_source(recipe: CompareSettings, source: DiskModel, chains: Iterable[Sequence[Strategy]]) -> None:
    """Refuse an adaptation that the source model's body could not go through; no weights load.

    Raises:
        LexigraftError: A phase that trains nothing, layers that are not there, an objective of another kind, or
            sequences that are too long.
    """
    if recipe.adaptation.steps and any(chain[0].body is Body.SOURCE for chain in chains):
        for line in recipe.lines:
            refuse_untrainable(source.skeleton, line.adaptation)


def refuse_unmet(recipe: CompareSettings, chains: Mapping[str, Sequence[Strategy]]) -> None:
    """Refuse strategies whose needs the recipe does not meet.

    Raises:
        LexigraftError: Which strategy misses what, and how to supply it.
    """
    inputs = strategy_inputs(recipe, poor="the recipe's" if recipe.poor_model else None)
    refuse_missing({label: needs_of(chain) for label, chain in chains.items()}, inputs.available_needs())


def describe_comparison(recipe: CompareSettings, prepared: Prepared, shared: Shared) -> Comparison:
    """The cells and the facts of a comparison."""
    texts, vocabulary = shared.texts, shared.target
    cells = cells_of(recipe, prepared, texts, vocabulary.hash, shared.chains)
    controls = {line.label: line.control for line in recipe.lines if line.control is not None}
    facts = {
        "source": Path(recipe.source).name,
        "target_tokenizer": f"{vocabulary.family.value}, {vocabulary.size:,} tokens",
        "corpus_lines": len(texts.train),
        "corpus_bytes": texts.train.bytes,
        "heldout_lines": len(texts.heldout),
        "measured_lines": {name: len(text) for name, text in texts.measured.items()},
        "tasks": task_metadata(texts.tasks),
        "corpus_hash": texts.train.hash,
        "tokenizer_hash": vocabulary.hash,
        **cost_metadata(recipe, prepared, shared.source),
        **recipe_metadata(recipe),
        "probe_step": recipe.adaptation.probe_step,
        "device": _device(),
        **({"controls": controls} if controls else {}),
        "segmentation": _segmentation(shared),
    }
    return Comparison(recipe.name, cells, recipe.reference_label, facts)


def _segmentation(shared: Shared) -> dict[str, Any]:
    """Held-out lines as the source's tokenizer and the target tokenizer cut them."""
    vocabularies = {"source tokenizer": shared.source.vocabulary, "target tokenizer": shared.target}
    return Segmentation.of(vocabularies, shared.texts.heldout, SAMPLES, SAMPLE_CHARACTERS).as_json()


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
