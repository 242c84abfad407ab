"""Stages of a comparison: what its cells share, each made once, by itself or by whoever needs it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lexigraft.api.compare.cell import cells_of
from lexigraft.api.compare.inputs import (
    Prepared,
    poor_model_path,
    prepare_poor_model,
    prepare_tokenizer,
    strategy_inputs,
    tokenizer_path,
)
from lexigraft.api.compare.setup import PREPARED, Checked, check_target, open_comparison
from lexigraft.api.inputs import StrategyInputs
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings, TokenizerSettings
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.cells.cell import Cell, cell_name
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_result, save_comparison
from lexigraft.core.grafting.needs import Need, need_specs
from lexigraft.core.grafting.strategy import Strategy, uses_of
from lexigraft.core.remote.job_files import write_json
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import made_once
from lexigraft.core.utils.hashing import hash_of, model_hash
from lexigraft.core.utils.not_none import not_none

Say = Callable[[str], None]
TOKENIZER, POOR_MODEL, COMPARISON = "tokenizer", "poor_model", "comparison"
_WORDS = {
    TOKENIZER: "the target tokenizer, trained",
    POOR_MODEL: "the poor model, pre-trained",
    COMPARISON: "the list of cells with their keys (comparison.json)",
}


@dataclass(frozen=True)
class Stage:
    """Something that cells share.

    Attributes:
        id: Its name: ``tokenizer``, ``poor_model``, ``comparison``, or a need such as ``target_vectors``.
        words: What it makes.
        after: The stages whose results it takes.
        address: Its name with the hash of everything that makes it; None until the stages before it are done.
        done: Whether it is made.
    """

    id: str
    words: str
    after: tuple[str, ...]
    address: str | None
    done: bool


@dataclass(frozen=True)
class PlannedCell:
    """A cell that is to run.

    Attributes:
        id: ``label-sSEED``; what ``lexigraft cell run --cell`` takes.
        label: The strategy's label.
        seed: The seed.
        key: The hash of everything that makes its result; None until the stages before it are done.
        after: The stages whose results it takes.
        done: Whether its result is there.
    """

    id: str
    label: str
    seed: int
    key: str | None
    after: tuple[str, ...]
    done: bool


@dataclass(frozen=True)
class Plan:
    """Everything that a recipe asks for: the stages in an order in which they can run, then the cells."""

    name: str
    stages: tuple[Stage, ...]
    cells: tuple[PlannedCell, ...]


def cell_ids(recipe: CompareSettings) -> dict[tuple[str, int], str]:
    """The id of each cell by label and seed; labels that differ only in unsafe characters are told apart by a hash."""
    ids: dict[tuple[str, int], str] = {}
    for label in (line.label for line in recipe.lines):
        for seed in recipe.seeds:
            name = cell_name(label, seed)
            taken = name in ids.values()
            ids[label, seed] = cell_name(f"{label[:60]}-{hash_of(label)[:8]}", seed) if taken else name
    return ids


def find_cell(recipe: CompareSettings, cells: tuple[Cell, ...], given: str) -> Cell:
    """The cell of an id, or of the name of its folder, which holds its key too.

    Raises:
        UnknownName: The recipe has no such cell, with the closest one.
        LexigraftError: The recipe has the cell, but with another key.
    """
    ids = cell_ids(recipe)
    by_id = {ids[cell.label, cell.seed]: cell for cell in cells}
    if (cell := by_id.get(given) or next((cell for cell in cells if cell.folder == given), None)) is not None:
        return cell
    for name, cell in by_id.items():
        if given.rpartition("-")[0] in (name, cell.folder.rpartition("-")[0]):
            hint = f"Here and now it is {cell.folder}: the recipe, its files or the versions of packages differ"
            raise LexigraftError("the cell has another key", given, hint)
    raise UnknownName("cell", given, by_id)


def trained_needs(recipe: CompareSettings, chains: Mapping[str, Sequence[Strategy]]) -> tuple[Need, ...]:
    """The needs of a recipe's strategies that are trained first, and are stages therefore."""
    given = None if isinstance(recipe.poor_model, PretrainSettings) else recipe.poor_model
    inputs = strategy_inputs(recipe, given)
    used = frozenset[Need]().union(*(uses_of(chain) for chain in chains.values()))
    return tuple(
        n for n, spec in need_specs().items() if n in used and spec.available(inputs) and spec.is_stage(inputs)
    )


def stages_after(recipe: CompareSettings, chains: Mapping[str, Sequence[Strategy]]) -> dict[str, tuple[str, ...]]:
    """Every stage with those that it takes results of, in an order in which they can run; no file is read."""
    tokenizer = (TOKENIZER,) if isinstance(recipe.target_tokenizer, TokenizerSettings) else ()
    poor = (POOR_MODEL,) if isinstance(recipe.poor_model, PretrainSettings) else ()
    found: dict[str, tuple[str, ...]] = dict.fromkeys(tokenizer, ())
    found |= dict.fromkeys(map(str, trained_needs(recipe, chains)), tokenizer) | dict.fromkeys(poor, tokenizer)
    return found | {COMPARISON: tokenizer + poor}


def cells_after(recipe: CompareSettings, chains: Mapping[str, Sequence[Strategy]]) -> dict[str, tuple[str, ...]]:
    """The stages whose results the cells of each label take; no file is read."""
    common, trained = stages_after(recipe, chains)[COMPARISON], trained_needs(recipe, chains)
    return {label: (*common, *(str(n) for n in trained if n in uses_of(chain))) for label, chain in chains.items()}


