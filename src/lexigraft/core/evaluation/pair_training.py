"""Fine-tuning of a copy of a causal or encoder-decoder model on pairs of texts."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scoring import Ids
from lexigraft.core.models.architecture import ModelKind, context_length, model_kind
from lexigraft.core.utils.random_state import global_randomness_kept

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

LEARNING_RATES: dict[ModelKind, float] = {"seq2seq": 3e-4, "causal": 5e-5}
_IGNORED = -100


@dataclass(frozen=True)
class PairTraining:
    """How a model is trained on pairs: AdamW, a rate that rises and then falls linearly, gradients clipped at norm 1.

    Attributes:
        epochs: Passes over the pairs; 0 trains nothing.
        learning_rate: The highest; 3e-4 for encoder-decoder models and 5e-5 for causal ones when not given.
        batch_size: Pairs in a batch.
        warmup_share: Share of the steps in which the rate rises.
    """

    epochs: int = 3
    learning_rate: float | None = None
    batch_size: int = 16
    warmup_share: float = 0.1

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be trained."""
        if self.epochs < 0 or self.batch_size < 1:
            raise ValueError("epochs must not be negative, and batch_size must be at least 1")
        if not 0 <= self.warmup_share <= 1:
            raise ValueError("warmup_share must be from 0 to 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ValueError("learning_rate must be above 0")


class Pair(NamedTuple):
    """What a model reads and what it shall write, as ids with their special tokens."""

    read: Ids
    written: Ids


def longest_text(model: PreTrainedModel, asked: int) -> int:
    """How many tokens of a text fit: a causal model reads and writes in one context, with bos and two ends."""
    context = context_length(model)
    return min(asked, (context - 3) // 2 if model_kind(model.config) == "causal" else context - 1)


def reading(model: PreTrainedModel, vocabulary: Vocabulary, texts: Sequence[str], most: int) -> tuple[list[Ids], int]:
    """What a model reads of a text that is to be answered: ``text eos``, for causal models ``bos text eos``.

    The end token stands between text and answer because every tokenizer can express it.

    Args:
        model: The model.
        vocabulary: Its vocabulary.
        texts: The texts.
        most: Most tokens of a text; it is cut on the right.

    Returns:
        Ids for each text, and how many texts were cut.
    """
    special = vocabulary.specials
    lead = [special["bos"]] if model_kind(model.config) == "causal" and "bos" in special else []
    ids, end = vocabulary.encode(texts), _end(vocabulary)
    return [np.array([*lead, *i[:most], *end], np.int64) for i in ids], sum(len(i) > most for i in ids)


def writing(vocabulary: Vocabulary, texts: Sequence[str], most: int) -> list[Ids]:
    """What a model shall write: ``text eos``; texts of more than ``most`` tokens are cut, and have no end."""
    end = _end(vocabulary)
    return [np.array([*i[:most], *(end if len(i) <= most else [])], np.int64) for i in vocabulary.encode(texts)]


def _end(vocabulary: Vocabulary) -> list[int]:
    special = vocabulary.specials
    end = special.get("eos", special.get("sep"))
    if end is None:
        raise LexigraftError("the tokenizer has no end token", hint="Models that write texts need an eos token")
    return [end]


def train_on_pairs(
    model: PreTrainedModel, pairs: Sequence[Pair], settings: PairTraining, seed: int
) -> tuple[PreTrainedModel, int]:
    """Train a copy of a model, in float32; adapters that it holds are trained with it.

    The loss is on what is written alone.

    Args:
        model: The model; it and all random state are left as they were.
        pairs: What to learn.
        settings: How.
        seed: Decides the order of the pairs, and dropout.

    Returns:
        The trained copy, in evaluation mode, and how many tokens it was trained on, padding not counted.

    Raises:
        LexigraftError: The training diverged.
    """
    import torch

    with global_randomness_kept(), torch.enable_grad():
        torch.manual_seed(seed)
        tuned: Any = copy.deepcopy(model).float().requires_grad_(True).train()
        trained = list(tuned.parameters())
        highest = settings.learning_rate or LEARNING_RATES[model_kind(model.config)]
        optimizer = torch.optim.AdamW(trained, lr=highest, weight_decay=0.0)
        steps = settings.epochs * math.ceil(len(pairs) / settings.batch_size)
        rising = max(1, round(settings.warmup_share * steps))
        step = 0
        for _ in range(settings.epochs):
            order = torch.randperm(len(pairs)).tolist()
            for begin in range(0, len(order), settings.batch_size):
                for group in optimizer.param_groups:
                    group["lr"] = highest * min((step + 1) / rising, (steps - step) / max(1, steps - rising))
                step += 1
                loss = _loss(tuned, [pairs[n] for n in order[begin : begin + settings.batch_size]])
                if not bool(loss.isfinite()):
                    hint = f"Lower learning_rate (now {highest})"
                    raise LexigraftError("fine-tuning diverged", f"step {step} of {steps}", hint)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, 1.0)
                optimizer.step()
    return tuned.eval(), settings.epochs * sum(len(pair.read) + len(pair.written) for pair in pairs)


def _loss(model: Any, batch: Sequence[Pair]) -> Any:
    """The mean loss over the tokens that are written."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    pad = getattr(model.config, "pad_token_id", None) or 0

    def padded(rows: Sequence[Ids], value: int) -> torch.Tensor:
        tensors = [torch.from_numpy(row) for row in rows]
        return pad_sequence(tensors, batch_first=True, padding_value=value).to(model.device)

    if model.config.is_encoder_decoder:
        read, labels = [p.read for p in batch], padded([p.written for p in batch], _IGNORED)
    else:
        read = [np.concatenate(pair) for pair in batch]
        labels = padded([np.concatenate([np.full(len(p.read), _IGNORED), p.written]) for p in batch], _IGNORED)
    mask = padded([np.ones(len(row), np.int64) for row in read], 0)
    inputs = {"input_ids": padded(read, pad), "attention_mask": mask, "use_cache": False}
    if model.config.is_encoder_decoder:
        logits = model(**inputs, labels=labels).logits
    else:
        logits, labels = model(**inputs).logits[:, :-1], labels[:, 1:]
    return cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=_IGNORED)
