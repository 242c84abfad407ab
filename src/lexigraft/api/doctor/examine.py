"""Checks of this machine and of a recipe, as `lexigraft doctor` prints them."""

from __future__ import annotations

from pathlib import Path

from lexigraft.api.doctor.cost import report_cost
from lexigraft.api.doctor.findings import Examined, Findings
from lexigraft.api.doctor.machine import report_machine
from lexigraft.api.doctor.power import report_power
from lexigraft.api.doctor.recipe import report_recipe


def examine(recipe: str | Path | None = None, *, rehearse: bool = False, pilot: str | Path | None = None) -> Examined:
    """Check the machine and, if one is given, a recipe with everything it names; weights are loaded by rehearsing only.

    Args:
        recipe: A recipe file.
        rehearse: Whether, if no error was found, the recipe's steps are tried out to estimate time and memory.
        pilot: The folder of an earlier comparison, by whose spread it is told which differences can be found.

    Returns:
        The findings, problems included; nothing is raised for a user's mistake.
    """
    findings = Findings()
    report_machine(findings, Path.cwd())
    if recipe is not None:
        settings = report_recipe(findings, Path(recipe))
        if rehearse and settings is not None and findings.healthy:
            report_cost(findings, settings)
            if pilot is None:
                findings.note("which difference can be told is not known: name an earlier comparison with --pilot")
        if settings is None and findings.healthy and (rehearse or pilot is not None):
            findings.note("a transfer study has no rehearsal and no pilot: these are for comparisons")
        if pilot is not None and settings is not None:
            report_power(findings, settings, Path(pilot))
    return Examined(tuple(findings.findings))
