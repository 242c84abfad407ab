"""`lexigraft doctor` from Python: what this machine has, and what a recipe would stumble over."""

from __future__ import annotations

from pathlib import Path

from lexigraft.api.doctor.cost import report_cost
from lexigraft.api.doctor.findings import Examined, Findings
from lexigraft.api.doctor.machine import report_machine
from lexigraft.api.doctor.recipe import report_recipe


def examine(recipe: str | Path | None = None, *, rehearse: bool = False) -> Examined:
    """Look at the machine and, if one is given, at a recipe with everything it names; no weight is loaded by that.

    Args:
        recipe: A recipe file.
        rehearse: Whether the recipe's steps are tried out, once nothing is wrong with it, to say what it will take.

    Returns:
        What was found, problems included; nothing is raised for a user's mistake.
    """
    findings = Findings()
    report_machine(findings, Path.cwd())
    if recipe is not None:
        settings = report_recipe(findings, Path(recipe))
        if rehearse and settings is not None and findings.healthy:
            report_cost(findings, settings)
    return Examined(tuple(findings.findings))
