"""Pre-training of a model from scratch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.api.objectives import objective_for
from lexigraft.core.config.recipe import PretrainSettings
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import FACTS, write_model
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.objective import Objective, refuse_unsuitable
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import refuse_existing, whole_folder
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Paths = Sequence[str | Path]
Say = Callable[[str], None]


@dataclass(frozen=True)
class PretrainResult:
    """What pre-training from scratch did.

    Attributes:
        preset: The model's shape: the name of a preset, or a configuration file.
        parameters: The model's parameters.
        tokens: Tokens of the vocabulary.
        steps: Optimizer steps.
        tokens_trained: Tokens seen, repetitions included.
        seconds: Wall time of training; None where an earlier start had done a part of it.
        out: The folder that was written.
    """

    preset: str
    parameters: int
    tokens: int
    steps: int
    tokens_trained: int
    seconds: float | None
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out)}


def pretrain_model(
    corpus: Corpus, vocabulary: Vocabulary, settings: PretrainSettings, *, work: Path | None = None
) -> PreTrainedModel:
    """Train a model from scratch; see :func:`lexigraft.adapters.training.pretrain.pretrain`."""
    from lexigraft.adapters.training import pretrain

    return pretrain.pretrain(corpus, vocabulary, settings, objective=pretraining_objective(settings), work=work)


def pretraining_objective(settings: PretrainSettings) -> Objective:
    """The objective of a pre-training.

    Raises:
        LexigraftError: No such preset, configuration, objective or option, or an objective that the model cannot learn.
    """
    from lexigraft.adapters.training.pretrain import configuration

    config = configuration(settings.preset)
    options = settings.objective_options if model_kind(config) == "masked" or settings.objective else {}
    objective = objective_for(config, settings.objective, options)
    refuse_unsuitable(objective, config)
    if objective.files or objective.packs or objective.entities:
        hint = "Pre-train without it, then adapt with it"
        raise LexigraftError("objective is one of adaptation", objective.name, hint)
    return objective


def pretrain(
    corpus: Paths,
    tokenizer: str,
    *,
    out: str | Path,
    settings: PretrainSettings | None = None,
    work: Path | None = None,
    force: bool = False,
    say: Say = lambda text: None,
) -> PretrainResult:
    """Train a model from scratch for a corpus and a tokenizer.

    Started in several processes by a launcher, all of them train; only the first one writes.

    Args:
        corpus: Files of text.
        tokenizer: Folder, file or Hub name of the tokenizer.
        out: The folder to write.
        settings: Model shape, steps, rates.
        work: Where checkpoints go.
        force: Whether an existing folder is replaced.
        say: Called with progress messages.

    Returns:
        Shape, parameters, steps, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    target = Path(out)
    refuse_existing(target, force)
    settings = settings or PretrainSettings()
    text = load_corpus(list(corpus))
    vocabulary = load_vocabulary(tokenizer)
    check_post_processor(vocabulary)
    say(f"pre-training {settings.preset} on {len(text):,} lines for {settings.steps:,} steps")
    return pretrain_into(target, text, vocabulary, settings, work=work, force=force)


def pretrain_into(
    out: Path, corpus: Corpus, vocabulary: Vocabulary, settings: PretrainSettings, *, work: Path | None, force: bool
) -> PretrainResult:
    """Train a model from scratch and write it with a record of what it took; arguments as those of :func:`pretrain`."""
    begun = work is not None and work.is_dir() and any(work.iterdir())
    started = time.perf_counter()
    model = pretrain_model(corpus, vocabulary, settings, work=work)
    result = PretrainResult(
        preset=settings.preset,
        parameters=sum(p.numel() for p in model.parameters()),
        tokens=vocabulary.size,
        steps=settings.steps,
        tokens_trained=settings.steps * settings.batch_tokens,
        seconds=None if begun else round(time.perf_counter() - started, 2),
        out=out,
    )
    if not processes().first:
        return result
    with whole_folder(out, force) as folder:
        write_model(folder, model, vocabulary)
        record = {**result.as_json(), "settings": settings.model_dump(mode="json"), "versions": versions()}
        (folder / FACTS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return result
