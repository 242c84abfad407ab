"""Arms: which lines a recipe has, with the control without augmentation always there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import dump_recipe, read_recipe
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.errors import LexigraftError

LEIA = {"augment": [{"leia": {"p": 0.5}}]}


def recipe(**keys: Any) -> CompareSettings:
    base = {"source": "a", "target_tokenizer": "b", "corpus": {"train": "c"}, "strategies": ["mean", "focus"]}
    return validate(CompareSettings, {**base, **keys}, "recipe")


def labels(found: CompareSettings) -> list[tuple[str, str | None]]:
    return [(line.label, line.control) for line in found.lines]


def test_without_arms_the_lines_are_the_strategies() -> None:
    found = recipe()
    assert labels(found) == [("mean", None), ("focus", None)]
    assert all(line.adaptation == found.adaptation for line in found.lines)
    assert {"arms", "augment", "documents"}.isdisjoint({*found.model_dump(), *found.model_dump()["adaptation"]})


def test_a_recipe_that_augments_has_its_control() -> None:
    found = recipe(adaptation=LEIA, reference="mean")
    assert labels(found) == [
        ("mean, augmented", "mean, plain"), ("mean, plain", None),
        ("focus, augmented", "focus, plain"), ("focus, plain", None),
    ]  # fmt: skip
    assert found.reference_label == "mean, plain"
    augmented, plain = (line.adaptation for line in found.lines[:2])
    assert augmented.augment == [{"leia": {"p": 0.5}}]
    assert plain == augmented.model_copy(update={"augment": []})


def test_an_arm_named_without_augmentation_is_the_control() -> None:
    found = recipe(strategies=["mean"], arms={"leia": LEIA, "text": None}, reference="mean, leia")
    assert labels(found) == [("mean, leia", "mean, text"), ("mean, text", None)]
    assert found.reference_label == "mean, leia"


def test_arms_of_other_rates_each_get_a_control() -> None:
    arms = {"fast": {**LEIA, "learning_rate": 0.01}, "slow": {**LEIA, "learning_rate": 0.001}}
    found = recipe(strategies=["mean"], arms=arms)
    assert labels(found) == [
        ("mean, fast", "mean, plain"), ("mean, slow", "mean, slow plain"),
        ("mean, plain", None), ("mean, slow plain", None),
    ]  # fmt: skip
    assert [line.adaptation.learning_rate for line in found.lines] == [0.01, 0.001, 0.01, 0.001]


def test_a_written_recipe_reads_back_to_the_same_lines(tmp_path: Path) -> None:
    found = recipe(arms={"leia": LEIA, "joined": {"documents": "joined"}}, adaptation={"steps": 10})
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(found))
    assert read_recipe(path) == found
    assert read_recipe(path).lines == found.lines
    assert yaml.safe_load(path.read_text())["arms"]["leia"] == LEIA


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"arms": {"long": {"steps": 3}}}, "arm 'long' sets steps; all arms train on equal tokens"),
        ({"arms": {"x": {"learning_rat": 3}}}, "arm 'x': learning_rat: Extra inputs are not permitted"),
        ({"arms": {"x": {"augment": [{"leia": {}, "other": {}}]}}}, "an augmenter is a name"),
        ({"adaptation": {"augment": [3]}}, "an augmenter is a name, or a name with its options"),
        ({"adaptation": {"documents": "apart"}}, "separated"),
        ({"arms": {"a,b": {}}}, "arms"),
        ({"adaptation": LEIA, "reference": "random"}, "reference 'random' is not among the strategies"),
    ],
)
def test_arms_that_cannot_be_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(LexigraftError, match=message):
        recipe(**keys)


def test_a_transfer_study_does_not_augment() -> None:
    study = {
        "source": "a",
        "donors": {"swh": {"train": "b"}},
        "targets": {"quy": {"heldout": "c", "train": "d"}},
        "adaptation": LEIA,
    }
    with pytest.raises(LexigraftError, match=r"adaptation\.augment belongs to a comparison"):
        validate(TransferSettings, study, "recipe")
