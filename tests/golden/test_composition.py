"""Strategies inside strategies, and a comparison line's own norm calibration."""

from __future__ import annotations

import pytest

from fixtures.small_worlds import words
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import dump_recipe
from lexigraft.core.errors import UnknownName
from lexigraft.core.grafting.chains import named_chain, named_needs
from lexigraft.core.grafting.needs import Need

SOURCE = words("sun", "moon", "star", "##s")
TARGET = words("sun", "moon", "star", "inti", "suns", "killa")
INTI, SUNS, KILLA = 5, 6, 7
TABLE = [[0, 1], [2, 0], [1, 2], [3, -1], [0, 5], [6, -1]]


def test_needs_are_those_of_the_named_strategies() -> None:
    assert named_needs("focus,subword_mean") == {Need.TARGET_VECTORS}
    assert [s.name for s in named_chain("focus, mean")] == ["focus", "mean"]


def test_impossible_starts_are_refused() -> None:
    with pytest.raises(UnknownName, match="focus"):
        named_chain("focsu")
    with pytest.raises(ValueError, match="poor model's body"):
        named_chain("poor")
    with pytest.raises(ValueError, match="at least one"):
        named_chain(" , ")


def recipe(strategies: list[object]) -> CompareSettings:
    values = {"source": "x", "target_tokenizer": "y", "corpus": {"train": "z"}, "strategies": strategies}
    return validate(CompareSettings, values, "recipe")


def test_a_line_calibrates_norms_of_its_own() -> None:
    found = recipe([
        "mean",
        {"name": "mean", "norm_calibration": "script"},
        {"chain": ["focus", "mean"], "norm_calibration": "anchors"},
    ]).strategies  # fmt: skip
    assert [(s.label, s.norm_calibration) for s in found] == [
        ("mean", None),
        ("mean, norms by script", "script"),
        ("focus+mean, norms by anchors", "anchors"),
    ]
    assert all("norm_calibration" not in fields for s in found for _, fields in s.chain)


def test_a_dumped_recipe_keeps_a_lines_calibration(tmp_path: object) -> None:
    import yaml

    before = recipe([{"name": "mean", "label": "m", "norm_calibration": "script"}, "random"])
    assert validate(CompareSettings, yaml.safe_load(dump_recipe(before)), "recipe") == before