class Stages:
    """The stages of one recipe in one folder.

    Args:
        checked: The checked recipe.
        folder: The comparison's folder; None where nothing is made, only planned.
    """

    def __init__(self, checked: Checked, folder: Path | None) -> None:
        self.checked, self.recipe, self.folder = checked, checked.recipe, folder
        self._prepared = (folder or Path()) / PREPARED
        self._found: Vocabulary | None = None
        self._listed: tuple[Cell, ...] | None = None

    @cached_property
    def after(self) -> dict[str, tuple[str, ...]]:
        """Every stage with those that it takes results of, in an order in which they can run."""
        return stages_after(self.recipe, self.checked.chains)

    def plan(self) -> Plan:
        """The stages and cells with what is known about them now."""
        cells = {(cell.label, cell.seed): cell for cell in self._cells() or ()}
        after = cells_after(self.recipe, self.checked.chains)
        planned = []
        for (label, seed), name in cell_ids(self.recipe).items():
            cell = cells.get((label, seed))
            done = cell is not None and self.folder is not None and load_result(self.folder, cell) is not None
            planned.append(PlannedCell(name, label, seed, cell.key if cell else None, after[label], done))
        return Plan(self.recipe.name, tuple(map(self._stage, self.after)), tuple(planned))

    def make(self, stage: str, say: Say = lambda text: None) -> Stage:
        """Make one stage, with those before it where they are missing; what is made already stays.

        Args:
            stage: Its id.
            say: Called with a line on what is being made.

        Raises:
            UnknownName: The recipe has no such stage.
            LexigraftError: Inputs that cannot be used.
        """
        if stage not in self.after:
            raise UnknownName("stage", stage, self.after)
        folder = not_none(self.folder)
        if (planned := self._stage(stage)).done:
            say(f"{stage} was made before")
            return planned
        tokenizer = prepare_tokenizer(self.recipe, self.checked.texts, self._prepared, say)
        vocabulary = load_vocabulary(tokenizer)
        check_target(self.checked, vocabulary)
        if stage == POOR_MODEL:
            prepare_poor_model(self.recipe, self.checked.texts, vocabulary, self._prepared, say)
        elif stage == COMPARISON:
            opened = open_comparison(self.checked, folder, say)
            with made_once(folder / "comparison.json", say):
                save_comparison(folder, opened.comparison, opened.recipe_text)
        elif stage != TOKENIZER:
            say(f"making {stage}")
            self._inputs.loaders(vocabulary, self._prepared / "vectors")[Need(stage)]()
            write_json(self._mark(not_none(self._stage(stage).address)), {"stage": stage})
        return self._stage(stage)

    @cached_property
    def _inputs(self) -> StrategyInputs:
        given = None if isinstance(self.recipe.poor_model, PretrainSettings) else self.recipe.poor_model
        return strategy_inputs(self.recipe, given, self.checked.texts)

    def _stage(self, stage: str) -> Stage:
        vocabulary, words = self._vocabulary(), _WORDS.get(stage, "")
        address, done = None, False
        if stage == TOKENIZER:
            path = Path(tokenizer_path(self.recipe, self.checked.texts, self._prepared))
            address, done = path.name, self.folder is not None and path.is_dir()
        elif stage == POOR_MODEL and vocabulary is not None:
            path = Path(not_none(poor_model_path(self.recipe, self.checked.texts, vocabulary, self._prepared)))
            address, done = path.name, self.folder is not None and path.is_dir()
        elif stage == COMPARISON and (cells := self._cells()) is not None:
            address, done = f"comparison-{hash_of([cell.key for cell in cells])[:12]}", self._is_listed(cells)
        elif stage not in _WORDS:
            words = f"the need '{stage}', trained"
            if vocabulary is not None:
                address = f"{stage}-{self._need_hash(Need(stage), vocabulary)[:12]}"
                done = self.folder is not None and self._mark(address).exists()
        return Stage(stage, words, self.after[stage], address, done)

    def _need_hash(self, need: Need, vocabulary: Vocabulary) -> str:
        texts = self.checked.texts
        source_text = texts.source_train.hash if texts.source_train is not None else None
        content = self._inputs.contents(frozenset({need})).get(need)
        return hash_of([need, content, texts.train.hash, source_text, vocabulary.hash, self._source_hash])

    def _mark(self, address: str) -> Path:
        return self._prepared / "stages" / f"{address}.json"

    @cached_property
    def _source_hash(self) -> str:
        return model_hash(self.recipe.source)

    def _vocabulary(self) -> Vocabulary | None:
        """The target vocabulary, if it is there already."""
        if self._found is None:
            path = tokenizer_path(self.recipe, self.checked.texts, self._prepared)
            if isinstance(self.recipe.target_tokenizer, TokenizerSettings) and not (
                self.folder and Path(path).is_dir()
            ):
                return None
            self._found = load_vocabulary(path)
        return self._found

    def _cells(self) -> tuple[Cell, ...] | None:
        """The cells with their keys, if everything that the keys depend on is there already."""
        if (vocabulary := self._vocabulary()) is None:
            return None
        texts, recipe = self.checked.texts, self.recipe
        poor = poor_model_path(recipe, texts, vocabulary, self._prepared)
        if isinstance(recipe.poor_model, PretrainSettings) and not (self.folder and Path(not_none(poor)).is_dir()):
            return None
        if self._listed is None:
            prepared = Prepared(tokenizer_path(recipe, texts, self._prepared), poor, self._source_hash)
            self._listed = cells_of(recipe, prepared, texts, vocabulary.hash, self.checked.chains)
        return self._listed

    def _is_listed(self, cells: tuple[Cell, ...]) -> bool:
        try:
            return self.folder is not None and load_comparison(self.folder).cells == cells
        except LexigraftError:
            return False
