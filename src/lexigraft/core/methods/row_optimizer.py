"""Gradient descent on a few embedding rows."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    import torch

Batch = TypeVar("Batch")
SECONDS_BETWEEN_REPORTS = 5.0


def planned_steps(items: int, batch_size: int, epochs: int, most: int) -> int:
    """How many batches ``epochs`` passes over the items make, at most ``most``."""
    return min(most, epochs * math.ceil(items / batch_size))


def batches(items: Sequence[Batch], size: int, steps: int, generator: torch.Generator) -> Iterator[list[Batch]]:
    """Batches of items, in another order in each epoch.

    Args:
        items: Training items.
        size: Items in a batch; the last one of an epoch may have fewer.
        steps: How many batches to yield.
        generator: Decides the order.
    """
    import torch

    done = 0
    while done < steps and items:
        order = torch.randperm(len(items), generator=generator).tolist()
        for start in range(0, min(len(order), (steps - done) * size), size):
            done += 1
            yield [items[n] for n in order[start : start + size]]


def learn_rows(
    leaves: Sequence[torch.Tensor],
    loss_of: Callable[[list[Batch]], torch.Tensor],
    todo: Iterator[list[Batch]],
    *,
    steps: int,
    warm_up: int,
    learning_rate: float,
    logger: logging.Logger,
    name: str,
) -> None:
    """Train rows in place.

    AdamW without weight decay; the rate rises over ``warm_up`` steps and falls linearly to 0 over the rest.

    Args:
        leaves: Rows that require gradients.
        loss_of: The loss of a batch, a scalar with a gradient.
        todo: The batches.
        steps: How many they are.
        warm_up: Steps until the rate is reached.
        learning_rate: The rate at its highest.
        logger: For progress, every few seconds.
        name: The name of the strategy, for messages.

    Raises:
        LexigraftError: The loss is no longer a number.
    """
    import torch

    optimizer = torch.optim.AdamW(leaves, lr=learning_rate, weight_decay=0.0)
    reported = started = time.monotonic()
    for step, batch in enumerate(todo):
        rate = min((step + 1) / max(warm_up, 1), (steps - step) / max(steps - warm_up, 1))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate
        loss = loss_of(batch)
        if not bool(loss.isfinite()):
            raise LexigraftError(f"{name} diverged", f"step {step + 1}", f"Lower learning_rate (now {learning_rate})")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
            reported = time.monotonic()
            spent = reported - started
            logger.info("%s: step %d of %d, loss %.4g, %.0f s", name, step + 1, steps, loss.item(), spent)
