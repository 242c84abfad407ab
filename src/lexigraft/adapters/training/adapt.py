"""Continued pretraining of a model after a graft."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.learning_rates import rates_of
from lexigraft.adapters.training.lora import plain_name
from lexigraft.adapters.training.model_parts import Parts, parts
from lexigraft.adapters.training.phases import checked_phases
from lexigraft.adapters.training.resume import run_folder, train_phase
from lexigraft.adapters.training.run_settings import Loop, OnStep
from lexigraft.adapters.training.shielding import importance, most_important
from lexigraft.adapters.training.trainable import set_trainable, trainable_parameters
from lexigraft.adapters.training.training_setup import TrainingSetup
from lexigraft.adapters.training.training_text import pack_further, rows_per_batch, tokens_by_text, training_text
from lexigraft.core.config.adaptation import SOURCE, AdaptSettings, Phase
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.document_attention import refuse_mixing
from lexigraft.core.training.objective import BESIDE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.shielding import Columns
    from lexigraft.core.data.corpus import Corpus
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.augmented_text import Augmentation
    from lexigraft.core.training.objective import Objective, ObjectiveData
    from lexigraft.core.training.packing import TrainingText


@dataclass(frozen=True, eq=False)
class Adapted:
    """An adapted model with its LoRA layers, losses, evaluations and counts.

    Attributes:
        model: A plain transformers model with the LoRA layers merged; tied tables are still tied.
        lora: The LoRA layers by PEFT's names, before they were merged; empty without LoRA.
        lora_config: Their PEFT configuration, or ``None``.
        trained: Names of the model's own parameters that trained (tables, bias, layers).
        losses: Training loss in nats by step.
        evaluations: What ``on_step`` returned, by step.
        tokens_trained: Tokens seen, repetitions included.
        tokens_by_text: Those of each text of a mixture; empty without one.
        seconds: Wall time, evaluations included.
        trainable_parameters: The most that trained in one phase, without old rows and shielded columns that stayed.
        findings: What the objective found out beside the model, as plain values by name.
    """

    model: PreTrainedModel
    lora: Mapping[str, torch.Tensor]
    lora_config: Any
    trained: tuple[str, ...]
    losses: tuple[tuple[int, float], ...]
    evaluations: Mapping[int, Mapping[str, float]]
    tokens_trained: int
    tokens_by_text: Mapping[str, int]
    seconds: float
    trainable_parameters: int
    findings: Mapping[str, Any]


def adapt(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    corpus: Corpus,
    settings: AdaptSettings,
    *,
    objective: Objective,
    data: ObjectiveData | None = None,
    augmentation: Augmentation | None = None,
    texts: Mapping[str, Corpus] | None = None,
    new_ids: Sequence[int] | None = None,
    on_step: OnStep | None = None,
    eval_steps: Collection[int] = (),
    work: Path | None = None,
    resume: bool = True,
) -> Adapted:
    """Continue the pretraining of a model on target text.

    The model is trained in place, on a GPU where there is one, and stays there. An interrupted run that is called again
    with the same inputs continues from its last checkpoint and ends with the same weights as one that was never
    interrupted.

    Args:
        model: The grafted model.
        vocabulary: Its vocabulary.
        corpus: Target text.
        settings: What trains, how long, how.
        objective: The training objective.
        data: What it has read besides the corpus.
        augmentation: How the text is augmented, where it is; the vocabulary holds the tokens that this adds.
        texts: The further texts of the settings by name.
        new_ids: Rows of new tokens, for ``new_rows``.
        on_step: Called with the step and the live model in evaluation mode at each of ``eval_steps``; it cannot change
            the run. What it returns is in ``Adapted.evaluations``, also for steps before an interruption.
        eval_steps: Steps to call it at; step 0 is the caller's.
        work: Folder for checkpoints (with ``checkpoint_every``); this run's own are deleted when it ends.
        resume: Whether to continue from checkpoints found there.

    Returns:
        The merged model with its losses, evaluations and counts.

    Raises:
        LexigraftError: The objective does not suit the model, the settings ask for what it cannot do, or the corpus
            does not fill one sequence.
    """
    started = time.perf_counter()
    phases = checked_phases(model, settings, objective, new_ids)
    if settings.documents == "reset":
        refuse_mixing(model, settings.sequence_length)
    model_parts = parts(model)
    kind, texts = model_kind(model.config), texts or {}
    objective = objective.prepared(data, vocabulary, model.config, settings.sequence_length)
    packed = training_text(vocabulary, corpus, settings, objective, kind=kind, augmentation=augmentation, texts=texts)
    columns: dict[str, Columns] = {}
    if any(phase.shielded_share for phase in phases):
        source = pack_further(SOURCE, vocabulary, texts[SOURCE], settings, kind)
        columns = importance(model, model_parts, objective, vocabulary, source, settings.seed)
    run = None
    if work is not None and settings.checkpoint_every:
        inputs = _inputs_key(vocabulary, corpus, new_ids, augmentation, data, texts)
        run = run_folder(work, "adapt", [*_settings_key(settings, objective), *inputs], model)
        if not resume:
            shutil.rmtree(run, ignore_errors=True)
    setup = TrainingSetup(model, vocabulary, settings, phases, objective)
    loop = _loop(settings, model_parts)
    training = _PhasedTraining(model, vocabulary, objective, packed, model_parts, columns, new_ids, settings)
    evaluate = None if on_step is None else partial(_evaluate_folded, objective, on_step)
    for number, phase in enumerate(phases):
        folder = run / f"phase-{number}" if run is not None else None
        training.train(phase, loop, evaluate, eval_steps, folder, keep=number < len(phases) - 1)
    losses = training.losses
    restored = setup.restore()
    if run is not None:
        shutil.rmtree(run, ignore_errors=True)
    return Adapted(
        model=model,
        lora=restored.lora,
        lora_config=restored.lora_config,
        trained=tuple(sorted(training.trained | restored.folded)),
        losses=tuple(losses),
        evaluations=training.evaluations,
        tokens_trained=len(losses) * loop.rows_per_batch * settings.sequence_length,
        tokens_by_text=tokens_by_text(packed, len(losses) * loop.rows_per_batch, settings.sequence_length),
        seconds=time.perf_counter() - started,
        trainable_parameters=training.most_trainable,
        findings=restored.findings,
    )


@dataclass(eq=False)
class _PhasedTraining:
    """Training of a model, phase by phase, and what came of it so far."""

    model: PreTrainedModel
    vocabulary: Vocabulary
    objective: Objective
    packed: TrainingText
    parts: Parts
    columns: Mapping[str, Columns]
    new_ids: Sequence[int] | None
    settings: AdaptSettings
    losses: list[tuple[int, float]] = field(default_factory=list)
    evaluations: dict[int, dict[str, float]] = field(default_factory=dict)
    trained: set[str] = field(default_factory=set)
    most_trainable: int = 0
    steps: int = 0

    def train(
        self,
        phase: Phase,
        loop: Loop,
        on_step: OnStep | None,
        eval_steps: Collection[int],
        folder: Path | None,
        *,
        keep: bool,
    ) -> None:
        """Train what a phase trains, for as long as it lasts."""
        model, new_ids = self.model, self.new_ids
        held = most_important(self.columns, phase.shielded_share) if phase.shielded_share else {}
        release = set_trainable(model, self.parts, phase, new_ids, held)
        names = {n for n, p in model.named_parameters() if p.requires_grad}
        self.trained |= {plain_name(n) for n in names if ".lora_" not in n and not n.startswith(f"{BESIDE}.")}
        trainable = trainable_parameters(model, self.parts, phase, new_ids, held)
        self.most_trainable = max(self.most_trainable, trainable)
        rates = rates_of(model, self.parts, phase.learning_rates or self.settings.learning_rates, new_ids)
        history = train_phase(
            model,
            self.objective,
            self.vocabulary,
            self.packed,
            replace(loop, steps=phase.steps, first_step=self.steps, rates=rates, held_columns=held),
            on_step=on_step,
            eval_steps=eval_steps,
            folder=folder,
            keep=keep,
        )
        self.losses += history.losses
        self.evaluations |= history.evaluations
        self.steps += phase.steps
        release()


def _inputs_key(
    vocabulary: Vocabulary,
    corpus: Corpus,
    new_ids: Sequence[int] | None,
    augmentation: Augmentation | None,
    data: ObjectiveData | None,
    texts: Mapping[str, Corpus],
) -> list[str]:
    """What decides a run besides its model and settings, as text."""
    content = [vocabulary.hash, corpus.hash, str(list(new_ids) if new_ids is not None else None)]
    content += augmentation.key() if augmentation is not None else []
    content += [data.hash] if data is not None else []
    return content + [f"{name} {text.hash}" for name, text in sorted(texts.items())]


def _settings_key(settings: AdaptSettings, objective: Objective) -> list[str]:
    """What decides a run besides its model and texts, as text."""
    parameters = json.dumps(objective.parameters(), sort_keys=True)
    return [settings.model_dump_json(exclude={"texts"}), objective.name, parameters]


def _loop(settings: AdaptSettings, model_parts: Parts) -> Loop:
    """What the phases have in common."""
    tables = model_parts.embeddings | model_parts.output | model_parts.bias
    return Loop(
        steps=settings.steps,
        rows_per_batch=rows_per_batch(settings),
        learning_rate=settings.learning_rate,
        warmup_share=settings.warmup_share,
        schedule=settings.schedule,
        weight_decay=settings.weight_decay,
        precision=settings.precision,
        checkpoint_every=settings.checkpoint_every,
        seed=settings.seed,
        table_names=tables | {name.replace(".weight", ".base_layer.weight") for name in tables},
    )


def _evaluate_folded(
    objective: Objective, on_step: OnStep, step: int, model: PreTrainedModel
) -> Mapping[str, float] | None:
    """Evaluate the model as it would be written, without what trains beside it."""
    from lexigraft.adapters.training.trained_weights import write_trained

    former = objective.fold(model)
    try:
        return on_step(step, model)
    finally:
        write_trained(model, former)
