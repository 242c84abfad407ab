"""Cells of a comparison with their content hashes, and the hash of what arms of one graft share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexigraft.api.augment import learns_entities
from lexigraft.api.compare.inputs import Prepared, Shared, Texts, strategy_inputs
from lexigraft.api.evaluate import text_evaluators
from lexigraft.api.further_texts import texts_of
from lexigraft.api.objectives import adaptation_values
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.arms import Line
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.data.augmentation import make_augmenters
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.strategy import Strategy, uses_of
from lexigraft.core.utils.devices import usable_device
from lexigraft.core.utils.hashing import flat, hash_of
from lexigraft.core.utils.versions import result_versions


def cells_of(
    recipe: CompareSettings,
    prepared: Prepared,
    texts: Texts,
    tokenizer_hash: str,
    chains: Mapping[str, Sequence[Strategy]],
) -> tuple[Cell, ...]:
    """Every cell of a recipe, with the content hash of everything that makes its result.

    Args:
        recipe: The recipe.
        prepared: Paths and hashes of the prepared inputs.
        texts: Its texts.
        tokenizer_hash: Content of the target tokenizer.
        chains: The configured strategies by label.
    """
    common = {
        **shared_inputs(recipe, texts, prepared.source_hash),
        "tokenizer": tokenizer_hash,
        "versions": result_versions(),
    }
    entries = [(line, chains[line.label]) for line in recipe.lines]
    needs = frozenset[Need]().union(*(uses_of(chain) for _, chain in entries))
    inputs = strategy_inputs(recipe, prepared.poor_model, texts).contents(needs)
    anchors = texts.annotations.hash if texts.annotations is not None else None
    return tuple(
        _cell(line, chain, seed, common | _arm(line, anchors) | _further(line.adaptation, texts), inputs)
        for line, chain in entries
        for seed in recipe.seeds
    )


def shared_inputs(recipe: CompareSettings, texts: Texts, source_hash: str) -> dict[str, Any]:
    """What every cell of a recipe depends on, but for the target tokenizer and the versions of packages.

    Args:
        recipe: The recipe.
        texts: Its texts.
        source_hash: Content of the source model.
    """
    return {
        "source": source_hash,
        "train": texts.train.hash,
        "measured": {name: text.hash for name, text in texts.measured.items()},
        "graft": recipe.graft.model_dump(mode="json", exclude={"memory_budget", "device", "verify"}),
        "adaptation": adaptation_values(recipe.adaptation),
        "evaluation": recipe.evaluation.model_dump(mode="json", include={"max_lines"})
        | {evaluator.name: evaluator.parameters() for evaluator in text_evaluators(recipe.evaluation)},
        "tasks": {task.name: task.described() for task in texts.tasks},
    }


def start_key(recipe: CompareSettings, prepared: Prepared, shared: Shared, line: Line, seed: int) -> str | None:
    """Hash of everything that the measurements of a graft before training depend on.

    Args:
        recipe: The recipe.
        prepared: Paths and hashes of the prepared inputs.
        shared: The cells' shared inputs.
        line: The line.
        seed: The cell's seed.

    Returns:
        None where no other line has the same graft.
    """
    if sum((one.chain, one.norm_calibration) == (line.chain, line.norm_calibration) for one in recipe.lines) < 2:
        return None
    texts, chain = shared.texts, shared.chains[line.label]
    common = shared_inputs(recipe, texts, prepared.source_hash)
    del common["adaptation"]
    moments = recipe.adaptation.steps, recipe.adaptation.probe_step  # decide which tasks are due at step 0
    inputs = strategy_inputs(recipe, prepared.poor_model, texts).contents(uses_of(chain))
    made_by = [[s.name, s.parameters()] for s in chain], seed, _own_inputs(line, chain, inputs)
    return hash_of([common, shared.target.hash, result_versions(), usable_device("auto"), made_by, moments])


def _arm(line: Line, anchors: str | None) -> dict[str, Any]:
    """What is another in an arm than in the recipe."""
    augmenters = make_augmenters(line.adaptation.augment)
    inputs: dict[str, Any] = {"anchors": anchors} if augmenters or learns_entities(line.adaptation) else {}
    if contents := [one.content for one in augmenters if one.content]:
        inputs["augmenter_files"] = hash_of(contents)
    if line.arm is None:
        return inputs
    return {"arm": line.arm, "adaptation": adaptation_values(line.adaptation), **inputs}


def _further(settings: AdaptSettings, texts: Texts) -> dict[str, Any]:
    further = {name: text.hash for name, text in texts_of(settings, texts.further).items()}
    return {"texts": further} if further else {}


def _cell(
    line: Line, chain: Sequence[Strategy], seed: int, common: Mapping[str, Any], inputs: Mapping[Need, Any]
) -> Cell:
    own = _own_inputs(line, chain, inputs)
    made_by = {"chain": [[s.name, s.parameters()] for s in chain], "seed": seed, **own}
    described = {
        **common,
        **own,
        "seed": seed,
        "strategy": "+".join(s.name for s in chain),
        "keeps_tokenizer": any(s.keeps_tokenizer for s in chain),
        "fields": {s.name: s.parameters() for s in chain},
    }
    return Cell(line.label, seed, chain[0].body.value, hash_of([common, made_by]), flat(described))


def _own_inputs(line: Line, chain: Sequence[Strategy], inputs: Mapping[Need, Any]) -> dict[str, Any]:
    """What the graft of a line depends on besides what all lines do."""
    needs = uses_of(chain)
    own = {str(need): content for need, content in inputs.items() if need in needs}
    return own if line.norm_calibration is None else own | {"norm_calibration": line.norm_calibration}
