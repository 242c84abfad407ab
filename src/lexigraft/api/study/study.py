"""The contract of studies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from lexigraft.api.study.plan import Plan, PlannedCell, Stage
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.config.recipe_files import dump_recipe
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.cells.cell import Cell, Comparison, cell_name
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_result, save_comparison
from lexigraft.core.evaluation.cells.runner import RunCell
from lexigraft.core.utils.files import made_once
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from lexigraft.adapters.tracking.tracker import MlflowTracker

Say = Callable[[str], None]
COMPARISON = "comparison"
"""The stage that lists the cells with their keys, after which cells can be told by these."""
PREPARED = "prepared"
"""The folder of a study for what its cells share."""


class ReportFiles(Protocol):
    """The files of a written report."""

    @property
    def html(self) -> Path:
        """The page."""

    @property
    def csv(self) -> Path:
        """Every score."""

    def __iter__(self) -> Any:
        """All of them."""


R = TypeVar("R", bound=ReportFiles, covariant=True)


@dataclass(frozen=True)
class Opened:
    """A study whose shared inputs are made: its cells can run.

    Attributes:
        comparison: The cells and facts.
        runner: Runs any of the cells; picklable.
    """

    comparison: Comparison
    runner: RunCell


class Study(ABC, Generic[R]):
    """One recipe, for every process and machine that runs a part of it.

    Attributes:
        recipe: The recipe.
        several_processes: Whether one cell can be trained by several processes of a launcher such as torchrun.
    """

    recipe: CompareSettings | TransferSettings
    several_processes: ClassVar[bool]

    @abstractmethod
    def check(self) -> None:
        """Check the recipe with its source model and texts; what is read stays open for what follows.

        Raises:
            LexigraftError: Anything that keeps the recipe from running here.
        """

    @abstractmethod
    def check_from_afar(self, *, files: bool) -> None:
        """Check the recipe on a machine that only starts its jobs.

        Args:
            files: Whether this machine has the recipe's files under the same paths.

        Raises:
            LexigraftError: Anything that keeps the recipe from running elsewhere, as far as it shows here.
        """

    @property
    @abstractmethod
    def cell_names(self) -> tuple[tuple[str, int], ...]:
        """The label and seed of each cell, in the order of the list of cells; no file is read."""

    @property
    @abstractmethod
    def stages_after(self) -> Mapping[str, tuple[str, ...]]:
        """Every stage with those that it takes results of, in an order in which they can run; no file is read."""

    @property
    @abstractmethod
    def cells_after(self) -> Mapping[str, tuple[str, ...]]:
        """The stages whose results the cells of each label take; no file is read."""

    @abstractmethod
    def open(self, folder: Path, say: Say = lambda text: None) -> Opened:
        """Make what the cells share, or find it from an earlier start, and list the cells.

        Args:
            folder: The study's folder.
            say: Called with a line on what is being prepared.

        Raises:
            LexigraftError: Inputs that cannot be used.
        """

    @abstractmethod
    def cells(self, folder: Path | None) -> tuple[Cell, ...] | None:
        """The cells with their keys, if everything that the keys depend on is there already."""

    @abstractmethod
    def found_stage(self, stage: str, folder: Path | None) -> Stage:
        """A stage other than the list of cells, with what is known about it now."""

    @abstractmethod
    def make_stage(self, stage: str, folder: Path, say: Say) -> None:
        """Make a stage other than the list of cells, with those before it where they are missing."""

    @abstractmethod
    def refuse_processes(self, cell: Cell) -> None:
        """Refuse a cell that several processes cannot train together.

        Raises:
            LexigraftError: Why.
        """

    def conclude(self, tracker: MlflowTracker, folder: Path, say: Say) -> str:
        """Do what follows once every cell is finished and logged; returns a warning, empty where all went well."""
        return ""

    @abstractmethod
    def write_report(self, folder: Path) -> R:
        """Write the report of the cells that are finished."""

    @abstractmethod
    def cell_bytes(self) -> int:
        """Bytes of memory that one cell needs at most, beside the libraries' own.

        Raises:
            LexigraftError: The source or a tokenizer cannot be read.
        """

    @property
    def recipe_text(self) -> str:
        """The recipe's YAML text, without secrets."""
        return dump_recipe(self.recipe)

    @property
    def kept_models(self) -> int:
        """How many models the cells leave on the disk."""
        return 0

    @property
    def cell_ids(self) -> dict[tuple[str, int], str]:
        """The id of each cell by label and seed; labels that differ only in unsafe characters are told apart."""
        ids: dict[tuple[str, int], str] = {}
        for label, seed in self.cell_names:
            name = cell_name(label, seed)
            taken = name in ids.values()
            ids[label, seed] = cell_name(f"{label[:60]}-{hash_of(label)[:8]}", seed) if taken else name
        return ids

    def find_cell(self, cells: tuple[Cell, ...], given: str) -> Cell:
        """The cell of an id, or of the name of its folder, which holds its key too.

        Raises:
            UnknownName: The recipe has no such cell, with the closest one.
            LexigraftError: The recipe has the cell, but with another key.
        """
        ids = self.cell_ids
        by_id = {ids[cell.label, cell.seed]: cell for cell in cells}
        if (cell := by_id.get(given) or next((cell for cell in cells if cell.folder == given), None)) is not None:
            return cell
        for name, cell in by_id.items():
            if given.rpartition("-")[0] in (name, cell.folder.rpartition("-")[0]):
                hint = f"Here and now it is {cell.folder}: the recipe, its files or the versions of packages differ"
                raise LexigraftError("the cell has another key", given, hint)
        raise UnknownName("cell", given, by_id)

    def plan(self, folder: Path | None) -> Plan:
        """The stages and cells with what is known about them now.

        Args:
            folder: The study's folder; None where nothing is made, only planned.
        """
        cells = {(cell.label, cell.seed): cell for cell in self.cells(folder) or ()}
        planned = []
        for (label, seed), name in self.cell_ids.items():
            cell = cells.get((label, seed))
            done = cell is not None and folder is not None and load_result(folder, cell) is not None
            planned.append(PlannedCell(name, label, seed, cell.key if cell else None, self.cells_after[label], done))
        stages = tuple(self.stage(name, folder) for name in self.stages_after)
        return Plan(self.recipe.name, stages, tuple(planned))

    def stage(self, stage: str, folder: Path | None) -> Stage:
        """A stage with what is known about it now.

        Args:
            stage: Its id.
            folder: The study's folder; None where nothing is made, only planned.

        Raises:
            UnknownName: The recipe has no such stage.
        """
        if stage not in self.stages_after:
            raise UnknownName("stage", stage, self.stages_after)
        if stage != COMPARISON:
            return self.found_stage(stage, folder)
        address, done = None, False
        if (cells := self.cells(folder)) is not None:
            address = f"{COMPARISON}-{hash_of([cell.key for cell in cells])[:12]}"
            done = folder is not None and _are_listed(cells, folder)
        words = "the list of cells with their keys (comparison.json)"
        return Stage(stage, words, self.stages_after[stage], address, done)

    def make(self, stage: str, folder: Path, say: Say = lambda text: None) -> Stage:
        """Make one stage, with those before it where they are missing; what is made already stays.

        Args:
            stage: Its id.
            folder: The study's folder.
            say: Called with a line on what is being made.

        Raises:
            UnknownName: The recipe has no such stage.
            LexigraftError: Inputs that cannot be used.
        """
        if (planned := self.stage(stage, folder)).done:
            say(f"{stage} was made before")
            return planned
        if stage == COMPARISON:
            opened = self.open(folder, say)
            with made_once(folder / "comparison.json", say):
                save_comparison(folder, opened.comparison, self.recipe_text)
        else:
            self.make_stage(stage, folder, say)
        return self.stage(stage, folder)


def _are_listed(cells: tuple[Cell, ...], folder: Path) -> bool:
    try:
        return load_comparison(folder).cells == cells
    except LexigraftError:
        return False
