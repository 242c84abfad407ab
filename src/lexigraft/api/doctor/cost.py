"""Estimated time and memory of a recipe."""

from __future__ import annotations

import time

from lexigraft.api.doctor.findings import Findings
from lexigraft.api.doctor.machine import total_memory
from lexigraft.api.doctor.rehearsal import Rehearsal, rehearse
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.utils.memory import default_memory_budget
from lexigraft.report.formats import seconds


def report_cost(findings: Findings, recipe: CompareSettings) -> float:
    """Rehearse a recipe, report time and memory of the whole comparison, and return its seconds (0 where it failed)."""
    started = time.perf_counter()
    rehearsal: Rehearsal | None = findings.try_(lambda: rehearse(recipe))
    if rehearsal is None:
        return 0.0
    findings.good(f"rehearsed in {seconds(time.perf_counter() - started)}, with what else this machine is doing now")
    once = ", ".join(f"{name} {seconds(value)}" for name, value in rehearsal.once.items())
    findings.good(
        f"time of a cell: about {seconds(rehearsal.cell_seconds)} "
        f"(reading and grafting {seconds(rehearsal.graft_seconds)}, "
        f"adaptation {seconds(rehearsal.adapt_seconds + rehearsal.steps * rehearsal.step_seconds)}, "
        f"{rehearsal.measurements} measurements of {seconds(rehearsal.measure_seconds)}"
        + "".join(f", task {name} {_times(rehearsal, name)}" for name in rehearsal.task_seconds)
        + "), without what its strategy learns"
    )
    findings.good(
        f"time in all: about {seconds(rehearsal.seconds)} for {rehearsal.cells} cells one after the other"
        + (f", {once} before them included" if once else "")
    )
    add = findings.note if rehearsal.peak_bytes > 0.9 * total_memory() else findings.good
    add(f"memory: {rehearsal.peak_bytes / 1e9:.2f} GB for one cell, libraries included")
    findings.good(f"portions: {_portions(recipe)}")
    return rehearsal.seconds


def _times(rehearsal: Rehearsal, name: str) -> str:
    times, once = rehearsal.task_times[name], seconds(rehearsal.task_seconds[name])
    return once if times == 1 else f"{times} times {once}"


def _portions(recipe: CompareSettings) -> str:
    from lexigraft.adapters.training.loop import uses_bfloat16

    adaptation = recipe.adaptation
    budget = recipe.graft.memory_budget or default_memory_budget()
    rows = max(1, adaptation.batch_tokens // adaptation.sequence_length)
    precision = "bfloat16" if uses_bfloat16(adaptation.precision) else "float32"
    return (
        f"blocks of up to {budget / 1e9:.2f} GB while rows are made, "
        f"batches of {rows} × {adaptation.sequence_length} tokens, trained in {precision}"
    )
