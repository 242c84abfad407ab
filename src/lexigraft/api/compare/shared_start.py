"""Measurements of a graft before training, taken once for all arms that adapt the same graft."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from lexigraft.api.evaluate import Evaluation
from lexigraft.core.evaluation.cells.cell_store import DAMAGED
from lexigraft.core.evaluation.item_store import load_items, save_items
from lexigraft.core.utils.files import made_once, write_whole


class SharedStart:
    """Measurements of one graft before training, in a file named by what they depend on.

    Args:
        folder: Where measurements of grafts are kept, for all cells of a comparison.
        key: Hash of everything that the measurements depend on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._figures, self._items = (folder / f"start-{key[:16]}{end}" for end in (".json", ".parquet"))
        self.seconds = 0.0
        """What the measurements took where another cell took them."""

    def found(self, measure: Callable[[], Evaluation]) -> Evaluation:
        """The measurements of another cell, else those taken now; two cells at once take them once.

        Args:
            measure: Takes the measurements.
        """
        with made_once(self._figures):
            kept = self._read()
            if kept is not None:
                return kept
            started = time.perf_counter()
            taken = measure()
            save_items(self._items, taken.items)
            seconds = time.perf_counter() - started
            values = {"figures": dict(taken.figures), "notes": list(taken.notes), "seconds": seconds}
            write_whole(self._figures, json.dumps(values))
            return taken

    def _read(self) -> Evaluation | None:
        """The measurements in the files; None where there are none, or damaged ones."""
        try:
            values = json.loads(self._figures.read_text(encoding="utf-8"))
            found = Evaluation(dict(values["figures"]), load_items(self._items), notes=tuple(values["notes"]))
            self.seconds = float(values["seconds"])
        except (OSError, *DAMAGED):
            return None
        return found
