"""Training of a head on a model, on frozen states, with LoRA layers or with the whole body."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.heads.linear_probe import fit_probe
from lexigraft.core.evaluation.heads.trained_head import Example, Head, HeadOnBody, Logits
from lexigraft.core.evaluation.model_body import LAST, body_of, plain_copy, refuse_layer
from lexigraft.core.utils.random_state import global_randomness_kept

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

How = Literal["probe", "lora", "full"]
LEARNING_RATES = {"full": 5e-5, "lora": 5e-4}
_WINDOW = 50
"""Batches whose sequences are sorted by length together."""


@dataclass(frozen=True)
class FineTuning:
    """What is trained, and how.

    Attributes:
        how: ``probe``: the head alone, on states of the frozen model that are computed once. ``lora``: the head and
            LoRA layers on every linear layer of the body. ``full``: the head and the whole body.
        epochs: Passes over the training items (without ``probe``).
        learning_rate: AdamW's highest; 5e-5 for ``full`` and 5e-4 for ``lora`` when not given.
        batch_size: Sequences in a batch.
        layer: The layer whose states are read; -1 is the last one.
        warmup_share: Share of the steps in which the rate rises; it falls linearly over the others.
        weight_decay: AdamW's.
        lora_rank: Rank of the LoRA layers; their scale is 2.
        penalty: The probe's L2 penalty (scikit-learn's 1/C); where there are dev items, the best of five penalties
            from a hundredth to a hundred times of it.
    """

    how: How = "full"
    epochs: int = 10
    learning_rate: float | None = None
    batch_size: int = 16
    layer: int = LAST
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    lora_rank: int = 8
    penalty: float = 10.0

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be trained."""
        if min(self.epochs, self.batch_size, self.lora_rank) < 1:
            raise ValueError("epochs, batch_size and lora_rank must be at least 1")
        if not (self.penalty > 0 and 0 <= self.warmup_share <= 1 and self.weight_decay >= 0):
            raise ValueError("penalty must be above 0, warmup_share from 0 to 1, weight_decay not negative")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ValueError("learning_rate must be above 0")
        if self.layer < LAST:
            raise ValueError("layer must be -1 (the last one) or the number of a layer")


def fine_tune(
    model: PreTrainedModel,
    head: Head,
    settings: FineTuning,
    train: Sequence[Example],
    seed: int,
    dev: Sequence[Example] = (),
    score: Callable[[list[Logits]], float] | None = None,
) -> HeadOnBody:
    """Train a head for a model, and the body with it where the settings say so.

    The body is trained in a copy, in which the adapters that the model may hold are merged: the model and all random
    state are left as they were. The whole body trains in float32, and so do LoRA layers. Batches hold sequences of
    similar length.

    A probe is scikit-learn's logistic regression on standardized states. Its loss is convex: it has one best solution,
    whatever the order of the items or the seed, and no learning rate that suits one model better than another.

    Args:
        model: The model, which may be in the middle of its own training.
        head: What the head reads and gives.
        settings: What is trained, and how.
        train: Training examples.
        seed: Decides the head's start, the order of the items, and dropout.
        dev: Examples that choose the epoch (or the probe's penalty) that is kept.
        score: How good the logits of ``dev`` are; higher is better.

    Raises:
        LexigraftError: A layer that the model does not have, a body that cannot be trained so, or a diverged training.
    """
    refuse_layer(model, settings.layer)
    tokens = sum(len(example.ids) for example in train)
    if settings.how == "probe":
        linear = fit_probe(model, head, settings.layer, settings.penalty, train, dev, score)
        return HeadOnBody(model, body_of(model), settings.layer, head, linear, tokens)
    import torch

    with global_randomness_kept(), torch.enable_grad():
        torch.manual_seed(seed)
        body = plain_copy(model)
        if settings.how == "lora":
            _add_lora(body, settings.lora_rank)
        else:
            body.float().requires_grad_(True)
        generator = torch.Generator().manual_seed(seed)
        linear = _new_layer(model, head.outputs, generator)
        tuned = HeadOnBody(model, body, settings.layer, head, linear, tokens * settings.epochs)
        _train(tuned, settings, train, generator, dev, score)
    return tuned


def _new_layer(model: PreTrainedModel, outputs: int, generator: torch.Generator) -> torch.nn.Linear:
    import torch

    hidden = int(model.config.get_text_config().hidden_size)
    linear = torch.nn.utils.skip_init(torch.nn.Linear, hidden, outputs)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(outputs, hidden, generator=generator) * 0.02)
        linear.bias.zero_()
    return linear.to(model.device)


def _add_lora(body: Any, rank: int) -> None:
    """Put LoRA layers on every linear layer of a body; they alone require gradients."""
    import torch
    from peft import LoraConfig, inject_adapter_in_model
    from transformers.pytorch_utils import Conv1D

    kinds = {name: type(m) for name, m in body.named_modules() if isinstance(m, torch.nn.Linear | Conv1D)}
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=list(kinds),
        fan_in_fan_out=Conv1D in kinds.values(),
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            inject_adapter_in_model(config, body)
    except ValueError as error:
        raise LexigraftError(
            "LoRA cannot train this body", type(body).__name__, f"Use full or probe; {error}"
        ) from None
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(".lora_" in name)
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _train(
    tuned: HeadOnBody,
    settings: FineTuning,
    train: Sequence[Example],
    generator: torch.Generator,
    dev: Sequence[Example],
    score: Callable[[list[Logits]], float] | None,
) -> None:
    import torch

    trained = [*(p for p in tuned.body.parameters() if p.requires_grad), *tuned.linear.parameters()]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    highest = settings.learning_rate or LEARNING_RATES[settings.how]
    optimizer = torch.optim.AdamW(groups, lr=highest)
    steps = settings.epochs * math.ceil(len(train) / settings.batch_size)
    rising = max(1, round(settings.warmup_share * steps))
    best, kept, step = -math.inf, None, 0
    for _ in range(settings.epochs):
        tuned.body.train()
        for chosen in _shuffled([len(e.ids) for e in train], settings.batch_size, generator):
            rate = min((step + 1) / rising, (steps - step) / max(1, steps - rising))
            for group in optimizer.param_groups:
                group["lr"] = highest * rate
            step += 1
            loss = tuned.loss([train[n] for n in chosen])
            if not bool(loss.isfinite()):
                hint = f"Lower learning_rate (now {highest}), or use how=probe"
                raise LexigraftError("fine-tuning diverged", f"step {step} of {steps}", hint)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
        if dev and score is not None and (reached := score(tuned.logits(dev))) > best:
            best, kept = reached, [p.detach().clone() for p in trained]
    if kept is not None:
        for parameter, values in zip(trained, kept, strict=True):
            parameter.data.copy_(values)
    tuned.body.eval()


def _shuffled(lengths: Sequence[int], size: int, generator: torch.Generator) -> Iterator[list[int]]:
    """Indices in batches of similar length, in another order each time."""
    import torch

    order = torch.randperm(len(lengths), generator=generator).tolist()
    batches = []
    for start in range(0, len(order), _WINDOW * size):
        window = sorted(order[start : start + _WINDOW * size], key=lambda n: -lengths[n])
        batches += [window[n : n + size] for n in range(0, len(window), size)]
    for n in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[n]
