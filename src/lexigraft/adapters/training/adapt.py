"""Continued pretraining of a model after a graft."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.learning_rates import rates_of
from lexigraft.adapters.training.loop import uses_bfloat16
from lexigraft.adapters.training.peft_calls import merged
from lexigraft.adapters.training.quantization import Quantized, refuse_unquantizable
from lexigraft.adapters.training.resume import run_folder, train_phase
from lexigraft.adapters.training.run_settings import Loop, OnStep
from lexigraft.adapters.training.shielding import importance, most_important
from lexigraft.adapters.training.trainable import (
    Parts,
    add_lora,
    lora_targets,
    parts,
    plain_name,
    refuse_impossible,
    set_trainable,
    train_shared_padding_row,
)
from lexigraft.adapters.training.training_text import pack_further, rows_per_batch, tokens_by_text, training_text
from lexigraft.core.config.adaptation import SOURCE, AdaptSettings, Phase
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind, refuse_long_sequences
from lexigraft.core.models.document_attention import refuse_mixing
from lexigraft.core.training.objective import BESIDE, refuse_unsuitable, refuse_without_mask
from lexigraft.core.utils.distributed import processes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.shielding import Columns
    from lexigraft.core.data.corpus import Corpus
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.augmented_text import Augmentation
    from lexigraft.core.training.objective import Objective, ObjectiveData


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
    import torch

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
        key_parts = [
            settings.model_dump_json(exclude={"texts"}),
            objective.name,
            json.dumps(objective.parameters(), sort_keys=True),
        ]
        key_parts += [vocabulary.hash, corpus.hash, str(list(new_ids) if new_ids is not None else None)]
        key_parts += augmentation.key() if augmentation is not None else []
        key_parts += [data.hash] if data is not None else []
        key_parts += [f"{name} {text.hash}" for name, text in sorted(texts.items())]
        run = run_folder(work, "adapt", key_parts, model)
    if run is not None and not resume:
        shutil.rmtree(run, ignore_errors=True)
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    train_shared_padding_row(model, vocabulary)
    quantized = None
    if phases and settings.quantization == "4bit":
        compute_dtype = torch.bfloat16 if uses_bfloat16(settings.precision) else torch.float32
        quantized = Quantized(model, lora_targets(model, settings, phases), compute_dtype)
    peft_model = add_lora(model, settings, phases)
    _raise_precision(model, uses_bfloat16(settings.precision))
    if (beside := objective.beside(model.config)) is not None:
        model.add_module(BESIDE, beside)
    restore_cache = _checkpoint_gradients(model) if settings.gradient_checkpointing else None

    loop = Loop(
        steps=settings.steps,
        rows_per_batch=rows_per_batch(settings),
        learning_rate=settings.learning_rate,
        warmup_share=settings.warmup_share,
        schedule=settings.schedule,
        weight_decay=settings.weight_decay,
        precision=settings.precision,
        checkpoint_every=settings.checkpoint_every,
        seed=settings.seed,
    )
    losses: list[tuple[int, float]] = []
    evaluations: dict[int, dict[str, float]] = {}
    trained: set[str] = set()
    most_trainable = first_step = 0
    for number, phase in enumerate(phases):
        held = most_important(columns, phase.shielded_share) if phase.shielded_share else {}
        release = set_trainable(model, model_parts, phase, new_ids, held)
        names = {n for n, p in model.named_parameters() if p.requires_grad}
        trained |= {plain_name(n) for n in names if ".lora_" not in n}
        most_trainable = max(most_trainable, _count(model, model_parts, phase, new_ids, held))
        history = train_phase(
            model,
            objective,
            vocabulary,
            packed,
            replace(
                loop,
                steps=phase.steps,
                first_step=first_step,
                table_names=_tables(model_parts),
                rates=rates_of(model, model_parts, phase.learning_rates or settings.learning_rates, new_ids),
                held_columns=held,
            ),
            on_step=None if on_step is None else partial(_evaluate_folded, objective, on_step),
            eval_steps=eval_steps,
            folder=run / f"phase-{number}" if run is not None else None,
            keep=number < len(phases) - 1,
        )
        losses += history.losses
        evaluations |= history.evaluations
        release()
        first_step += phase.steps
    if restore_cache is not None:
        restore_cache()
    if quantized is not None:
        peft_model = quantized.restore(peft_model)
    lora, config = _merge(peft_model)
    trained |= objective.fold(model).keys()
    findings = objective.findings(model)
    if beside is not None:
        delattr(model, BESIDE)
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(dtypes[name])
        parameter.requires_grad_(True)
    model.eval()
    if run is not None:
        shutil.rmtree(run, ignore_errors=True)
    return Adapted(
        model=model,
        lora=lora,
        lora_config=config,
        trained=tuple(sorted(trained & dtypes.keys())),
        losses=tuple(losses),
        evaluations=evaluations,
        tokens_trained=len(losses) * loop.rows_per_batch * settings.sequence_length,
        tokens_by_text=tokens_by_text(packed, len(losses) * loop.rows_per_batch, settings.sequence_length),
        seconds=time.perf_counter() - started,
        trainable_parameters=most_trainable,
        findings=findings,
    )


def checked_phases(
    model: PreTrainedModel, settings: AdaptSettings, objective: Objective, new_ids: Sequence[int] | None
) -> list[Phase]:
    """What trains when, after everything that a model without weights can tell about it.

    Args:
        model: The plain model, which may be on the meta device.
        settings: What trains, for how long.
        objective: The training objective.
        new_ids: Rows of new tokens, for ``new_rows``.

    Raises:
        LexigraftError: The objective does not suit the model, or the settings ask for what it cannot do.
    """
    refuse_unsuitable(objective, model.config)
    if objective.packs and (settings.augment or settings.documents != "separated" or settings.used_texts):
        hint = "Leave out adaptation.augment, adaptation.documents and adaptation.mixture, and shield no body"
        raise LexigraftError("objective lays out the training text itself", objective.name, hint)
    if settings.augment or settings.documents == "reset":
        refuse_without_mask(objective)
    if settings.documents == "reset" and not objective.resets:
        hint = "Leave adaptation.documents at 'separated'"
        raise LexigraftError("objective cannot keep documents apart", objective.name, hint)
    phases = settings.phases or (
        [Phase(steps=settings.steps, embeddings=settings.embeddings, head=settings.head, body=settings.body)]
        if settings.steps
        else []
    )
    refuse_impossible(model, phases, new_ids)
    refuse_long_sequences(model, settings.sequence_length)
    if new_ids is None and _rates_by_row(phases, settings):
        raise LexigraftError("new rows have a rate of their own, but none is known", hint="Say which rows are new")
    _refuse_sharded(phases, settings)
    targets = lora_targets(model, settings, phases)
    if phases and settings.quantization == "4bit":
        refuse_unquantizable(model, targets, phases)
    return phases


def _rates_by_row(phases: Sequence[Phase], settings: AdaptSettings) -> bool:
    rates = [phase.learning_rates or settings.learning_rates for phase in phases]
    return any(one.new_rows != one.tables for one in rates)


def _refuse_sharded(phases: Sequence[Phase], settings: AdaptSettings) -> None:
    sharding = processes().sharding
    by_rows = any("new_rows" in (phase.embeddings, phase.head) for phase in phases)
    shielded = any(phase.shielded_share for phase in phases)
    if sharding and (by_rows or shielded or _rates_by_row(phases, settings)):
        raise LexigraftError(
            "rows or columns cannot train by themselves where weights are in shards",
            sharding,
            "Use 'full' with one rate for tables and new_rows, or plain processes",
        )


def _tables(model_parts: Parts) -> frozenset[str]:
    names = model_parts.embeddings | model_parts.output | model_parts.bias
    return names | {n.replace(".weight", ".base_layer.weight") for n in names}


def _count(
    model: PreTrainedModel,
    model_parts: Parts,
    phase: Phase,
    new_ids: Sequence[int] | None,
    held: Mapping[str, Columns],
) -> int:
    rows = len(set(new_ids or ()))
    total = 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        plain = plain_name(name)
        mode = phase.embeddings if plain in model_parts.embeddings else phase.head
        by_rows = mode == "new_rows" and plain in model_parts.embeddings | model_parts.output | model_parts.bias
        total += parameter.numel() * rows // len(parameter) if by_rows else parameter.numel()
        if plain in held:
            axis, columns = held[plain].axis, held[plain].values
            total -= parameter.numel() // parameter.shape[axis] * len(columns)
    return total


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


def _raise_precision(model: PreTrainedModel, bfloat16: bool) -> None:
    """Cast weights to float32 for training; under bfloat16 autocast the body's own weights keep their dtype."""
    import torch

    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point():
            continue
        if not bfloat16 or ".lora_" in name or parameter.dtype == torch.float16:
            parameter.data = parameter.data.float()
    if bfloat16:
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            for parameter in table.parameters():
                parameter.data = parameter.data.float()


def _checkpoint_gradients(model: PreTrainedModel) -> Any:
    cached = getattr(model.config, "use_cache", None)
    # Newer transformers renamed these and warn about the old names.
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    disable = getattr(model, "activation_checkpointing_disable", model.gradient_checkpointing_disable)
    enable()
    model.enable_input_require_grads()

    def restore() -> None:
        disable()
        model.disable_input_require_grads()
        if cached is not None:
            model.config.use_cache = cached

    return restore


def _merge(peft_model: Any) -> tuple[dict[str, Any], Any]:
    """Merge the LoRA layers into the model's weights and remove them; returns their state and configuration."""
    if peft_model is None:
        return {}, None
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(peft_model, save_embedding_layers=False)
    lora = {name: value.detach().cpu().clone() for name, value in state.items() if "lora_" in name}
    config = peft_model.peft_config["default"]
    model = merged(peft_model)
    for attribute in ("peft_config", "_hf_peft_config_loaded"):
        if attribute in vars(model):
            delattr(model, attribute)
    return lora, config
