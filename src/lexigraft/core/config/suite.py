"""Schema of a benchmark suite."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lexigraft.core.config.base import Settings


class SuiteRecipe(Settings):
    """One comparison of a suite: a recipe's path, and dotted keys with values that replace the recipe's."""

    path: str
    overrides: dict[str, Any] = Field({})


def _recipe(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class SuiteSettings(Settings):
    """A benchmark suite: comparisons over languages, models or sizes that make one leaderboard.

    `record_file` holds published results: `--only` adds a strategy to them without running the others again.
    """

    name: str
    recipes: Annotated[list[Annotated[SuiteRecipe, BeforeValidator(_recipe)]], Field(min_length=1)]
    record_file: str | None = None
