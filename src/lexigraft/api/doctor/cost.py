"""What a recipe will take: time, memory, and in what portions and precision it works."""

from __future__ import annotations

import time

from lexigraft.api.doctor.findings import Findings
from lexigraft.api.doctor.machine import total_memory
from lexigraft.api.doctor.rehearsal import Rehearsal, rehearse
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.utils.memory import default_memory_budget
from lexigraft.report.tables import seconds


def report_cost(findings: Findings, recipe: CompareSettings) -> None:
    """Rehearse a recipe and note what all of it will take."""
    started = time.perf_counter()
    found: Rehearsal | None = findings.try_(lambda: rehearse(recipe))
    if found is None:
        return
    findings.good(f"rehearsed in {seconds(time.perf_counter() - started)}, with what else this machine is doing now")
    once = ", ".join(f"{name} {seconds(value)}" for name, value in found.once.items())
    findings.good(
        f"time of a cell: about {seconds(found.cell_seconds)} (reading and grafting {seconds(found.graft_seconds)}, "
        f"adaptation {seconds(found.adapt_seconds + found.steps * found.step_seconds)}, "
        f"{found.measurements} measurements of {seconds(found.measure_seconds)}), without what its strategy learns"
    )
    findings.good(
        f"time in all: about {seconds(found.seconds)} for {found.cells} cells one after the other"
        + (f", {once} before them included" if once else "")
    )
    tell = findings.note if found.peak_bytes > 0.9 * total_memory() else findings.good
    tell(f"memory: {found.peak_bytes / 1e9:.2f} GB for one cell, libraries included")
    findings.good(f"portions: {_portions(recipe)}")


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
