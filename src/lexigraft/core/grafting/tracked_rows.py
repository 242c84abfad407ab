"""Rows of some tokens followed through adaptation: their norms and nearest rows before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.pipeline import Grafted
from lexigraft.core.linalg.nearest import nearest
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.utils.files import replacing
from lexigraft.core.utils.memory import default_memory_budget

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NEIGHBORS = "neighbors.parquet"
NEAREST = 5
"""Nearest rows of each token."""
PLACES = 300
"""Places in the order of frequency, of which about 200 differ in a vocabulary of some thousand tokens."""


class Neighborhoods(NamedTuple):
    """Where some tokens' rows lie in the input table.

    Attributes:
        norms: Length of each row, float32, ``(tokens,)``.
        ids: The rows of highest cosine, nearest first, without the token's own, int64, ``(tokens, k)``.
        cosines: Their cosines, float32, ``(tokens, k)``.
    """

    norms: torch.Tensor
    ids: torch.Tensor
    cosines: torch.Tensor


class TrackedRows:
    """Rows of some new tokens before adaptation, to be written with what they have become.

    Args:
        grafted: The grafted model, before it is trained.
        counts: How often each target token occurs in the training text.
    """

    def __init__(self, grafted: Grafted, counts: npt.NDArray[np.int64]) -> None:
        self._vocabulary = grafted.vocabulary
        self._ids = sampled_tokens(grafted.alignment.new, counts)
        self._before = neighborhoods(grafted.model, self._ids, self._vocabulary.size)

    def write(self, folder: Path, model: PreTrainedModel) -> None:
        """Write ``neighbors.parquet``, unless the graft has no new tokens.

        Columns: ``target_id``, ``token``, and before and after adaptation ``norm_*``, ``neighbors_*`` (tokens, nearest
        first) and ``cosines_*``.

        Args:
            folder: Where to.
            model: The adapted model, with everything that trained beside it merged into it.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not len(self._ids):
            return
        tokens = self._vocabulary.tokens
        columns = {"target_id": pa.array(self._ids), "token": [tokens[i] for i in self._ids.tolist()]}
        after = neighborhoods(model, self._ids, self._vocabulary.size)
        for name, found in (("before", self._before), ("after", after)):
            columns[f"norm_{name}"] = pa.array(found.norms.numpy())
            columns[f"neighbors_{name}"] = [[tokens[i] for i in ids] for ids in found.ids.tolist()]
            columns[f"cosines_{name}"] = pa.array(list(found.cosines.numpy()))
        with replacing(folder / NEIGHBORS) as temporary:
            pq.write_table(pa.table(columns), temporary)


def sampled_tokens(ids: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Tokens at evenly spaced places of the logarithm of the rank by frequency: all the first, few of the rare.

    They depend on the vocabularies and the training text alone, so that they are the same for strategies and seeds.

    Args:
        ids: Token ids to choose from.
        counts: How often each target token occurs in the training text.

    Returns:
        The chosen ids, most frequent first.
    """
    if not len(ids):
        return ids
    order = ids[np.argsort(-counts[ids], kind="stable")]
    places = np.unique(np.geomspace(1, len(order), PLACES).round().astype(np.int64)) - 1
    return order[places]


def neighborhoods(model: PreTrainedModel, ids: npt.NDArray[np.int64], size: int) -> Neighborhoods:
    """Norms and nearest rows in a model's input table.

    Args:
        model: The model.
        ids: The tokens.
        size: Rows that are tokens; those behind them are padding or tokens of augmentation, and no neighbors.
    """
    import torch

    table = tables_of(model).by_role[Role.INPUT][:size].detach().float().cpu()
    wanted = torch.from_numpy(ids)
    rows, k = table[wanted], min(NEAREST, size - 1)
    cosines, found = nearest(rows, table, k + 1, default_memory_budget())
    others = found != wanted[:, None]
    # Where many rows are equal, the row itself may not be among the first: the last is dropped in its stead.
    others[:, -1] &= ~others.all(1)
    return Neighborhoods(rows.norm(dim=1), found[others].view(-1, k), cosines[others].view(-1, k))
