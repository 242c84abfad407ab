"""Checks of a transfer study's recipe before any weights load."""

from __future__ import annotations

from lexigraft.api.doctor.findings import Findings
from lexigraft.api.doctor.store import report_store
from lexigraft.api.transfer.inputs import TransferTexts
from lexigraft.api.transfer.setup import open_texts
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.data.typology.database import load_typology


def report_transfer(findings: Findings, recipe: TransferSettings) -> None:
    """Check a recipe with everything it names; its texts are read whole, for what they must not share."""
    donors, targets, seeds = len(recipe.donors), len(recipe.targets), len(recipe.seeds)
    cells = len(recipe.cell_names)
    findings.good(
        f"recipe '{recipe.name}': {donors} donors, {targets} targets, {seeds} seeds: {cells} cells,"
        f" {donors * targets} pairs"
    )
    texts: TransferTexts | None = findings.try_(lambda: open_texts(recipe))
    if texts is not None:
        for name, text in texts.train.items():
            findings.good(f"text of {name}: {len(text):,} lines, {text.bytes / 1e6:.1f} MB")
        for name, text in texts.heldout.items():
            findings.good(
                f"held-out text of {name}: {len(text):,} lines, of which no donor's text has 13 words in a row"
            )
        for task in texts.tasks:
            findings.good(f"task {task.name}: {task.data.size:,} items")
            for note in task.data.notes:
                findings.note(f"task {task.name}: {note}")
    if (folder := recipe.typology) is not None:
        with findings.collect_errors():
            typology = load_typology(folder)
            codes = {name: donor.language for name, donor in recipe.donors.items()}
            codes |= {name: target.language for name, target in recipe.targets.items()}
            for name, code in codes.items():
                if code is not None:
                    typology.find(code)
                else:
                    findings.note(f"{name} has no 'language', so no typological distances")
    adaptation = recipe.adaptation
    tokens = adaptation.steps * adaptation.batch_tokens
    findings.good(
        f"training: {adaptation.steps:,} steps × {adaptation.batch_tokens:,} tokens = {tokens:,} in each cell"
    )
    report_store(findings, recipe.tracking)
