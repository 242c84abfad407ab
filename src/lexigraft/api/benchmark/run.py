"""A benchmark suite from its recipes to its leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.api.benchmark.compared import comparison_record
from lexigraft.api.compare.run import compare
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_recipe, read_settings
from lexigraft.core.config.suite import SuiteSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.benchmark.leaderboard import Leaderboard, leaderboard
from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, read_record, write_record
from lexigraft.core.evaluation.cells.runner import Progress
from lexigraft.core.utils.versions import versions
from lexigraft.report.benchmark import BenchmarkPaths, write_benchmark_report

RECORD = "record.json"


@dataclass(frozen=True)
class Benchmarked:
    """A finished suite.

    Attributes:
        leaderboard: Its strategies, best first.
        record: The file of its results.
        report: The leaderboard's files.
    """

    leaderboard: Leaderboard
    record: Path
    report: BenchmarkPaths


def benchmark(
    suite: str | Path,
    out: str | Path,
    *,
    only: Sequence[str] = (),
    record: str | Path | None = None,
    jobs: int = 1,
    backend: str | None = None,
    backend_config: str | Path | None = None,
    max_parallel: int = 1,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Benchmarked:
    """Run every comparison of a suite, each in a folder of its own, and rank the strategies over all of them.

    A run that was interrupted goes on: finished cells are kept.

    Args:
        suite: The suite's YAML file.
        out: The folder for the comparisons, the record and the leaderboard.
        only: Strategies that run; the others' figures are those of the record.
        record: The published record, for ``only``; the suite's own where not given.
        jobs: Cells at a time on this machine.
        backend: The launcher whose jobs run stages and cells; None for this process.
        backend_config: Its configuration, a YAML or JSON file.
        max_parallel: Most jobs of the backend at a time.
        say: Called with a line on what is being prepared.
        progress: Called when a cell has finished.

    Returns:
        The leaderboard, with its files.

    Raises:
        LexigraftError: Anything wrong with the suite, a recipe or the record, before the first cell runs; or cells
            that failed.
    """
    path = Path(suite)
    settings = read_settings(path, SuiteSettings)
    recipes = _recipes(settings, only)
    published = _published(settings, path, record) if only else None
    if published is not None and (missing := [name for name in recipes if name not in published.comparisons]):
        raise LexigraftError("the record lacks a comparison of the suite", missing[0], f"It holds {published.names}")
    home = Path(out)
    comparisons = {}
    for name, recipe in recipes.items():
        say(f"{settings.name}: {name}")
        done = compare(
            recipe, home / name, jobs=jobs, backend=backend, backend_config=backend_config, max_parallel=max_parallel,
            say=say, progress=progress,
        )  # fmt: skip
        comparisons[name] = comparison_record(done.out)
    measured = BenchmarkRecord(settings.name, comparisons, {k: str(v) for k, v in versions().items()})
    result = measured if published is None else published.merged(measured)
    write_record(result, home / RECORD)
    board = leaderboard(result)
    return Benchmarked(board, home / RECORD, write_benchmark_report(board, result, home))


def _recipes(settings: SuiteSettings, only: Sequence[str]) -> dict[str, CompareSettings]:
    """Every comparison's recipe by its name, read before the first of them runs."""
    recipes: dict[str, CompareSettings] = {}
    for entry in settings.recipes:
        recipe = read_recipe(Path(entry.path), entry.overrides)
        if recipe.name in recipes:
            raise LexigraftError("two recipes of the suite share a name", recipe.name, "Give one of them another name")
        recipes[recipe.name] = _restricted(recipe, only) if only else recipe
    return recipes


def _restricted(recipe: CompareSettings, only: Sequence[str]) -> CompareSettings:
    """The recipe with some strategies alone: its own lines of these names, and others with their default fields."""
    own = {entry.label: entry for entry in recipe.strategies}
    strategies: list[Any] = [own.get(name, name) for name in only]
    values: Mapping[str, Any] = recipe.model_dump(mode="json", exclude={"strategies", "reference"})
    return validate(CompareSettings, {**values, "strategies": strategies}, f"recipe {recipe.name}")


def _published(settings: SuiteSettings, path: Path, record: str | Path | None) -> BenchmarkRecord:
    if record is None and settings.record_file is None:
        raise LexigraftError("this suite has no published record", path, "Give --record, or leave out --only")
    return read_record(Path(record if record is not None else str(settings.record_file)))
