"""Checks of the files and the model of a recipe's tasks."""

from __future__ import annotations

import contextlib
import glob
from pathlib import Path

from lexigraft.api.doctor.findings import Findings
from lexigraft.api.tasks import Task, read_tasks, refuse_unsuitable_tasks
from lexigraft.core.config.evaluation import TaskSettings
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.loading import load_config


def report_tasks(findings: Findings, recipe: CompareSettings) -> None:
    """Check every task of a recipe; each file that is missing becomes a finding of its own."""
    for name, settings in recipe.evaluation.tasks.items():
        missing = [(key, path) for key, paths in settings.files.items() for path in paths if not _is_there(path)]
        for key, path in missing:
            findings.bad(f"task {name}: {key} not found: {path}")
        if not missing:
            with findings.collect_errors():
                _report(findings, name, settings, recipe.source)


def _is_there(path: str) -> bool:
    return (
        path.startswith("hub:") or bool(glob.glob(str(Path(path).expanduser()), recursive=True)) or Path(path).exists()
    )


def _report(findings: Findings, name: str, settings: TaskSettings, source: str) -> None:
    [task] = read_tasks({name: settings})
    when = ", ".join(moment for moment in ("start", "probe", "end") if moment in task.at)
    findings.good(f"task {name}: {task.evaluator.name}, {task.data.size:,} items, measured at the {when}")
    for note in task.data.notes:
        findings.note(f"task {name}: {note}")
    _refuse_kind(task, source)


def _refuse_kind(task: Task, source: str) -> None:
    """Refuse a source model of another kind; one that cannot be read is the finding of another check."""
    config = None
    with contextlib.suppress(LexigraftError):
        config = load_config(source)
    if config is not None:
        refuse_unsuitable_tasks([task], config)
