"""Estimated time and memory of a comparison, from a few of its own steps.

Steps are run, not modeled: the model is loaded, grafted, trained for a few steps and measured on a few lines,
in a process of its own, so that time and peak memory are those of a comparison on this machine.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.api.adapt import adapt_model
from lexigraft.api.compare.inputs import Texts, load_texts
from lexigraft.api.doctor.task_cost import task_seconds
from lexigraft.api.evaluate import measure
from lexigraft.api.pretrain import pretrain_model
from lexigraft.api.probe import shortened
from lexigraft.api.tasks import start_rows, times_measured
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.evaluation.evaluator import EvaluationContext
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import Grafted, graft_model, make_chain
from lexigraft.core.grafting.strategy import uses_of
from lexigraft.core.registry import make
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.memory import peak_rss_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FEW, MORE = 2, 6
"""Training steps of two runs; their difference in time gives the time of one step."""
ENOUGH = 2.0
"""Seconds after which no longer part of a text is measured."""
SAMPLE = 2_000_000
"""Bytes of training text from which tokenizers and vectors are learned; the time is scaled to all of it."""


@dataclass(frozen=True)
class Rehearsal:
    """Estimated time and memory of a comparison.

    Cells are counted one after the other, without what strategies learn or search.

    Attributes:
        once: Seconds of each preparation that is done once, by its name.
        graft_seconds: Reading, grafting and checking in one cell.
        adapt_seconds: Preparing the adaptation in one cell.
        step_seconds: One training step.
        measure_seconds: Measuring all texts once.
        peak_bytes: Resident memory of one cell's process.
        steps: Training steps of a cell.
        measurements: How often a cell is measured.
        cells: How many cells there are.
        task_seconds: Measuring each task once, by its name.
        task_times: How often each task is measured in a cell.
    """

    once: dict[str, float] = field(default_factory=dict)
    graft_seconds: float = 0.0
    adapt_seconds: float = 0.0
    step_seconds: float = 0.0
    measure_seconds: float = 0.0
    peak_bytes: int = 0
    steps: int = 0
    measurements: int = 1
    cells: int = 1
    task_seconds: dict[str, float] = field(default_factory=dict)
    task_times: dict[str, int] = field(default_factory=dict)

    @property
    def seconds_of_tasks(self) -> float:
        """Seconds of all tasks in one cell."""
        return sum(seconds * self.task_times[name] for name, seconds in self.task_seconds.items())

    @property
    def cell_seconds(self) -> float:
        """Seconds of one cell."""
        trained = self.adapt_seconds + self.steps * self.step_seconds if self.steps else 0.0
        return self.graft_seconds + trained + self.measurements * self.measure_seconds + self.seconds_of_tasks

    @property
    def seconds(self) -> float:
        """Seconds of the whole comparison, with one job."""
        return sum(self.once.values()) + self.cells * self.cell_seconds


def rehearse(recipe: CompareSettings) -> Rehearsal:
    """Rehearse a recipe in a fresh process; takes some seconds beside loading the libraries and the model.

    Args:
        recipe: The recipe.

    Raises:
        LexigraftError: Any error that the comparison itself would raise.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_rehearse, recipe).result()


def _rehearse(recipe: CompareSettings) -> Rehearsal:
    texts, reading = _timed(lambda: load_texts(recipe))
    once, vocabulary = _tokenizer(recipe, texts)
    once |= _poor_model(recipe, texts, vocabulary) | _vectors(recipe, texts, vocabulary)
    grafted, grafting = _timed(
        lambda: graft_model(recipe.source, vocabulary, [make("strategy", "random")], {}, seed=0, settings=recipe.graft)
    )
    model = grafted.model
    measuring = sum(_measuring(recipe, model, vocabulary, name, text.lines) for name, text in texts.measured.items())
    settings, steps = recipe.adaptation, recipe.adaptation.steps
    context = _context(texts, grafted)
    tasks = {task.name: task_seconds(task, model, vocabulary, context, ENOUGH) for task in texts.tasks}
    fixed = step = 0.0
    if steps:

        def train(count: int) -> None:
            adapt_model(
                model,
                vocabulary,
                texts.train,
                shortened(settings, count, 0, model),
                new_ids=grafted.alignment.new.tolist(),
            )

        fixed, step = _two_lengths(train)
    return Rehearsal(
        once=once,
        graft_seconds=reading + grafting,
        adapt_seconds=fixed,
        step_seconds=step,
        measure_seconds=measuring,
        peak_bytes=peak_rss_bytes(),
        steps=steps,
        measurements=1 + len({settings.probe_step, steps} - {0}) if steps else 1,
        cells=len(recipe.lines) * len(recipe.seeds),
        task_seconds=tasks,
        task_times={task.name: times_measured(task, settings) for task in texts.tasks},
    )


