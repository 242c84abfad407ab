"""Training from Python: tokenizers, pre-training from scratch, continued pre-training, and loading a saved adapter."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.api.evaluate import measure
from lexigraft.core.config.recipe import AdaptSettings, EvaluationSettings, Phase, PretrainSettings, TokenizerSettings
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import FACTS, write_model
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.carried_files import carry_files
from lexigraft.core.models.loading import load_config, load_model
from lexigraft.core.models.tables import check_tables, tables_of
from lexigraft.core.registry import make
from lexigraft.core.tokenization.loading import load_vocabulary
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.saving import save_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE, Objective, refuse_unsuitable
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import refuse_existing, whole_folder
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from lexigraft.adapters.training.adapt import Adapted

Paths = Sequence[str | Path]
Say = Callable[[str], None]


@dataclass(frozen=True)
class AdaptResult:
    """What continued pre-training did.

    Attributes:
        model: Folder or Hub name of the model that was adapted.
        steps: Optimizer steps.
        tokens_trained: Tokens seen, repetitions included.
        trainable_parameters: The most that trained in one phase.
        seconds: Wall time of training.
        first_loss: Training loss of the first step, in nats; ``None`` without steps.
        last_loss: Training loss of the last step, in nats; ``None`` without steps.
        before: Figures on the held-out files before training, for example ``bits_per_byte/heldout``.
        after: The same figures after training.
        out: The folder that was written.
    """

    model: str
    steps: int
    tokens_trained: int
    trainable_parameters: int
    seconds: float
    first_loss: float | None
    last_loss: float | None
    before: Mapping[str, float]
    after: Mapping[str, float]
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values; the figures are keys of their own, ``before/NAME`` and ``after/NAME``."""
        values = asdict(self)
        before, after, out = (values.pop(name) for name in ("before", "after", "out"))
        figures = {f"before/{name}": value for name, value in before.items()}
        figures |= {f"after/{name}": value for name, value in after.items()}
        return {**values, **figures, "out": str(out)}


@dataclass(frozen=True)
class PretrainResult:
    """What pre-training from scratch did.

    Attributes:
        preset: The model's shape: the name of a preset, or a configuration file.
        parameters: The model's parameters.
        tokens: Tokens of the vocabulary.
        steps: Optimizer steps.
        tokens_trained: Tokens seen, repetitions included.
        out: The folder that was written.
    """

    preset: str
    parameters: int
    tokens: int
    steps: int
    tokens_trained: int
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out)}


@dataclass(frozen=True)
class TokenizerResult:
    """A trained tokenizer.

    Attributes:
        type: Its type: ``unigram``, ``bpe``, ``byte_bpe`` or ``wordpiece``.
        tokens: How many tokens it has.
        out: The folder that was written.
    """

    type: str
    tokens: int
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out)}


def objective_for(config: PretrainedConfig, name: str | None, options: Mapping[str, Any]) -> Objective:
    """The named objective, or the one that suits the model; options that it lacks are refused.

    Raises:
        LexigraftError: An unknown objective or option.
    """
    chosen: Objective = make("objective", name or DEFAULT_OBJECTIVE[model_kind(config)], dict(options))
    return chosen


def adapt_model(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    corpus: Corpus,
    settings: AdaptSettings,
    *,
    new_ids: Sequence[int] | None = None,
    on_step: Callable[[int, PreTrainedModel], Mapping[str, float]] | None = None,
    eval_steps: Collection[int] = (),
    work: Path | None = None,
) -> Adapted:
    """Continue pre-training a loaded model; see :func:`lexigraft.adapters.training.adapt.adapt`."""
    from lexigraft.adapters.training.adapt import adapt

    objective = objective_for(model.config, settings.objective, settings.objective_options)
    return adapt(
        model,
        vocabulary,
        corpus,
        settings,
        objective=objective,
        new_ids=new_ids,
        on_step=on_step,
        eval_steps=eval_steps,
        work=work,
    )


def refuse_untrainable(model: PreTrainedModel, settings: AdaptSettings) -> None:
    """Refuse settings that a grafted model of this body could not be trained with; the model needs no weights.

    Raises:
        LexigraftError: See :func:`lexigraft.adapters.training.adapt.checked_phases`.
    """
    from lexigraft.adapters.training.adapt import checked_phases

    objective = objective_for(model.config, settings.objective, settings.objective_options)
    checked_phases(model, settings, objective, new_ids=[0])


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
    return objective


