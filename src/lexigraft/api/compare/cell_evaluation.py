"""Measurements of one cell: what is measured when, with the outcomes of single items kept beside the cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.api.compare.inputs import Texts
from lexigraft.api.compare.shared_start import SharedStart
from lexigraft.api.evaluate import Evaluation, measure
from lexigraft.api.tasks import Task, due, start_rows
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.evaluation.evaluator import EvaluationContext
from lexigraft.core.evaluation.item_store import items_file, load_items, save_items
from lexigraft.core.grafting.pipeline import Grafted
from lexigraft.core.tokenization.token_counts import stored_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.distributed import processes

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Measurements:
    """Takes the measurements of one cell; of several processes only the first one measures.

    Args:
        recipe: The recipe.
        texts: Its texts and tasks.
        grafted: The grafted model, before it is trained.
        seed: The cell's seed.
        folder: The cell's folder.
        shared: Where the token counts of the training text are kept, for all cells.
        vocabulary: The grafted vocabulary with the tokens that augmentation needs.
        start: Where measurements before training are shared with other arms of the same graft; None: with none.
    """

    def __init__(
        self,
        recipe: CompareSettings,
        texts: Texts,
        grafted: Grafted,
        seed: int,
        folder: Path,
        shared: Path,
        vocabulary: Vocabulary,
        start: SharedStart | None = None,
    ) -> None:
        self.recipe, self.texts, self.grafted, self.seed = recipe, texts, grafted, seed
        self.folder, self.shared, self.vocabulary = folder, shared, vocabulary
        self.start = start
        self.notes: tuple[str, ...] = ()
        self._start_rows = start_rows(texts.tasks, grafted.model)

    def take(self, step: int, model: PreTrainedModel) -> Mapping[str, float]:
        """Measure every text, and the tasks that are due before the end of training.

        Args:
            step: Steps of adaptation done.
            model: The model, which may still be in training.
        """
        last = step == self.recipe.adaptation.steps
        tasks = [] if last and step else list(due(self.texts.tasks, step, self.recipe.adaptation))
        return self._take(step, model, {name: text.lines for name, text in self.texts.measured.items()}, tasks)

    def take_last(self, model: PreTrainedModel) -> Mapping[str, float]:
        """Measure the tasks that are due at the end, once what was trained beside the model is merged into it."""
        steps = self.recipe.adaptation.steps
        return self._take(steps, model, {}, list(due(self.texts.tasks, steps, self.recipe.adaptation)))

    def _take(
        self, step: int, model: PreTrainedModel, texts: Mapping[str, Collection[str]], tasks: Collection[Task]
    ) -> Mapping[str, float]:
        if not processes().first or not (texts or tasks):
            return {}
        lines = {name: list(text) for name, text in texts.items()}

        def measured() -> Evaluation:
            return measure(model, self.vocabulary, lines, self.recipe.evaluation, tasks, self._context)

        found = self.start.found(measured) if self.start is not None and step == 0 else measured()
        path = items_file(self.folder, step)
        save_items(path, {**load_items(path), **found.items})
        self.notes = tuple(dict.fromkeys((*self.notes, *found.notes)))
        return found.figures

    @cached_property
    def _context(self) -> EvaluationContext:
        grafted = self.grafted
        counts = stored_counts(self.vocabulary, self.texts.train, self.shared)
        return EvaluationContext(self.seed, counts, grafted.alignment.new, grafted.rows.moved, self._start_rows)
