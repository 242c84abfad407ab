"""Tables that stay in the dtype of the checkpoint, half as large in bfloat16, until someone reads them in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from lexigraft.core.strategy import Role


class FloatTables(Mapping["Role", "torch.Tensor"]):
    """Tables by role, ``(rows, hidden)`` or ``(rows,)``: in float32 for whoever indexes it.

    Args:
        stored: The tables as they are stored; only their values are shared.
    """

    def __init__(self, stored: Mapping[Role, torch.Tensor]) -> None:
        self._tables = dict(stored)

    def __getitem__(self, role: Role) -> torch.Tensor:
        # Converted once, and no longer kept in the other dtype.
        self._tables[role] = self._tables[role].float()
        return self._tables[role]

    def __iter__(self) -> Iterator[Role]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def as_held(self, role: Role) -> torch.Tensor:
        """A table in the dtype that it is in by now: the same values, for who takes a few rows of it at a time."""
        return self._tables[role]