def adapt(
    model: str,
    corpus: Paths,
    *,
    out: str | Path,
    settings: AdaptSettings | None = None,
    heldout: Paths | None = None,
    export: str = "merged",
    work: Path | None = None,
    force: bool = False,
    allow_missing: Sequence[str] = (),
    say: Say = lambda text: None,
) -> AdaptResult:
    """Continue the pre-training of a model on target text and write the result.

    Started in several processes by a launcher, all of them train; only the first one measures and writes.

    Args:
        model: Folder or Hub name, usually what ``graft`` wrote.
        corpus: Files of target text.
        out: The folder to write.
        settings: What trains, number of steps, rates.
        heldout: Files measured before and after.
        export: ``merged``, ``adapter`` or ``both`` (the adapter is then in ``adapter/``).
        work: Folder for checkpoints; an interrupted run is resumed from there.
        force: Whether an existing folder is replaced.
        allow_missing: Patterns of tensors that the checkpoint may lack, such as ``lm_head.*``: they start at random.
        say: Called with progress messages.

    Returns:
        Steps, tokens, seconds, losses, figures before and after, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.adapters.training.export import save_adapter

    target = Path(out)
    refuse_existing(target, force)
    if export not in ("merged", "adapter", "both"):
        raise LexigraftError("unknown export", export, "Known: merged, adapter, both")
    settings = settings or AdaptSettings()
    text = load_corpus(list(corpus))
    config = load_config(model)
    vocabulary = load_vocabulary(model)
    check_post_processor(vocabulary)
    loaded = load_model(model, config=config, allow_missing=allow_missing)
    check_tables(tables_of(loaded), vocabulary, model)
    first = processes().first
    texts = {"heldout": load_corpus(list(heldout)).lines} if heldout and first else {}
    before = measure(loaded, vocabulary, texts, EvaluationSettings())
    say(f"adapting on {len(text):,} lines for {settings.steps:,} steps")
    adapted = adapt_model(loaded, vocabulary, text, settings, new_ids=_new_rows(model, settings), work=work)
    after = measure(adapted.model, vocabulary, texts, EvaluationSettings())
    result = AdaptResult(
        model=model,
        steps=settings.steps,
        tokens_trained=adapted.tokens_trained,
        trainable_parameters=adapted.trainable_parameters,
        seconds=round(adapted.seconds, 2),
        first_loss=adapted.losses[0][1] if adapted.losses else None,
        last_loss=adapted.losses[-1][1] if adapted.losses else None,
        before=before,
        after=after,
        out=target,
    )
    if not first:
        return result
    with whole_folder(target, force) as folder:
        if export != "adapter":
            write_model(folder, adapted.model, vocabulary)
            carry_files(Path(model).expanduser(), folder)
        if export == "adapter":
            save_adapter(adapted, folder)
        elif export == "both":
            save_adapter(adapted, folder / "adapter")
        record = {
            **result.as_json(),
            "settings": settings.model_dump(mode="json"),
            "losses": adapted.losses,
            "versions": versions(),
        }
        (folder / FACTS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return result


def load_adapter(folder: str | Path, base: str | None = None) -> PreTrainedModel:
    """Apply what ``adapt(..., export="adapter")`` wrote to the model that was adapted, LoRA layers merged.

    Args:
        folder: What ``adapt`` wrote with ``export="adapter"``, or the folder ``adapter/`` of ``export="both"``: an
            adapter in PEFT's format, with the tables and other parameters of the model itself that trained.
        base: Folder or Hub name of the model before adaptation, usually what ``graft`` wrote; by default the one that
            the adapter names.

    Returns:
        The adapted model on the CPU, in evaluation mode.

    Raises:
        LexigraftError: The folder holds no adapter or one of another model, or the base model cannot be read.
    """
    from lexigraft.adapters.training import saved_adapter

    return saved_adapter.load_adapter(load_model(base or saved_adapter.base_of(folder)), Path(folder))


def _new_rows(model: str, settings: AdaptSettings) -> list[int] | None:
    """Ids of the new rows, from the graft's provenance; ``None`` unless ``new_rows`` trains in some phase."""
    phases: list[AdaptSettings | Phase] = [settings, *settings.phases]
    if all("new_rows" not in (w.embeddings, w.head) for w in phases):
        return None
    from lexigraft.core.grafting.folder import new_rows

    return new_rows(Path(model))


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
    model = pretrain_model(text, vocabulary, settings, work=work)
    result = PretrainResult(
        preset=settings.preset,
        parameters=sum(p.numel() for p in model.parameters()),
        tokens=vocabulary.size,
        steps=settings.steps,
        tokens_trained=settings.steps * settings.batch_tokens,
        out=target,
    )
    if not processes().first:
        return result
    with whole_folder(target, force) as folder:
        write_model(folder, model, vocabulary)
        record = {**result.as_json(), "settings": settings.model_dump(mode="json"), "versions": versions()}
        (folder / FACTS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return result


def make_tokenizer(
    corpus: Paths, out: str | Path, settings: TokenizerSettings, *, force: bool = False
) -> TokenizerResult:
    """Train a target tokenizer and write it.

    Args:
        corpus: Files of target text.
        out: The folder to write.
        settings: Type and size.
        force: Whether an existing folder is replaced.

    Returns:
        Type, number of tokens, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.training import train_tokenizer

    refuse_existing(Path(out), force)
    tokenizer = train_tokenizer(settings, load_corpus(list(corpus)))
    with whole_folder(Path(out), force) as folder:
        save_tokenizer(tokenizer, folder)
    return TokenizerResult(settings.type, len(tokenizer), Path(out))
