"""Checks of this machine, of a recipe and of a suite of recipes, as `lexigraft doctor` prints them."""

from __future__ import annotations

from pathlib import Path

from lexigraft.api.doctor.cost import report_cost
from lexigraft.api.doctor.findings import Examined, Findings
from lexigraft.api.doctor.machine import report_machine
from lexigraft.api.doctor.power import report_power
from lexigraft.api.doctor.recipe import Reported, report_recipe
from lexigraft.core.config.recipe_files import recipes_in
from lexigraft.core.config.suite import SuiteRecipe
from lexigraft.report.formats import seconds


def examine(
    recipe: str | Path | None = None,
    *,
    rehearse: bool = False,
    pilot: str | Path | None = None,
    teraflops: float | None = None,
) -> Examined:
    """Check the machine and, if one is given, a recipe with everything it names; weights are loaded by rehearsing only.

    Args:
        recipe: A recipe file, or a suite that lists several.
        rehearse: Whether, if no error was found, the recipe's steps are tried out to estimate time and memory.
        pilot: The folder of an earlier comparison, by whose spread it is told which differences can be found.
        teraflops: 10^12 operations per second that a GPU keeps up, for which the time of the training is told.

    Returns:
        The findings, problems included; nothing is raised for a user's mistake.
    """
    findings = Findings()
    report_machine(findings, Path.cwd())
    if recipe is not None:
        listed: list[SuiteRecipe] = findings.try_(lambda: recipes_in(Path(recipe))) or []
        found = [report_recipe(findings, one, teraflops) for one in listed]
        comparisons = [one for one in found if one is not None]
        if len(listed) > 1 and (taken := [one.gpu_seconds for one in comparisons if one.gpu_seconds is not None]):
            findings.good(f"on a GPU: training of {len(taken)} of {len(listed)} recipes takes {seconds(sum(taken))}")
        if rehearse and comparisons and findings.healthy:
            _rehearse(findings, comparisons)
            if pilot is None:
                findings.note("which difference can be told is not known: name an earlier comparison with --pilot")
        if not comparisons and findings.healthy and (rehearse or pilot is not None):
            findings.note("a transfer study has no rehearsal and no pilot: these are for comparisons")
        if pilot is not None:
            for one in comparisons:
                report_power(findings, one.recipe, Path(pilot))
    return Examined(tuple(findings.findings))


def _rehearse(findings: Findings, comparisons: list[Reported]) -> None:
    total = 0.0
    for one in comparisons:
        if len(comparisons) > 1:
            findings.good(f"rehearsal of '{one.recipe.name}':")
        total += report_cost(findings, one.recipe)
    if len(comparisons) > 1:
        findings.good(f"time of all recipes: about {seconds(total)}, one cell after the other")
