"""Evaluation of a model on held-out text and on downstream tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.api.tasks import Task, read_tasks, refuse_unsuitable_tasks
from lexigraft.core.config.evaluation import EvaluationSettings
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, TextData, TextEvaluator
from lexigraft.core.evaluation.scores import ItemScores, refuse_nan
from lexigraft.core.models.loading import load_config, load_model
from lexigraft.core.models.tables import check_tables, tables_of
from lexigraft.core.registry import make
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.utils.devices import usable_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        figures: Values by ``FIGURE/TEXT`` or ``FIGURE/TASK``, such as ``bits_per_byte/heldout``.
        items: The outcomes of single items, by the same names, where a figure is a ratio of sums over them.
        main: The main figure of each task and text, in order.
        notes: Sentences worth showing.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    items: Mapping[str, ItemScores] = field(default_factory=dict)
    main: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def text_evaluators(settings: EvaluationSettings) -> list[TextEvaluator]:
    """The evaluators that run on every held-out text.

    Raises:
        LexigraftError: An unknown evaluator or option, or an evaluator that reads files of its own.
    """
    made = [make("evaluator", name, settings.options.get(name, {})) for name in settings.evaluators]
    for evaluator in made:
        if not isinstance(evaluator, TextEvaluator):
            raise LexigraftError(
                "this evaluator does not measure running text",
                evaluator.name,
                f"Name it under evaluation.tasks, with its files: {', '.join(evaluator.files)}",
            )
    return made


def measure(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    texts: Mapping[str, Sequence[str]],
    settings: EvaluationSettings,
    tasks: Collection[Task] = (),
    context: EvaluationContext | None = None,
) -> Evaluation:
    """Run every evaluator on every text, and every task.

    Args:
        model: The model; it goes to a GPU where there is one, and stays there.
        vocabulary: Its vocabulary.
        texts: Lines by the name of the text.
        settings: Which evaluators, with which options.
        tasks: Downstream tasks.
        context: The seed, and what is known about the model's training.

    Raises:
        LexigraftError: A figure is NaN, or a model that a task cannot measure.
    """
    if texts or tasks:
        model.to(usable_device("auto"))
    data = {name: TextData.of(lines) for name, lines in texts.items()}
    asked: list[tuple[str, Evaluator, EvaluationData]] = [
        (name, evaluator, read) for evaluator in text_evaluators(settings) for name, read in data.items()
    ]
    asked += [(task.name, task.evaluator, task.data) for task in tasks]
    figures: dict[str, float] = {}
    items: dict[str, ItemScores] = {}
    main, notes = [], []
    for name, evaluator, read in asked:
        scores = evaluator.evaluate(model, vocabulary, read, context or EvaluationContext())
        refuse_nan(scores, evaluator.name, name)
        figures |= {f"{figure}/{name}": value for figure, value in scores.figures.items()}
        items |= {f"{figure}/{name}": outcomes for figure, outcomes in scores.items.items()}
        main.append(f"{scores.main}/{name}")
        notes += [f"{name}: {note}" for note in (*read.notes, *scores.notes)]
    return Evaluation(figures, items, tuple(main), tuple(notes))


def evaluate(
    model: str,
    heldout: Sequence[str | Path] = (),
    *,
    settings: EvaluationSettings | None = None,
    seed: int = 0,
    train: Sequence[str | Path] = (),
    text_field: str = "text",
    allow_missing: Sequence[str] = (),
    base: str | None = None,
) -> Evaluation:
    """Measure a model on held-out files and on tasks.

    Args:
        model: Folder or Hub name, or the folder of an adapter.
        heldout: Files of text.
        settings: Which evaluators and tasks; how many lines at most.
        seed: Decides everything random in tasks.
        train: The text that the model was trained on, for figures by a token's frequency in it.
        text_field: The field of JSON lines or the column of Parquet that holds the text.
        allow_missing: Patterns of tensors that the checkpoint may lack, such as ``lm_head.*``: they are random.
        base: For an adapter, the model it was trained from, where that is not what the adapter names.

    Returns:
        Figures by name, for example ``bits_per_byte/heldout``, with the outcomes of single items.

    Raises:
        LexigraftError: Nothing to measure, or a model or file that cannot be read.
    """
    from lexigraft.adapters.training.saved_adapter import base_of, is_adapter, load_adapter

    settings = settings or EvaluationSettings()
    if not heldout and not settings.tasks:
        raise LexigraftError("there is nothing to measure on", hint="Give held-out text (--heldout) or a task (--task)")
    adapter = is_adapter(model)
    if base and not adapter:
        raise LexigraftError("a base model belongs to an adapter, and this is none", model, "Leave --base out")
    whole = (base or base_of(model)) if adapter else model
    texts: dict[str, Sequence[str]] = {}
    if heldout:
        text_evaluators(settings)
        texts["heldout"] = load_corpus(list(heldout), text_field=text_field, limit_lines=settings.max_lines).lines
    tasks = read_tasks(settings.tasks)
    refuse_unsuitable_tasks(tasks, load_config(whole))
    vocabulary = load_vocabulary(whole)
    counts = token_counts(vocabulary, load_corpus(list(train), text_field=text_field).lines) if train else None
    context = EvaluationContext(seed, counts)
    loaded = load_model(whole, allow_missing=allow_missing)
    check_tables(tables_of(loaded), vocabulary, whole)
    if adapter:
        loaded = load_adapter(loaded, Path(model))
    return measure(loaded, vocabulary, texts, settings, tasks, context)
