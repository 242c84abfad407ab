"""Parquet files with the outcome of every item."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.utils.files import replacing


def items_file(folder: Path, step: int) -> Path:
    """Where the outcomes of one step of a cell lie."""
    return folder / "items" / f"step-{step}.parquet"


def save_items(path: Path, items: Mapping[str, ItemScores]) -> None:
    """Write outcomes whole or not at all: columns ``metric``, ``item``, ``numerator``, ``denominator``.

    Args:
        path: The file.
        items: Outcomes by metric, such as ``accuracy/sib200``.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = [len(scores.numerators) for scores in items.values()]
    names = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(len(items), dtype=np.int32), counts)), pa.array(list(items), pa.string())
    )
    columns = {
        "metric": names,
        "item": pa.array(np.concatenate([np.arange(n) for n in counts]) if counts else [], pa.int64()),
        "numerator": pa.array(np.concatenate([s.numerators for s in items.values()]) if counts else [], pa.float64()),
        "denominator": pa.array(
            np.concatenate([s.denominators for s in items.values()]) if counts else [], pa.float64()
        ),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def load_items(path: Path) -> dict[str, ItemScores]:
    """Outcomes by metric, as :func:`save_items` wrote them; none where there is no file.

    Raises:
        LexigraftError: The file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return {}
    try:
        table = pq.read_table(path).combine_chunks()
        metrics = table["metric"].combine_chunks().dictionary_decode().to_numpy(zero_copy_only=False)
        numerators, denominators = (table[name].to_numpy() for name in ("numerator", "denominator"))
    except (pa.ArrowException, KeyError, OSError, AttributeError) as error:
        raise LexigraftError("outcomes of items cannot be read", path, f"Delete the cell's folder; {error}") from None
    return {
        str(metric): ItemScores(numerators[metrics == metric], denominators[metrics == metric])
        for metric in dict.fromkeys(metrics)
    }
