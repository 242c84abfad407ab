"""A benchmark suite from its recipes to its leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from lexigraft.api.benchmark.comparison_record import comparison_record
from lexigraft.api.benchmark.input_check import refuse_other_inputs
from lexigraft.api.compare.run import compare
from lexigraft.api.compare.study import ComparisonStudy
from lexigraft.api.study.run_options import RunOptions
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import read_recipe, read_settings
from lexigraft.core.config.suite import SuiteSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.benchmark.leaderboard import Leaderboard, leaderboard
from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, read_record, write_record
from lexigraft.core.remote.backend import read_backend
from lexigraft.core.utils.versions import versions
from lexigraft.report.benchmark.leaderboard import BenchmarkPaths, write_benchmark_report

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
    **options: Unpack[RunOptions],
) -> Benchmarked:
    """Run every comparison of a suite, each in a folder of its own, and rank the strategies over all of them.

    A run that was interrupted goes on: finished cells are kept.

    Args:
        suite: The suite's YAML file.
        out: The folder for the comparisons, the record and the leaderboard.
        only: Strategies that run; the others' figures are those of the record.
        record: The published record, for ``only``; the suite's own where not given.
        **options: How the cells of each run; see :class:`RunOptions`.

    Returns:
        The leaderboard, with its files.

    Raises:
        LexigraftError: Anything wrong with the suite, a recipe or the record, before the first cell runs; or cells
            that failed.
    """
    path, home = Path(suite), Path(out)
    say = options.get("say", lambda text: None)
    settings = read_settings(path, SuiteSettings)
    published = _published(settings, path, record) if only else None
    shares_files = _shares_files(options)
    recipes = _recipes(settings, only, files=shares_files)
    if published is not None:
        records = {name: published.comparison(name) for name in recipes}
        if shares_files:
            refuse_other_inputs(records, recipes, home, say, trains_here=options.get("backend") is None)
    comparisons = {}
    for name, recipe in recipes.items():
        say(f"{settings.name}: {name}")
        done = compare(recipe, home / name, **options)
        comparisons[name] = comparison_record(done.out)
    measured = BenchmarkRecord(settings.name, comparisons, {k: str(v) for k, v in versions().items()})
    result = measured if published is None else published.merged(measured)
    write_record(result, home / RECORD)
    board = leaderboard(result)
    return Benchmarked(board, home / RECORD, write_benchmark_report(board, result, home))


def _recipes(settings: SuiteSettings, only: Sequence[str], *, files: bool) -> dict[str, CompareSettings]:
    """Every comparison's recipe by its name, checked before the first runs, with its files if they are here."""
    recipes: dict[str, CompareSettings] = {}
    for entry in settings.recipes:
        recipe = read_recipe(Path(entry.path), entry.overrides)
        if recipe.name in recipes:
            raise LexigraftError("two recipes of the suite share a name", recipe.name, "Give one of them another name")
        recipes[recipe.name] = _restricted(recipe, only) if only else recipe
        ComparisonStudy(recipes[recipe.name]).check_from_afar(files=files)
    return recipes


def _restricted(recipe: CompareSettings, only: Sequence[str]) -> CompareSettings:
    """The recipe with some strategies alone: its own lines of these names, and others with their default fields."""
    own = {entry.label: entry for entry in recipe.strategies}
    strategies: list[Any] = [own.get(name, name) for name in only]
    values: Mapping[str, Any] = recipe.model_dump(mode="json", exclude={"strategies", "reference"})
    return validate(CompareSettings, {**values, "strategies": strategies}, f"recipe {recipe.name}")


def _shares_files(options: RunOptions) -> bool:
    """Whether this machine has the files that the cells read."""
    backend, config = options.get("backend"), options.get("backend_config")
    return backend is None or read_backend(backend, None if config is None else Path(config)).shares_files


def _published(settings: SuiteSettings, path: Path, record: str | Path | None) -> BenchmarkRecord:
    if record is None and settings.record_file is None:
        raise LexigraftError("this suite has no published record", path, "Give --record, or leave out --only")
    return read_record(Path(record if record is not None else str(settings.record_file)))
