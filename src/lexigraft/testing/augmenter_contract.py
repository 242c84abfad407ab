"""The contract suite of augmenters: every law, on annotated sample documents in several scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lexigraft.core.registry import Plugin
from lexigraft.testing.augmenter_trial import AugmenterTrial
from lexigraft.testing.law import NO_FIXTURE, Law, Outcome, not_built, not_loaded, outcome_of
from lexigraft.testing.laws import augmenter_edits, augmenter_file, augmenter_loss, plugin_file

OF_FORM: tuple[Law, ...] = (*plugin_file.LAWS, *augmenter_file.LAWS)
ON_DOCUMENTS: tuple[Law, ...] = (*augmenter_edits.LAWS, *augmenter_loss.LAWS)


def run_augmenter_checks(plugin: Plugin, options: Mapping[str, Any] | None = None) -> list[Outcome]:
    """Check every law on an augmenter.

    Args:
        plugin: What the registry found.
        options: Options that differ from the defaults (laws of form check the file and ignore them).

    Returns:
        One outcome for each law.
    """
    if plugin.cls is None:
        return not_loaded(plugin)
    outcomes = [outcome_of(law, NO_FIXTURE, plugin) for law in OF_FORM]
    with TemporaryDirectory(prefix="lexigraft-") as folder:
        try:
            trial = AugmenterTrial(plugin, options or {}, Path(folder))
        except Exception as error:  # an augmenter may fail in any way
            return outcomes + not_built(ON_DOCUMENTS, options or {}, error)
        return outcomes + [outcome_of(law, NO_FIXTURE, trial) for law in ON_DOCUMENTS]
