"""Laws of an evaluator's scores."""

from __future__ import annotations

import dataclasses
import math
import posixpath
import re

import numpy as np

from lexigraft.core.evaluation.evaluator import TextData
from lexigraft.testing.evaluator_trial import ModelTrial
from lexigraft.testing.law import Law, require, skip_unless

_LEGAL = re.compile(r"[\w./: -]+", re.ASCII)
_LONGEST = 150
_CLOSE = 1e-9
_IN_BATCHES = 1e-2


def _measures_its_kinds(trial: ModelTrial) -> None:
    _ = trial.first


def _figures_are_finite(trial: ModelTrial) -> None:
    figures = trial.first.figures
    require(bool(figures), "there is no figure")
    for name, value in figures.items():
        require(isinstance(value, float | int) and math.isfinite(value), f"{name} is {value!r}")


def _names_are_legal(trial: ModelTrial) -> None:
    for name in trial.first.figures:
        clean = posixpath.normpath(f"/{name}") == f"/{name}" and name == name.strip()
        legal = clean and bool(_LEGAL.fullmatch(name)) and len(name) <= _LONGEST
        require(legal, f"MLflow does not take the name '{name}': use letters, digits and _ - . : /")


def _an_item_for_each_item(trial: ModelTrial) -> None:
    size, scores = trial.data.read_once.size, trial.first
    skip_unless(bool(scores.items), "no figure has items")
    unknown = [name for name in scores.items if name not in scores.figures]
    require(not unknown, f"items of no figure: {', '.join(unknown)}")
    for name, outcomes in scores.items.items():
        for part in (outcomes.numerators, outcomes.denominators):
            require(part.shape == (size,), f"{name}: outcomes of shape {part.shape} for {size} items")
            require(bool(np.isfinite(part).all()), f"{name}: an outcome is not finite")
        require(bool((outcomes.denominators >= 0).all()), f"{name}: a denominator is negative")


def _figures_are_ratios(trial: ModelTrial) -> None:
    scores = trial.first
    skip_unless(bool(scores.items), "no figure has items")
    for name, outcomes in scores.items.items():
        figure, ratio = scores.figures[name], outcomes.ratio
        close = math.isclose(figure, ratio, rel_tol=_CLOSE, abs_tol=_CLOSE)
        require(close, f"{name} is {figure}, the ratio of its items is {ratio}")


def _items_follow_the_data(trial: ModelTrial) -> None:
    data = trial.data.read_once
    skip_unless(isinstance(data, TextData), "only the evaluator knows the order of its items")
    assert isinstance(data, TextData)
    skip_unless(bool(trial.first.items), "no figure has items")
    backwards = dataclasses.replace(data, lines=list(data.lines)[::-1])
    found = trial.data.evaluator.evaluate(trial.model, trial.fixture.source, backwards, trial.context(0))
    for name, outcomes in trial.first.items.items():
        for one, two in zip(outcomes, found.items[name], strict=True):
            same = np.allclose(one[::-1], two, rtol=_IN_BATCHES, atol=_IN_BATCHES)
            require(same, f"{name}: reversed lines do not give reversed outcomes")


LAWS = tuple(
    Law(name, "scores", check)
    for name, check in {
        "every declared kind is measured": _measures_its_kinds,
        "figures are finite": _figures_are_finite,
        "names are legal for MLflow": _names_are_legal,
        "every item has its outcome": _an_item_for_each_item,
        "figures are the ratios of their items": _figures_are_ratios,
        "items follow the data's order": _items_follow_the_data,
    }.items()
)
