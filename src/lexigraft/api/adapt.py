"""Continued pre-training of a model on target text, and loading of the adapter that it saves."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.api.augment import annotations_for, augmentation_of, check_augmenters, extend_for
from lexigraft.api.evaluate import measure
from lexigraft.api.further_texts import read_further_texts, texts_of
from lexigraft.api.objectives import objective_data, objective_for
from lexigraft.core.config.adaptation import AdaptSettings, Phase
from lexigraft.core.config.evaluation import EvaluationSettings
from lexigraft.core.data.annotations import Annotations
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import FACTS, write_model
from lexigraft.core.models.extra_files import copy_extra_files
from lexigraft.core.models.loading import load_config, load_model
from lexigraft.core.models.tables import check_tables, tables_of
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import refuse_existing, whole_folder
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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
        tokens_by_text: Those of each text of a mixture; empty without one.
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
    tokens_by_text: Mapping[str, int]
    trainable_parameters: int
    seconds: float
    first_loss: float | None
    last_loss: float | None
    before: Mapping[str, float]
    after: Mapping[str, float]
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values; figures are keys of their own: ``before/NAME``, ``after/NAME``, ``tokens_trained/TEXT``."""
        values = asdict(self)
        before, after, out, by_text = (values.pop(name) for name in ("before", "after", "out", "tokens_by_text"))
        values |= {f"tokens_trained/{name}": tokens for name, tokens in by_text.items()}
        figures = {f"before/{name}": value for name, value in before.items()}
        figures |= {f"after/{name}": value for name, value in after.items()}
        return {**values, **figures, "out": str(out)}


def adapt_model(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    corpus: Corpus,
    settings: AdaptSettings,
    *,
    annotations: Annotations | None = None,
    unseen: Collection[str] = (),
    texts: Mapping[str, Corpus] | None = None,
    new_ids: Sequence[int] | None = None,
    on_step: Callable[[int, PreTrainedModel], Mapping[str, float]] | None = None,
    eval_steps: Collection[int] = (),
    work: Path | None = None,
) -> Adapted:
    """Continue pre-training a loaded model; see :func:`lexigraft.adapters.training.adapt.adapt`.

    The objective leaves ``unseen``, lines that models are measured on, out of the text that it reads itself.
    """
    from lexigraft.adapters.training.adapt import adapt

    objective = objective_for(model.config, settings.objective, settings.objective_options)
    return adapt(
        model,
        vocabulary,
        corpus,
        settings,
        objective=objective,
        data=objective_data(settings, unseen),
        augmentation=augmentation_of(settings, annotations),
        texts=texts,
        new_ids=new_ids,
        on_step=on_step,
        eval_steps=eval_steps,
        work=work,
    )


def refuse_untrainable(model: PreTrainedModel, settings: AdaptSettings) -> None:
    """Refuse settings that a grafted model of this body could not be trained with; the model needs no weights.

    Raises:
        LexigraftError: See :func:`lexigraft.adapters.training.phases.checked_phases`, and :func:`objective_data`.
    """
    from lexigraft.adapters.training.phases import checked_phases

    objective = objective_for(model.config, settings.objective, settings.objective_options)
    checked_phases(model, settings, objective, new_ids=[0])
    objective_data(settings)


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
        corpus: Files of target text; annotated text where augmenters work on anchors.
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
    target = Path(out)
    refuse_existing(target, force)
    if export not in ("merged", "adapter", "both"):
        raise LexigraftError("unknown export", export, "Known: merged, adapter, both")
    settings = settings or AdaptSettings()
    check_augmenters(settings)
    objective_data(settings)
    text = load_corpus(list(corpus))
    annotations = annotations_for([settings], text, list(corpus))
    held = {"heldout": load_corpus(list(heldout))} if heldout else {}
    texts = texts_of(settings, read_further_texts([settings], held.values()))
    config = load_config(model)
    vocabulary = load_vocabulary(model)
    check_post_processor(vocabulary)
    loaded = load_model(model, config=config, allow_missing=allow_missing)
    check_tables(tables_of(loaded), vocabulary, model)
    first = processes().first
    measured = {name: text.lines for name, text in held.items()} if first else {}
    before = measure(loaded, vocabulary, measured, EvaluationSettings()).figures
    say(f"adapting on {len(text):,} lines for {settings.steps:,} steps")
    extended = extend_for(loaded, vocabulary, settings)
    vocabulary, new_ids = extended.vocabulary, _new_rows(model, settings)
    if new_ids is not None:
        new_ids += extended.added.tolist()
    adapted = adapt_model(
        loaded,
        vocabulary,
        text,
        settings,
        annotations=annotations,
        unseen=[line for lines in held.values() for line in lines.lines],
        texts=texts,
        new_ids=new_ids,
        work=work,
    )
    after = measure(adapted.model, vocabulary, measured, EvaluationSettings()).figures
    result = _result(model, settings, adapted, before, after, target)
    if first:
        with whole_folder(target, force) as folder:
            _write(folder, adapted, vocabulary, Path(model).expanduser(), export)
            record = {
                **result.as_json(),
                "settings": settings.model_dump(mode="json"),
                "losses": adapted.losses,
                **adapted.findings,
                "versions": versions(),
            }
            (folder / FACTS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return result


def _result(
    model: str,
    settings: AdaptSettings,
    adapted: Adapted,
    before: Mapping[str, float],
    after: Mapping[str, float],
    out: Path,
) -> AdaptResult:
    """What is told of an adaptation."""
    return AdaptResult(
        model=model,
        steps=settings.steps,
        tokens_trained=adapted.tokens_trained,
        tokens_by_text=adapted.tokens_by_text,
        trainable_parameters=adapted.trainable_parameters,
        seconds=round(adapted.seconds, 2),
        first_loss=adapted.losses[0][1] if adapted.losses else None,
        last_loss=adapted.losses[-1][1] if adapted.losses else None,
        before=before,
        after=after,
        out=out,
    )


def _write(folder: Path, adapted: Adapted, vocabulary: Vocabulary, base: Path, export: str) -> None:
    """Write the merged model with what lies beside the base model's files, the adapter, or both."""
    from lexigraft.adapters.training.export import save_adapter

    if export != "adapter":
        write_model(folder, adapted.model, vocabulary)
        copy_extra_files(base, folder)
    if export == "adapter":
        save_adapter(adapted, folder)
    elif export == "both":
        save_adapter(adapted, folder / "adapter")


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
    """Ids of the new rows, from the graft's provenance; ``None`` unless they train in a way of their own."""
    phases: list[AdaptSettings | Phase] = [settings, *settings.phases]
    rates = [one.learning_rates for one in phases if one.learning_rates is not None]
    apart = any("new_rows" in (one.embeddings, one.head) for one in phases)
    if not apart and all(one.new_rows == one.tables for one in rates):
        return None
    from lexigraft.core.grafting.folder import new_rows

    return new_rows(Path(model))
