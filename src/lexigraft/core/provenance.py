"""Reading back where a grafted model's rows came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.graft_folder import PROVENANCE


def read(folder: Path) -> dict[str, list[Any]]:
    """The columns of ``provenance.parquet``: target_id, token, rule, source_ids, weights.

    Raises:
        LexigraftError: The folder holds none.
    """
    import pyarrow.parquet as pq

    path = folder / PROVENANCE
    if not path.is_file():
        raise LexigraftError("folder holds no provenance", path, "Give a folder that `lexigraft graft` wrote")
    columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return columns


def new_rows(folder: Path) -> list[int]:
    """Ids of the rows that were not copied from the source by a match rule."""
    from lexigraft.core.alignment import DEFAULT_RULES, RELAXED_RULES

    columns = read(folder)
    copied = {*DEFAULT_RULES, *RELAXED_RULES}
    return [i for i, rule in zip(columns["target_id"], columns["rule"], strict=True) if rule not in copied]
