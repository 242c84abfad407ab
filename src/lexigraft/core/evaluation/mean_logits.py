"""Mean logit of every token over some text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.scoring import Item
from lexigraft.core.models.evaluation_mode import evaluation_mode

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def mean_logits(model: PreTrainedModel, items: Sequence[Item]) -> npt.NDArray[np.float64]:
    """The mean logit of every token; sequences go through the model one by one, because all logits are needed.

    Args:
        model: The model; it is run in evaluation mode without gradients and left as it was.
        items: Sequences with the positions that count, at least one.

    Returns:
        Means, ``(vocabulary,)``.
    """
    import torch

    total: npt.NDArray[np.float64] = np.zeros(())
    with evaluation_mode(model), torch.no_grad():
        for item in items:
            inputs = {"input_ids": torch.from_numpy(item.inputs)[None].to(model.device)}
            if item.decoder is not None:
                inputs["decoder_input_ids"] = torch.from_numpy(item.decoder)[None].to(model.device)
            logits = model(**inputs, **({"use_cache": False} if item.decoder is not None else {})).logits
            total = (
                total
                + logits[0, torch.from_numpy(item.positions).to(model.device)].float().sum(0).double().cpu().numpy()
            )
    means: npt.NDArray[np.float64] = total / sum(len(item.positions) for item in items)
    return means
