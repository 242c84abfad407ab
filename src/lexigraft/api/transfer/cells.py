"""One cell of a transfer study: adapt the model on one donor's text, measure every target; picklable for processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.api.adapt import adapt_model
from lexigraft.api.evaluate import measure
from lexigraft.api.inputs import StrategyInputs
from lexigraft.api.objectives import adaptation_values
from lexigraft.api.study.trained_tokenizer import trained_tokenizer_path
from lexigraft.api.transfer.inputs import TransferTexts, load_transfer_texts
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.transfer_recipe import ZERO_SHOT, TransferGraftSettings, TransferSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Score
from lexigraft.core.evaluation.evaluator import EvaluationContext
from lexigraft.core.evaluation.item_store import items_file, load_items, save_items
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.grafting.pipeline import graft_model, make_chain
from lexigraft.core.models.loading import load_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import flat, hash_of
from lexigraft.core.utils.memory import peak_rss_bytes
from lexigraft.core.utils.versions import result_versions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GRAFTED = "grafted"
"""What follows a target's name in scores that were taken after its own vocabulary was grafted."""


def transfer_cells(recipe: TransferSettings, texts: TransferTexts, source_hash: str) -> tuple[Cell, ...]:
    """Every cell: the model as it is, each donor, and each target as its own control, with each seed.

    Args:
        recipe: The recipe.
        texts: Its texts.
        source_hash: Content of the source model.
    """
    measured = {name: text.hash for name, text in texts.heldout.items()}
    common: dict[str, Any] = {
        "source": source_hash,
        "measured": measured,
        "tasks": {task.name: task.described() for task in texts.tasks},
        "evaluation": recipe.evaluation.model_dump(mode="json", exclude={"tasks"}),
        "versions": result_versions(),
    }
    if recipe.graft is not None:
        tokenizers = {name: hash_of(target.model_dump()["tokenizer"]) for name, target in recipe.targets.items()}
        common["graft"] = {**recipe.graft.model_dump(mode="json"), "tokenizers": tokenizers}
        common["graft_text"] = {name: texts.train[name].hash for name in recipe.targets}
    adaptation = adaptation_values(recipe.adaptation)
    adaptation["measure_at"] = recipe.measure_at
    cells = []
    for name, seed in recipe.cell_names:
        own: dict[str, Any] = {}
        if name != ZERO_SHOT:
            own = {"train": texts.train[name].hash, "adaptation": adaptation, "control": name in recipe.targets}
        cells.append(_cell(name, seed, common, own))
    return tuple(cells)


def _cell(label: str, seed: int, common: Mapping[str, Any], own: Mapping[str, Any]) -> Cell:
    described = {**common, **own, "seed": seed, "donor": label}
    return Cell(label, seed, "source", hash_of(described), flat(described))


