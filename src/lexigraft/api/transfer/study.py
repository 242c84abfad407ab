"""A transfer study as a study, with its stages and cells."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

from lexigraft.api.doctor.sizes import cell_bytes
from lexigraft.api.study.plan import Stage
from lexigraft.api.study.study import COMPARISON, PREPARED, Opened, Say, Study
from lexigraft.api.study.trained_tokenizer import train_tokenizer_once, trained_tokenizer_path
from lexigraft.api.transfer.cells import TransferCellRunner, transfer_cells
from lexigraft.api.transfer.inputs import TransferTexts
from lexigraft.api.transfer.setup import check_settings, describe_transfer, open_texts
from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.models.disk_model import read_header
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.hashing import model_hash
from lexigraft.report.transfer.writer import TransferPaths, write_transfer_report

TOKENIZER = "tokenizer-"
"""What the id of a stage begins with that trains a target's tokenizer; the target's name follows."""


class TransferStudy(Study[TransferPaths]):
    """A transfer study: one cell for each donor and control with each seed.

    Args:
        recipe: The recipe.
    """

    several_processes: ClassVar[bool] = False

    def __init__(self, recipe: TransferSettings) -> None:
        self.recipe: TransferSettings = recipe

    @cached_property
    def texts(self) -> TransferTexts:
        """The texts and tasks of the checked recipe."""
        return open_texts(self.recipe)

    def check(self) -> None:
        """See :meth:`Study.check`."""
        _ = self.texts

    def check_from_afar(self, *, files: bool) -> None:
        """See :meth:`Study.check_from_afar`."""
        self.check() if files else check_settings(self.recipe)

    @property
    def cell_names(self) -> tuple[tuple[str, int], ...]:
        """See :attr:`Study.cell_names`."""
        return self.recipe.cell_names

    @property
    def stages_after(self) -> dict[str, tuple[str, ...]]:
        """See :attr:`Study.stages_after`."""
        tokenizers = tuple(f"{TOKENIZER}{name}" for name in self._trained_tokenizers)
        return {**dict.fromkeys(tokenizers, ()), COMPARISON: tokenizers}

    @property
    def cells_after(self) -> dict[str, tuple[str, ...]]:
        """See :attr:`Study.cells_after`: every cell grafts each target's vocabulary."""
        return {label: self.stages_after[COMPARISON] for label, _ in self.cell_names}

    @property
    def _trained_tokenizers(self) -> dict[str, TokenizerSettings]:
        """The tokenizers that are trained for a graft, by target."""
        targets = self.recipe.targets.items() if self.recipe.graft is not None else ()
        return {name: one.tokenizer for name, one in targets if isinstance(one.tokenizer, TokenizerSettings)}

    def open(self, folder: Path, say: Say = lambda text: None) -> Opened:
        """See :meth:`Study.open`."""
        texts = self.texts
        for name, settings in self._trained_tokenizers.items():
            train_tokenizer_once(settings, texts.train[name], folder / PREPARED, say)
        runner = TransferCellRunner(self.recipe, folder, texts)
        return Opened(describe_transfer(self.recipe, texts, runner.vocabulary), runner)

    def cells(self, folder: Path | None) -> tuple[Cell, ...]:
        """See :meth:`Study.cells`; the keys depend on no stage."""
        return self._listed

    @cached_property
    def _listed(self) -> tuple[Cell, ...]:
        return transfer_cells(self.recipe, self.texts, model_hash(self.recipe.source))

    def found_stage(self, stage: str, folder: Path | None) -> Stage:
        """See :meth:`Study.found_stage`."""
        name = stage.removeprefix(TOKENIZER)
        settings, text = self._trained_tokenizers[name], self.texts.train[name]
        path = Path(trained_tokenizer_path(settings, text, (folder or Path()) / PREPARED))
        done = folder is not None and path.is_dir()
        return Stage(stage, f"the tokenizer of {name}, trained", self.stages_after[stage], path.name, done)

    def make_stage(self, stage: str, folder: Path, say: Say) -> None:
        """See :meth:`Study.make_stage`."""
        name = stage.removeprefix(TOKENIZER)
        train_tokenizer_once(self._trained_tokenizers[name], self.texts.train[name], folder / PREPARED, say)

    def refuse_processes(self, cell: Cell) -> None:
        """Refuse every cell: what is measured between steps is measured by one process.

        Raises:
            LexigraftError: Always.
        """
        hint = "Start the cell without a launcher; several cells at a time use several GPUs"
        raise LexigraftError("a cell of a transfer study runs in one process", cell.title, hint)

    def write_report(self, folder: Path) -> TransferPaths:
        """See :meth:`Study.write_report`."""
        return write_transfer_report(folder)

    def cell_bytes(self) -> int:
        """See :meth:`Study.cell_bytes`."""
        header = read_header(self.recipe.source)
        asked = [one.tokenizer for one in self.recipe.targets.values()] if self.recipe.graft is not None else []
        sizes = [t.size if isinstance(t, TokenizerSettings) else load_vocabulary(t or "").size for t in asked]
        return cell_bytes(self.recipe.adaptation, header, max([header.rows, *sizes]))
