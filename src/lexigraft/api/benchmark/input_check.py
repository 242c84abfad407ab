"""Check of a suite's inputs against a published record, before any cell runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lexigraft.api.benchmark.comparison_record import recorded_inputs
from lexigraft.api.compare.cell_keys import shared_inputs
from lexigraft.api.compare.inputs import load_texts
from lexigraft.api.compare.preparation import prepare_tokenizer
from lexigraft.api.objectives import adaptation_values
from lexigraft.api.study.study import PREPARED
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.evaluation.benchmark.record import ComparisonRecord
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output
from lexigraft.core.utils.hashing import flat, model_hash


def refuse_other_inputs(
    records: Mapping[str, ComparisonRecord],
    recipes: Mapping[str, CompareSettings],
    home: Path,
    say: Callable[[str], None] = lambda text: None,
    *,
    trains_here: bool = True,
) -> None:
    """Refuse recipes that are not of the inputs that their records were measured on; no weights load.

    Args:
        records: The record of each comparison.
        recipes: The recipe of each.
        home: The suite's folder; a tokenizer that a recipe asks for is trained there, for the comparison to find.
        say: Called with a line on what is being prepared.
        trains_here: Whether this machine trains tokenizers; else one that is not made yet is not checked.

    Raises:
        LexigraftError: A comparison's inputs differ, or its texts or tokenizer cannot be used.
    """
    refuse_other_output(home)
    with emptied_after_error(home):
        for name, recipe in recipes.items():
            record, texts = records[name], load_texts(recipe)
            inputs = shared_inputs(recipe, texts, model_hash(recipe.source))
            # A record holds the parameters of the first cell, which are of the first arm where there are arms.
            inputs["adaptation"] = adaptation_values(recipe.lines[0].adaptation)
            known = recorded_inputs(flat(inputs))
            record.refuse_other_inputs(name, known, unknown={"tokenizer"})
            if trains_here or isinstance(recipe.target_tokenizer, str):
                tokenizer = prepare_tokenizer(recipe, texts, home / name / PREPARED, say)
                record.refuse_other_inputs(name, known | {"tokenizer": load_vocabulary(tokenizer).hash})
