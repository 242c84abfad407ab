"""Files of an objective: read before weights load, part of what makes a cell, and refused where nothing reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.adapting import load
from lexigraft.api.adapt import refuse_untrainable
from lexigraft.api.objectives import adaptation_values, objective_data
from lexigraft.api.pretrain import pretraining_objective
from lexigraft.core.config.recipe import AdaptSettings, PretrainSettings
from lexigraft.core.errors import LexigraftError


@pytest.fixture
def settings(tmp_path: Path) -> AdaptSettings:
    path = tmp_path / "words.tsv"
    path.write_text("river\tbread\nhouse\tmarket\n")
    return AdaptSettings(objective="lexical_contrast", objective_files={"dictionary": [str(path)]}, sequence_length=64)


def test_content_of_the_files_is_part_of_what_makes_a_cell(settings: AdaptSettings, tmp_path: Path) -> None:
    before = adaptation_values(settings)
    assert before["objective_files"] == {"dictionary": [str(tmp_path / "words.tsv")]}
    assert adaptation_values(settings) == before
    (tmp_path / "words.tsv").write_text("river\tbread\nhouse\tschool\n")
    assert adaptation_values(settings) != before
    # Keys of results that were made without such files stay what they were.
    assert not {"objective_files", "objective_data"} & set(adaptation_values(AdaptSettings(objective="masked")))


def test_a_recipe_is_refused_before_weights_load(settings: AdaptSettings) -> None:
    model, _ = load("roberta-tied-bias")
    skeleton = type(model)(model.config).to("meta")
    refuse_untrainable(skeleton, settings)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"objective_files": {}}, "objective lexical_contrast needs more files: dictionary"),
        ({"objective_files": {"dictionary": ["none.tsv"]}}, r"dictionary not found: none\.tsv"),
        ({"objective_options": {"layer": 9}}, "the model has no such layer: 9"),
        ({"objective": "masked"}, "unknown file of masked: dictionary"),
    ]
    for changes, message in wrong:
        with pytest.raises(LexigraftError, match=message):
            refuse_untrainable(skeleton, settings.model_copy(update=changes))
    with pytest.raises(LexigraftError, match="objective_files needs an objective: dictionary"):
        objective_data(settings.model_copy(update={"objective": None}))


def test_pretraining_takes_no_objective_of_adaptation() -> None:
    for name in ("lexical_contrast", "translico", "entity_prediction"):
        with pytest.raises(LexigraftError, match=f"objective is one of adaptation: {name}"):
            pretraining_objective(PretrainSettings(objective=name, objective_options={}))
