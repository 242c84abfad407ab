"""Pre-training of a model from scratch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.loop import train
from lexigraft.adapters.training.model_parts import parts
from lexigraft.adapters.training.resume import run_folder
from lexigraft.adapters.training.run_settings import Loop, OnStep
from lexigraft.adapters.training.trainable import train_shared_padding_row
from lexigraft.core.config.model_presets import MODEL_PRESETS
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.bounds import refuse_endless
from lexigraft.core.training.objective import refuse_unsuitable
from lexigraft.core.training.packing import PackedText, pack
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.config.recipe import PretrainSettings
    from lexigraft.core.data.corpus import Corpus
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective

_LEAST_POSITIONS = 512
_NUMBERED_BY_PAD = ("roberta", "xlm-roberta", "camembert")


def pretrain(
    corpus: Corpus,
    vocabulary: Vocabulary,
    settings: PretrainSettings,
    *,
    objective: Objective,
    config: PreTrainedConfig | None = None,
    work: Path | None = None,
    on_step: OnStep | None = None,
    eval_steps: Collection[int] = (),
) -> PreTrainedModel:
    """Train a model from scratch; the same inputs give the same model, interrupted or not.

    Args:
        corpus: The text.
        vocabulary: The vocabulary; the model's tables get exactly ``vocabulary.size`` rows.
        settings: Model shape, steps, rates.
        objective: The training objective.
        config: A configuration to use in place of ``settings.preset``.
        work: Folder for checkpoints (with ``checkpoint_every``); this run's own are deleted when it ends.
        on_step: Called with the step and the live model at each of ``eval_steps``; it cannot change the run.
        eval_steps: Steps to call it at.

    Returns:
        The model, in evaluation mode.

    Raises:
        LexigraftError: No such preset or configuration file, an unsuitable objective, or too small a corpus.
    """
    shape = fitted(
        config if config is not None else configuration(settings.preset), vocabulary, settings.sequence_length
    )
    refuse_unsuitable(objective, shape)
    kind = model_kind(shape)
    packed = pack(vocabulary, corpus.lines, settings.sequence_length, kind=kind)
    model = build(shape, settings.seed)
    if settings.unigram_bias and kind == "masked":
        start_at_unigrams(model, packed, vocabulary)
    train_shared_padding_row(model, vocabulary)
    model_parts = parts(model)
    run = None
    if work is not None and settings.checkpoint_every:
        key_parts = [settings.model_dump_json(), objective.name, json.dumps(objective.parameters(), sort_keys=True)]
        key_parts += [shape.to_json_string(use_diff=False), vocabulary.hash, corpus.hash]
        run = run_folder(work, "pretrain", key_parts, model)
    loop = Loop(
        steps=settings.steps,
        rows_per_batch=max(1, settings.batch_tokens // settings.sequence_length),
        learning_rate=settings.learning_rate,
        warmup_share=settings.warmup_share,
        schedule="linear",
        weight_decay=settings.weight_decay,
        precision=settings.precision,
        checkpoint_every=settings.checkpoint_every,
        seed=settings.seed,
        table_names=model_parts.embeddings | model_parts.output | model_parts.bias,
    )
    train(model, objective, vocabulary, packed, loop, on_step=on_step, eval_steps=eval_steps, work=run)
    if run is not None:
        shutil.rmtree(run, ignore_errors=True)
    return model.eval()


def fitted(config: PreTrainedConfig, vocabulary: Vocabulary, sequence_length: int) -> PreTrainedConfig:
    """A copy of a configuration with the vocabulary's size and special ids, and enough positions for the sequences.

    Args:
        config: The configuration.
        vocabulary: The vocabulary.
        sequence_length: The longest training sequence.

    Returns:
        The configuration to build the model from.

    Raises:
        LexigraftError: A RoBERTa-like model, whose positions start after the pad id, with a tokenizer without one.
    """
    from transformers import AutoConfig

    values: dict[str, Any] = config.to_dict()
    kind = values.pop("model_type")
    special = vocabulary.specials
    values["vocab_size"] = vocabulary.size
    values.pop("architectures", None)
    for role in ("bos", "eos", "pad"):
        substitute = {"bos": "cls", "eos": "sep"}.get(role, role)
        values[f"{role}_token_id"] = special.get(role, special.get(substitute))
    if values.get("is_encoder_decoder"):
        values["decoder_start_token_id"] = special.get("pad", 0)
    if "max_position_embeddings" in values:
        positions = max(_LEAST_POSITIONS, sequence_length)
        if kind in _NUMBERED_BY_PAD:
            if "pad" not in special:
                raise LexigraftError(
                    "the tokenizer has no pad token", hint=f"{kind} numbers its positions by it; add one"
                )
            positions += special["pad"] + 1
        values["max_position_embeddings"] = max(positions, values["max_position_embeddings"] or 0)
    return AutoConfig.for_model(kind, **values)


def build(config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    """A model with seeded random weights; the global random state is left as it was."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    makers = {"masked": AutoModelForMaskedLM, "causal": AutoModelForCausalLM, "seq2seq": AutoModelForSeq2SeqLM}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = makers[model_kind(config)].from_config(config)
    model.config.architectures = [type(model).__name__]
    return model.float()


def start_at_unigrams(model: PreTrainedModel, packed: PackedText, vocabulary: Vocabulary) -> None:
    """Start the head's bias at the log frequencies of the tokens, one added to every count; special tokens count 0.

    A small masked model otherwise spends its first millions of tokens on learning them.
    """
    import numpy as np
    import torch

    bias = model.get_output_embeddings().bias
    if bias is None:
        return
    counts = np.bincount(packed.rows.ravel(), minlength=len(bias)).astype(np.float64)
    counts[list(vocabulary.special_ids)] = 0
    counts += 1
    with torch.no_grad():
        bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def configuration(preset: str) -> PreTrainedConfig:
    """The model configuration of a preset's name, a ``config.json`` or its folder.

    Raises:
        LexigraftError: No such preset or file, or a file that holds no model configuration.
    """
    from transformers import AutoConfig

    if preset in MODEL_PRESETS:
        return AutoConfig.for_model(**MODEL_PRESETS[preset])
    path = Path(preset)
    path = path / "config.json" if path.is_dir() else path
    if not path.is_file():
        if path.suffix or "/" in preset:
            raise LexigraftError(
                "no such configuration file", preset, "Give a config.json, its folder, or a preset's name"
            )
        raise UnknownName("preset", preset, MODEL_PRESETS)
    refuse_pointers([path])
    refuse_endless(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return AutoConfig.for_model(values.pop("model_type"), **values)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise LexigraftError("this is no model configuration", preset, str(error)) from None
