"""Tasks of mteb: those it knows by name, and those of local files, with their data; and the figures of their scores."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lexigraft.core.data.readers import numbered_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.outside_output import only_errors_shown
from lexigraft.core.utils.random_state import global_randomness_kept

LOCAL: Mapping[str, Mapping[str, Any]] = {
    "local_classification": {"text": str, "label": (str, int)},
    "local_sts": {"sentence1": str, "sentence2": str, "score": (int, float)},
    "local_bitext": {"sentence1": str, "sentence2": str},
}
"""The fields of a line, by task; ``local_classification`` needs training items too."""

OWN_SEED = 42
"""mteb's own seed, with which published results were made."""


def load_task(name: str, files: Mapping[str, Sequence[str]], languages: Sequence[str]) -> Any:
    """A task with its data.

    Args:
        name: The name of a task of mteb, or one of ``LOCAL``.
        files: The files of a local task.
        languages: Which languages of a task of many count; all where none is named.

    Raises:
        LexigraftError: mteb is not installed, no task has this name, or its data cannot be read.
    """
    with global_randomness_kept(), only_errors_shown("mteb", "datasets"):
        try:
            import mteb  # which draws random numbers
        except ImportError:
            raise LexigraftError("mteb is not installed", "mteb", "pip install 'lexigraft[eval]'") from None
        if name in LOCAL:
            return _local_task(name, files)
        if files:
            raise LexigraftError("only local tasks read files", name, f"Local tasks: {', '.join(LOCAL)}")
        try:
            task = mteb.get_task(name, languages=list(languages) or None)
        except KeyError as error:
            found = re.search(r"Did you mean: '([^']+)'", str(error))
            hint = f"Did you mean '{found[1]}'?" if found else f"Local tasks: {', '.join(LOCAL)}"
            raise LexigraftError("unknown task of mteb", name, hint) from None
        try:
            task.load_data()
        except Exception as error:  # of any library that a task's own code calls
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise LexigraftError("the data of a task of mteb cannot be read", name, reason) from None
        if not task.dataset:
            raise LexigraftError("this task of mteb has no data set of its own", name, "Name one of its parts")
        return task


def seeded(task: Any, seed: int) -> Any:
    """A task as new, with its data: what it draws depends on the seed alone (0 draws what mteb's own seed draws)."""
    fresh = copy.copy(task)
    fresh.__init__(seed=OWN_SEED + seed)
    fresh.hf_subsets = task.hf_subsets
    return fresh


def figures_of(scores: Mapping[str, Sequence[Mapping[str, Any]]], main: str) -> dict[str, float]:
    """Means over splits and subsets by mteb's names, the main score first; where there are several, each of them.

    Args:
        scores: mteb's scores of each subset, by split.
        main: The name of the task's main score.
    """
    entries = [(split, entry) for split, of_split in scores.items() for entry in of_split]

    def mean(name: str) -> float:
        return math.fsum(entry[name] for _, entry in entries) / len(entries)

    figures = {main: mean("main_score")}
    for name in entries[0][1]:
        values = [entry.get(name) for _, entry in entries]
        numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
        if numbers and name not in ("main_score", main):
            figures[name] = mean(name)
    if len(entries) > 1:
        for split, entry in entries:
            where = f"{split}_{entry['hf_subset']}" if len(scores) > 1 else entry["hf_subset"]
            figures[re.sub(r"[^A-Za-z0-9_.-]", "_", f"{main}_{where}")] = float(entry["main_score"])
    return figures


def _local_task(name: str, files: Mapping[str, Sequence[str]]) -> Any:
    from datasets import Dataset, DatasetDict

    wanted = ("train", "test") if name == "local_classification" else ("test",)
    if missing := [split for split in wanted if not files.get(split)]:
        fields = ", ".join(LOCAL[name])
        raise LexigraftError(f"{name} needs more files", ", ".join(missing), f"JSON lines with the fields {fields}")
    items = {split: list(_items(files[split], LOCAL[name])) for split in wanted}
    if empty := [split for split, found in items.items() if not found]:
        raise LexigraftError(
            f"there are no items for {name}", ", ".join(empty), "Give files with one item in each line"
        )
    if name == "local_classification":
        _number_labels(items)
    task = _local_class(name)()
    task.dataset = DatasetDict({split: Dataset.from_list(found) for split, found in items.items()})
    task.data_loaded = True
    return task


def _local_class(name: str) -> Any:
    from mteb.abstasks import AbsTaskBitextMining, AbsTaskClassification, AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    bases: dict[str, tuple[Any, Any, str]] = {
        "local_classification": (AbsTaskClassification, "Classification", "accuracy"),
        "local_sts": (AbsTaskSTS, "STS", "cosine_spearman"),
        "local_bitext": (AbsTaskBitextMining, "BitextMining", "f1"),
    }
    base, kind, main = bases[name]
    metadata = TaskMetadata(
        dataset={"path": name, "revision": "local"},
        name=name,
        description="Local files",
        type=kind,
        eval_langs=["eng-Latn"],
        main_score=main,
    )
    return type(name, (base,), {"metadata": metadata})


def _items(paths: Sequence[str], fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for number, line in numbered_lines(Path(path).expanduser()):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except ValueError as error:
                raise LexigraftError("this line is not JSON", f"{path}, line {number}", str(error)) from None
            bad = [
                f for f, kind in fields.items() if not isinstance(values, dict) or not isinstance(values.get(f), kind)
            ]
            if bad:
                raise LexigraftError("this line lacks fields of the task", f"{path}, line {number}", ", ".join(bad))
            yield {field: values[field] for field in fields}


def _number_labels(items: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Replace labels by their numbers in the order of their names: mteb's average precision wants 0 and 1."""
    known = sorted({str(item["label"]) for item in items["train"]})
    if strange := sorted({str(item["label"]) for item in items["test"]} - set(known)):
        raise LexigraftError("labels of the test items never occur in training", ", ".join(strange[:10]))
    texts = {item["text"] for item in items["train"]}
    if shared := sum(item["text"] in texts for item in items["test"]):
        raise LexigraftError("test items are training items too", f"{shared} of {len(items['test'])}", "Take them out")
    for item in (*items["train"], *items["test"]):
        item["label"] = known.index(str(item["label"]))
