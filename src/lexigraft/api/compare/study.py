"""A comparison as a study, with its stages and cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.api.compare.cell_keys import cells_of
from lexigraft.api.compare.inputs import Prepared, strategy_inputs
from lexigraft.api.compare.preparation import (
    poor_model_path,
    prepare_poor_model,
    prepare_tokenizer,
    tokenizer_path,
)
from lexigraft.api.compare.register import register_winner
from lexigraft.api.compare.setup import (
    Checked,
    check_comparison,
    check_recipe,
    check_target,
    open_comparison,
)
from lexigraft.api.doctor.sizes import cell_bytes
from lexigraft.api.inputs import StrategyInputs
from lexigraft.api.study.plan import Stage
from lexigraft.api.study.study import COMPARISON, PREPARED, Opened, Say, Study
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings, TokenizerSettings
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.grafting.needs import Need, need_specs
from lexigraft.core.grafting.strategy import Strategy, uses_of
from lexigraft.core.models.disk_model import read_header
from lexigraft.core.remote.job_files import write_json
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import hash_of, model_hash
from lexigraft.core.utils.not_none import not_none
from lexigraft.report.writer import ReportPaths, write_report

if TYPE_CHECKING:
    from lexigraft.adapters.tracking.tracker import MlflowTracker

TOKENIZER, POOR_MODEL = "tokenizer", "poor_model"
_WORDS = {TOKENIZER: "the target tokenizer, trained", POOR_MODEL: "the poor model, pre-trained"}


class ComparisonStudy(Study[ReportPaths]):
    """A comparison of strategies: one cell for each strategy and seed.

    Args:
        recipe: The recipe.
    """

    several_processes: ClassVar[bool] = True

    def __init__(self, recipe: CompareSettings) -> None:
        self.recipe: CompareSettings = recipe
        self._found: Vocabulary | None = None
        self._listed: tuple[Cell, ...] | None = None

    @cached_property
    def checked(self) -> Checked:
        """The recipe, checked with its source model and texts."""
        return check_comparison(self.recipe)

    @cached_property
    def chains(self) -> Mapping[str, Sequence[Strategy]]:
        """The configured strategies by label, checked without the recipe's files."""
        return self.checked.chains if "checked" in self.__dict__ else check_recipe(self._for_any_device)

    @property
    def _for_any_device(self) -> CompareSettings:
        """The recipe without its device, which is one of the machine that the cells run on."""
        return self.recipe.model_copy(update={"graft": self.recipe.graft.model_copy(update={"device": "auto"})})

    def check(self) -> None:
        """See :meth:`Study.check`."""
        _ = self.checked

    def check_from_afar(self, *, files: bool) -> None:
        """See :meth:`Study.check_from_afar`; the device of the graft is looked for by the check of the machine."""
        self.chains = check_comparison(self._for_any_device).chains if files else check_recipe(self._for_any_device)

    @property
    def cell_names(self) -> tuple[tuple[str, int], ...]:
        """Each strategy, in each arm where there are arms, with every seed."""
        return tuple((line.label, seed) for line in self.recipe.lines for seed in self.recipe.seeds)

    @cached_property
    def trained_needs(self) -> tuple[Need, ...]:
        """The needs of the strategies that are trained first, and are stages therefore."""
        given = None if isinstance(self.recipe.poor_model, PretrainSettings) else self.recipe.poor_model
        inputs = strategy_inputs(self.recipe, given)
        used = frozenset[Need]().union(*(uses_of(chain) for chain in self.chains.values()))
        return tuple(
            n for n, spec in need_specs().items() if n in used and spec.available(inputs) and spec.is_stage(inputs)
        )

    @cached_property
    def stages_after(self) -> dict[str, tuple[str, ...]]:
        """See :attr:`Study.stages_after`."""
        tokenizer = () if isinstance(self.recipe.target_tokenizer, str) else (TOKENIZER,)
        poor = (POOR_MODEL,) if isinstance(self.recipe.poor_model, PretrainSettings) else ()
        found: dict[str, tuple[str, ...]] = dict.fromkeys(tokenizer, ())
        found |= dict.fromkeys(map(str, self.trained_needs), tokenizer) | dict.fromkeys(poor, tokenizer)
        return found | {COMPARISON: tokenizer + poor}

    @cached_property
    def cells_after(self) -> dict[str, tuple[str, ...]]:
        """See :attr:`Study.cells_after`."""
        common, trained = self.stages_after[COMPARISON], self.trained_needs
        return {
            label: (*common, *(str(n) for n in trained if n in uses_of(chain))) for label, chain in self.chains.items()
        }

    def open(self, folder: Path, say: Say = lambda text: None) -> Opened:
        """See :meth:`Study.open`."""
        return open_comparison(self.checked, folder, say)

    def refuse_processes(self, cell: Cell) -> None:
        """Refuse a strategy that trains and measures candidates.

        Raises:
            LexigraftError: The cell's strategy is one.
        """
        if Need.PROBE in uses_of(self.chains[cell.label]):
            hint = "Its graft trains and measures candidates; start the cell without a launcher"
            raise LexigraftError("this strategy runs in one process", cell.label, hint)

    def conclude(self, tracker: MlflowTracker, folder: Path, say: Say) -> str:
        """Register the winner, where the recipe names the model; returns a warning, empty where all went well."""
        return register_winner(self.checked, tracker, folder, say)

    def write_report(self, folder: Path) -> ReportPaths:
        """See :meth:`Study.write_report`."""
        return write_report(folder)

    def cell_bytes(self) -> int:
        """See :meth:`Study.cell_bytes`."""
        asked = self.recipe.target_tokenizer
        header = read_header(self.recipe.source)
        if isinstance(asked, TokenizerChangeSettings):
            rows = asked.tokens(header.rows)
        else:
            rows = asked.size if isinstance(asked, TokenizerSettings) else load_vocabulary(asked).size
        return cell_bytes(self.recipe.adaptation, header, rows)

    @property
    def kept_models(self) -> int:
        """One for each cell, where the recipe says so."""
        return len(self.cell_names) if self.recipe.keep_models else 0

    def make_stage(self, stage: str, folder: Path, say: Say) -> None:
        """See :meth:`Study.make_stage`."""
        prepared, texts = folder / PREPARED, self.checked.texts
        vocabulary = load_vocabulary(prepare_tokenizer(self.recipe, texts, prepared, say))
        check_target(self.checked, vocabulary)
        if stage == POOR_MODEL:
            prepare_poor_model(self.recipe, texts, vocabulary, prepared, say)
        elif stage != TOKENIZER:
            say(f"making {stage}")
            self._inputs.loaders(vocabulary, prepared / "vectors")[Need(stage)]()
            write_json(_mark(folder, not_none(self.found_stage(stage, folder).address)), {"stage": stage})

    def found_stage(self, stage: str, folder: Path | None) -> Stage:
        """See :meth:`Study.found_stage`."""
        vocabulary, words, texts = self._vocabulary(folder), _WORDS.get(stage, ""), self.checked.texts
        address, done = None, False
        if stage == TOKENIZER:
            path = Path(tokenizer_path(self.recipe, texts, _prepared(folder)))
            address, done = path.name, folder is not None and path.is_dir()
        elif stage == POOR_MODEL and vocabulary is not None:
            path = Path(not_none(poor_model_path(self.recipe, texts, vocabulary, _prepared(folder))))
            address, done = path.name, folder is not None and path.is_dir()
        elif stage not in _WORDS:
            words = f"the need '{stage}', trained"
            if vocabulary is not None:
                address = f"{stage}-{self._need_hash(Need(stage), vocabulary)[:12]}"
                done = folder is not None and _mark(folder, address).exists()
        return Stage(stage, words, self.stages_after[stage], address, done)

    @cached_property
    def _inputs(self) -> StrategyInputs:
        given = None if isinstance(self.recipe.poor_model, PretrainSettings) else self.recipe.poor_model
        return strategy_inputs(self.recipe, given, self.checked.texts)

    def _need_hash(self, need: Need, vocabulary: Vocabulary) -> str:
        texts = self.checked.texts
        source_text = texts.source_train.hash if texts.source_train is not None else None
        content = self._inputs.contents(frozenset({need})).get(need)
        return hash_of([need, content, texts.train.hash, source_text, vocabulary.hash, self._source_hash])

    @cached_property
    def _source_hash(self) -> str:
        return model_hash(self.recipe.source)

    def _vocabulary(self, folder: Path | None) -> Vocabulary | None:
        """The target vocabulary, if it is there already."""
        if self._found is None:
            path = tokenizer_path(self.recipe, self.checked.texts, _prepared(folder))
            if not isinstance(self.recipe.target_tokenizer, str) and not (folder and Path(path).is_dir()):
                return None
            self._found = load_vocabulary(path)
        return self._found

    def cells(self, folder: Path | None) -> tuple[Cell, ...] | None:
        """See :meth:`Study.cells`."""
        if (vocabulary := self._vocabulary(folder)) is None:
            return None
        texts, recipe, prepared = self.checked.texts, self.recipe, _prepared(folder)
        poor = poor_model_path(recipe, texts, vocabulary, prepared)
        if isinstance(recipe.poor_model, PretrainSettings) and not (folder and Path(not_none(poor)).is_dir()):
            return None
        if self._listed is None:
            inputs = Prepared(tokenizer_path(recipe, texts, prepared), poor, self._source_hash)
            self._listed = cells_of(recipe, inputs, texts, vocabulary.hash, self.checked.chains)
        return self._listed


def _prepared(folder: Path | None) -> Path:
    return (folder or Path()) / PREPARED


def _mark(folder: Path, address: str) -> Path:
    return folder / PREPARED / "stages" / f"{address}.json"
