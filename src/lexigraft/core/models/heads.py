"""A model's head on chosen positions only: the same logits as the full forward, without computing the rest."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_LOG = logging.getLogger("lexigraft")
_SEPARABLE: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
_PROBE_LENGTH = 8


def hidden_states(
    model: PreTrainedModel, replaced: Mapping[str, torch.Tensor] | None = None, /, **inputs: torch.Tensor
) -> torch.Tensor:
    """The body's last hidden states, ``(batch, length, hidden)``.

    Args:
        model: The model.
        replaced: Tensors to compute with instead of the body's parameters of these names.
        **inputs: What the body reads.

    Returns:
        The states.
    """
    from torch.func import functional_call

    body = model.base_model
    uncached = {"use_cache": False} if "use_cache" in inspect.signature(body.forward).parameters else {}
    given = {**inputs, **uncached}
    states: torch.Tensor = (functional_call(body, dict(replaced), kwargs=given) if replaced else body(**given))[0]
    return states


def head_logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """The logits of given hidden states, through everything the model does after its body.

    The model's own forward runs with its body stood in for by the given states, so that head transforms, biases,
    scales and soft caps are those of the model, whatever they are.

    Args:
        model: A masked or causal model that :func:`separable` accepts.
        hidden: Body outputs, ``(positions, hidden)``.

    Returns:
        Logits, ``(positions, vocabulary)``.
    """
    import torch
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

    answer = BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden.unsqueeze(0))
    with standing_in(model.base_model, lambda *args, **kwargs: answer):
        ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
        logits: torch.Tensor = model(input_ids=ids).logits
    # Unlike an index, whose gradient is a copy as large as the logits.
    return logits.squeeze(0)


def separable(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    """Whether :func:`head_logits` gives this model's own logits; checked once for each model, on a few tokens.

    Args:
        model: The model.
        ids: Any valid token ids, ``(batch, length)``.

    Returns:
        Whether the logits agree.
    """
    if model not in _SEPARABLE:
        _SEPARABLE[model] = model.base_model is not model and _agrees(model, ids[:1, :_PROBE_LENGTH])
        if not _SEPARABLE[model]:
            _LOG.info("%s: the head cannot run alone, the full logits are computed", type(model).__name__)
    return _SEPARABLE[model]


def _agrees(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    import torch

    training = [m for m in model.modules() if m.training]
    model.eval()
    try:
        with torch.no_grad():
            # Some positions, in another order: a head that mixes positions shows itself.
            some = torch.arange(ids.shape[1] - 1, -1, -2, device=ids.device)
            whole = model(input_ids=ids).logits[0, some].float()
            alone = head_logits(model, hidden_states(model, input_ids=ids)[0, some]).float()
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False
    finally:
        for module in training:
            module.training = True
    exact = model.dtype == torch.float32 and not torch.is_autocast_enabled(ids.device.type)
    tolerance = (1e-4 if exact else 5e-2) * max(1.0, whole.abs().max().item())
    return whole.shape == alone.shape and (whole - alone).abs().max().item() <= tolerance


@contextlib.contextmanager
def standing_in(module: Any, forward: Callable[..., Any]) -> Iterator[None]:
    """For a while a module's forward pass is another; hooks around it stay."""
    own = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