def _context(texts: Texts, grafted: Grafted) -> EvaluationContext:
    counts = token_counts(grafted.vocabulary, _part(texts.train, SAMPLE)[0].lines) if texts.tasks else None
    rows = start_rows(texts.tasks, grafted.model)
    return EvaluationContext(0, counts, grafted.alignment.new, start_rows=rows)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


def _two_lengths(train: Callable[[int], object]) -> tuple[float, float]:
    """Seconds of training that do not depend on its length, and seconds of each step."""
    train(1)  # warm-up: the first run in a process takes longer
    _, few = _timed(lambda: train(FEW))
    _, more = _timed(lambda: train(MORE))
    step = max(more - few, 0.0) / (MORE - FEW)
    return max(few - FEW * step, 0.0), step


def _part(text: Corpus, size: int) -> tuple[Corpus, float]:
    """Evenly chosen lines of about a size in bytes, and how many times as long the whole text is."""
    if text.bytes <= size:
        return text, 1.0
    every = -(-text.bytes // size)
    part = Corpus.of(text.lines[::every])
    return part, text.bytes / part.bytes


def _tokenizer(recipe: CompareSettings, texts: Texts) -> tuple[dict[str, float], Vocabulary]:
    from lexigraft.core.tokenization.editing.changes import changed
    from lexigraft.core.tokenization.training import train_tokenizer

    asked = recipe.target_tokenizer
    if isinstance(asked, str):
        return {}, load_vocabulary(asked)
    part, times = _part(texts.train, SAMPLE)
    if isinstance(asked, TokenizerChangeSettings):
        source = load_vocabulary(recipe.source)
        vocabulary, seconds = _timed(lambda: changed(source, asked, part.lines))
        return {"target tokenizer": seconds * times}, vocabulary
    tokenizer, seconds = _timed(lambda: train_tokenizer(asked, part))
    return {"target tokenizer": seconds * times}, Vocabulary.of(tokenizer)


def _poor_model(recipe: CompareSettings, texts: Texts, vocabulary: Vocabulary) -> dict[str, float]:
    asked = recipe.poor_model
    if not isinstance(asked, PretrainSettings):
        return {}
    fixed, step = _two_lengths(
        lambda count: pretrain_model(texts.train, vocabulary, asked.model_copy(update={"steps": count}))
    )
    return {"poor model": fixed + asked.steps * step}


def _vectors(recipe: CompareSettings, texts: Texts, vocabulary: Vocabulary) -> dict[str, float]:
    needed = any(Need.TARGET_VECTORS in uses_of(make_chain(line.chain)) for line in recipe.strategies)
    if not needed or recipe.target_vectors.file is not None:
        return {}
    from lexigraft.adapters.vectors.target_vectors import train_target_vectors

    part, times = _part(texts.train, SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        _, seconds = _timed(lambda: train_target_vectors(part, vocabulary, recipe.target_vectors, Path(folder)))
    return {"target vectors": seconds * times}


def _measuring(
    recipe: CompareSettings, model: PreTrainedModel, vocabulary: Vocabulary, name: str, lines: Sequence[str]
) -> float:
    """Seconds of measuring a text, from as many of its lines as take long enough."""

    def once(part: Sequence[str]) -> float:
        return _timed(lambda: measure(model, vocabulary, {name: part}, recipe.evaluation))[1]

    part = lines[:1]
    once(part)  # warm-up: the first run in a process takes longer
    seconds = once(part)
    while seconds < ENOUGH and len(part) < len(lines):
        count = min(2 * len(part), len(lines))
        part = [lines[n * len(lines) // count] for n in range(count)]
        seconds = once(part)
    return seconds * _size(lines) / _size(part)


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) for line in lines)