class TransferCellRunner:
    """Runs any cell of one study; in another process it reads the texts there, once.

    Args:
        recipe: The recipe.
        out: The study's folder.
        texts: The texts and tasks, where this process has read them already.
    """

    def __init__(self, recipe: TransferSettings, out: Path, texts: TransferTexts | None = None) -> None:
        self.recipe, self.out = recipe, out
        if texts is not None:
            self.texts = texts

    def __reduce__(self) -> tuple[type[TransferCellRunner], tuple[TransferSettings, Path]]:
        """Pickle the recipe and the folder, without the texts."""
        return TransferCellRunner, (self.recipe, self.out)

    @cached_property
    def texts(self) -> TransferTexts:
        """The texts and tasks."""
        return load_transfer_texts(self.recipe)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The source model's vocabulary."""
        return load_vocabulary(self.recipe.source)

    def __call__(self, cell: Cell) -> CellResult:
        """Adapt on the donor, measure every target on the way and at the end, and once more with a graft."""
        started = time.perf_counter()
        model = load_model(self.recipe.source)
        folder = self.out / "cells" / cell.folder
        folder.mkdir(parents=True, exist_ok=True)
        cost: dict[str, float] = {"tokens_trained": 0, "trainable_parameters": 0, "adapt_seconds": 0}
        losses: tuple[tuple[int, float], ...] = ()
        scores: list[Score] = []
        steps = 0
        if cell.label != ZERO_SHOT:
            settings = self.recipe.adaptation.model_copy(update={"seed": cell.seed})
            steps = settings.steps
            adapted = adapt_model(
                model,
                self.vocabulary,
                self.texts.train[cell.label],
                settings,
                unseen=self.texts.unseen,
                eval_steps={step for step in self.recipe.measure_at if 0 < step < steps},
                on_step=lambda step, live: self._measure(live, cell, folder, step, tasks=False),
                work=folder / "work" if settings.checkpoint_every else None,
            )
            model, losses = adapted.model, adapted.losses
            for step, figures in sorted(adapted.evaluations.items()):
                scores += [Score(step, metric, value) for metric, value in figures.items()]
            cost = {
                "tokens_trained": adapted.tokens_trained,
                "trainable_parameters": adapted.trainable_parameters,
                "adapt_seconds": adapted.seconds,
            }
        figures = self._measure(model, cell, folder, steps, tasks=True)
        if self.recipe.graft is not None:
            figures = {**figures, **self._grafted(self.recipe.graft, model, cell, folder, steps)}
        scores += [Score(steps, metric, value) for metric, value in figures.items()]
        cost |= {"seconds": time.perf_counter() - started, "peak_rss_bytes": peak_rss_bytes()}
        return CellResult(cell, tuple(scores), losses, {}, cost)

    def _measure(
        self, model: PreTrainedModel, cell: Cell, folder: Path, step: int, *, tasks: bool
    ) -> Mapping[str, float]:
        """Measure every target, and its tasks at the end."""
        lines = {name: list(text.lines) for name, text in self.texts.heldout.items()}
        due = self.texts.tasks if tasks else ()
        found = measure(model, self.vocabulary, lines, self.recipe.evaluation, due, EvaluationContext(cell.seed))
        _keep(folder, step, found.items)
        return found.figures

    def _grafted(
        self, graft: TransferGraftSettings, model: PreTrainedModel, cell: Cell, folder: Path, step: int
    ) -> dict[str, float]:
        """Graft each target's vocabulary onto the adapted model, train a little on its text, and measure it."""
        figures: dict[str, float] = {}
        chain = make_chain(graft.strategy.chain)
        with tempfile.TemporaryDirectory() as home:
            write_model(Path(home), model, self.vocabulary)
            for name, target in self.recipe.targets.items():
                text = self.texts.train[name]
                prepared = self.out / "prepared"
                vocabulary = load_vocabulary(trained_tokenizer_path(target.tokenizer or "", text, prepared))
                inputs = StrategyInputs(source=home, corpus=partial(_same, text), vectors=graft.target_vectors)
                grafted = graft_model(
                    home, vocabulary, chain, inputs.loaders(vocabulary, prepared / "vectors"),
                    seed=cell.seed, settings=graft.settings,
                )  # fmt: skip
                onto = grafted.model
                if graft.steps:
                    changes: Any = {"seed": cell.seed, "steps": graft.steps, "phases": []}
                    settings: AdaptSettings = self.recipe.adaptation.model_copy(update=changes)
                    new = grafted.alignment.new.tolist()
                    onto = adapt_model(onto, vocabulary, text, settings, unseen=self.texts.unseen, new_ids=new).model
                tasks = [task for task in self.texts.tasks if task.name.startswith(f"{name}.")]
                found = measure(
                    onto, vocabulary, {name: list(self.texts.heldout[name].lines)}, self.recipe.evaluation, tasks,
                    EvaluationContext(cell.seed),
                )  # fmt: skip
                named = {f"{metric}.{GRAFTED}": value for metric, value in found.figures.items()}
                _keep(folder, step, {f"{metric}.{GRAFTED}": items for metric, items in found.items.items()})
                figures |= named
        return figures


def _same(text: Corpus) -> Corpus:
    return text


def _keep(folder: Path, step: int, items: Mapping[str, ItemScores]) -> None:
    path = items_file(folder, step)
    save_items(path, {**load_items(path), **items})
