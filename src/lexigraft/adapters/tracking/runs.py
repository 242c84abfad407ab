"""Parameters, metrics and tags of MLflow runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.core.evaluation.cells.cell import TRAINING_LOSS, CellResult, Comparison
from lexigraft.core.utils.versions import code_version

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_LONGEST_PARAMETER, _LONGEST_TAG = 6000, 5000
_PARAMETERS_A_REQUEST, _METRICS_A_REQUEST = 100, 1000


@dataclass(frozen=True)
class RunValues:
    """Parameters, and metrics as ``(step, name, value)``."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: tuple[tuple[int, str, float], ...] = ()


def child_values(comparison: Comparison, result: CellResult | None) -> RunValues:
    """Parameters and metrics of a cell, with the facts that all cells share; for ``None`` the shared facts alone."""
    shared: dict[str, object] = {
        name: value
        for name, value in comparison.facts.items()
        if isinstance(value, str | int | float | bool) and not name.endswith("_hash")
    }
    if result is None:
        seeds = ",".join(map(str, comparison.seeds))
        return RunValues(shared | {"strategies": ", ".join(comparison.labels), "seeds": seeds})
    cell = result.cell
    own = {"label": cell.label, "seed": cell.seed, "body": cell.body}
    last = max((s.step for s in result.scores), default=0)
    metrics = [(s.step, s.metric, s.value) for s in result.scores]
    metrics += [(step, TRAINING_LOSS, loss) for step, loss in result.losses]
    metrics += [(last, f"coverage/{name}", float(value)) for name, value in result.coverage.items()]
    metrics += [(last, f"cost/{name}", float(value)) for name, value in result.cost.items()]
    return RunValues(shared | dict(cell.parameters) | own, tuple(metrics))


def shared_tags(comparison: Comparison) -> dict[str, str]:
    """Hashes, versions, device and code: the tags of every run of a comparison."""
    facts = comparison.facts
    tags = {f"lexigraft.{name}": str(value) for name, value in facts.items() if name.endswith("_hash")}
    tags |= {f"lexigraft.version.{name}": str(value) for name, value in dict(facts.get("versions", {})).items()}
    commit, dirty = code_version()
    tags |= {"lexigraft.code": commit, "lexigraft.dirty": str(dirty).lower()}
    tags["lexigraft.device"] = str(facts.get("device", "unknown"))
    return {_name(name): value[:_LONGEST_TAG] for name, value in tags.items()}


def log_values(client: MlflowClient, run_id: str, values: RunValues, artifacts: Iterable[Path] = ()) -> None:
    """Log parameters, metrics and those files that exist."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    parameters = [Param(_name(k), str(v)[:_LONGEST_PARAMETER]) for k, v in values.parameters.items()]
    metrics = [Metric(_name(name), value, now, step) for step, name, value in values.metrics]
    for start in range(0, len(parameters), _PARAMETERS_A_REQUEST):
        client.log_batch(run_id, params=parameters[start : start + _PARAMETERS_A_REQUEST])
    for start in range(0, len(metrics), _METRICS_A_REQUEST):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_REQUEST])
    for path in artifacts:
        if path.exists():
            client.log_artifact(run_id, str(path))


def named_runs(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> list[Run]:
    """The runs that carry all these tags, the oldest first."""
    condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found: list[Run] = []
    token = None
    while page := client.search_runs([experiment], filter_string=condition, page_token=token):
        found += page
        if not (token := page.token):
            break
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def _name(name: str) -> str:
    """A name that every store takes: letters, digits, and ``_ - . space : /``."""
    return re.sub(r"[^\w./: -]", "_", name)[:250]
