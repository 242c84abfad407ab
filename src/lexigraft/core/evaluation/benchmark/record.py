"""Record of a benchmark suite: every strategy's figures by seed, with what they were measured on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import write_whole
from lexigraft.core.utils.hashing import hash_of

FORMAT = 1


@dataclass(frozen=True)
class MetricRecord:
    """The figures of one metric.

    Attributes:
        lower_is_better: Whether a lower figure is better.
        figures: By label, then by seed as text.
    """

    lower_is_better: bool
    figures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class ComparisonRecord:
    """One comparison of a suite.

    Attributes:
        inputs: What all its strategies share: hashes of model, tokenizer and texts, and the settings.
        reference: The label that others are tested against.
        metrics: By name, bits per byte first.
        seconds: Of one cell, by label, mean over seeds.
        bounds: Labels that use the right rows, which makes them bounds and no contenders.
    """

    inputs: Mapping[str, Any]
    reference: str | None
    metrics: Mapping[str, MetricRecord]
    seconds: Mapping[str, float]
    bounds: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Every strategy, in the order of the recipe."""
        return list(next(iter(self.metrics.values())).figures)

    def refuse_other_inputs(self, name: str, inputs: Mapping[str, Any], unknown: Collection[str] = ()) -> None:
        """Refuse figures on other inputs, which would not compare with these.

        Args:
            name: The comparison's name, for the message.
            inputs: What the figures are measured on.
            unknown: The inputs that are not known yet.

        Raises:
            LexigraftError: Which inputs differ.
        """
        keys = {*self.inputs, *inputs} - set(unknown)
        if differs := sorted(key for key in keys if self.inputs.get(key) != inputs.get(key)):
            raise LexigraftError(
                f"'{name}' was recorded on other inputs, so its figures do not compare",
                ", ".join(differs[:5]),
                "Use the recipe and files of the record, or run the whole suite",
            )

    def merged(self, other: ComparisonRecord) -> ComparisonRecord:
        """With the strategies of another run of the same comparison; one that both have is the other's."""
        metrics = {
            name: replace(metric, figures={**metric.figures, **other.metrics[name].figures})
            if name in other.metrics
            else metric
            for name, metric in self.metrics.items()
        }
        bounds = tuple(dict.fromkeys((*self.bounds, *other.bounds)))
        return replace(self, metrics=metrics, seconds={**self.seconds, **other.seconds}, bounds=bounds)


@dataclass(frozen=True)
class BenchmarkRecord:
    """A suite's results, as they are published and checked.

    Attributes:
        suite: The suite's name.
        comparisons: By name.
        versions: What they were measured with.
    """

    suite: str
    comparisons: Mapping[str, ComparisonRecord]
    versions: Mapping[str, str] = field(default_factory=dict)

    def merged(self, other: BenchmarkRecord) -> BenchmarkRecord:
        """With the strategies that another run of the suite measured.

        Raises:
            LexigraftError: The other run measured a comparison on other inputs, or one that is not recorded.
        """
        for name, theirs in other.comparisons.items():
            self.comparison(name).refuse_other_inputs(name, theirs.inputs)
        measured = {name: self.comparisons[name].merged(theirs) for name, theirs in other.comparisons.items()}
        return replace(self, comparisons={**self.comparisons, **measured})

    def comparison(self, name: str) -> ComparisonRecord:
        """The record of one comparison.

        Raises:
            LexigraftError: There is none of this name.
        """
        if name not in self.comparisons:
            raise LexigraftError(
                "the record lacks a comparison of the suite", name, f"It holds {', '.join(self.comparisons)}"
            )
        return self.comparisons[name]


def write_record(record: BenchmarkRecord, path: Path) -> None:
    """Write a record as JSON, with the hash of its content."""
    values = {"format": FORMAT, **asdict(record)}
    content = json.dumps({**values, "sha256": hash_of(values)}, indent=1, ensure_ascii=False)
    write_whole(path, content + "\n")


def read_record(path: Path) -> BenchmarkRecord:
    """Read a record and check it against its hash.

    Raises:
        LexigraftError: There is no record, it is damaged, or it was changed after it was written.
    """
    hint = "Give a record.json that `lexigraft benchmark` wrote"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        said = values.pop("sha256")
        if values.pop("format") != FORMAT:
            raise LexigraftError("record is of another format", path, f"This version reads format {FORMAT}")
        record = BenchmarkRecord(
            values["suite"],
            {name: _comparison(one) for name, one in values["comparisons"].items()},
            values["versions"],
        )
    except FileNotFoundError:
        raise LexigraftError("record not found", path, hint) from None
    except OSError as error:
        raise LexigraftError("record cannot be read", path, error.strerror or str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise LexigraftError("record is damaged", f"{path}: {type(error).__name__}: {error}"[:200], hint) from None
    if hash_of({"format": FORMAT, **values}) != said:
        raise LexigraftError("record was changed after it was written", path, "Its hash is of other content; " + hint)
    return record


def _comparison(values: dict[str, Any]) -> ComparisonRecord:
    metrics = {
        name: MetricRecord(
            bool(metric["lower_is_better"]),
            {label: {seed: float(v) for seed, v in by_seed.items()} for label, by_seed in metric["figures"].items()},
        )
        for name, metric in values["metrics"].items()
    }
    if not metrics:
        raise ValueError("a comparison without metrics")
    seconds = {label: float(value) for label, value in values["seconds"].items()}
    return ComparisonRecord(values["inputs"], values["reference"], metrics, seconds, tuple(values["bounds"]))
