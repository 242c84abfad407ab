"""Shared inputs of a comparison's cells: texts, target tokenizer and poor model, made once and cached by content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lexigraft.api.adaptation_texts import FurtherTexts, read_further_texts
from lexigraft.api.augment import annotations_for
from lexigraft.api.inputs import StrategyInputs, read_sections
from lexigraft.api.pretrain import pretrain_model
from lexigraft.api.probe import ProbeSettings
from lexigraft.api.tasks import Task, read_tasks
from lexigraft.core.config.recipe import (
    CompareSettings,
    CorpusSettings,
    GraftSettings,
    PretrainSettings,
    TokenizerSettings,
)
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.data.annotations import Annotations
from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus, split, without
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.editing.changes import changed
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import made_once, whole_folder
from lexigraft.core.utils.hashing import hash_of, model_hash
from lexigraft.core.utils.not_none import not_none

Say = Callable[[str], None]
POOR_AS_DONOR = "poor_model"
"""The recipe's ``donor`` that means its own poor model, which uses the target tokenizer."""


@dataclass(frozen=True)
class Texts:
    """The texts of a comparison.

    Attributes:
        train: Target text to train on; no line of it is held out.
        heldout: Target text that nothing is trained on.
        also: Further texts to measure, by name; ``source`` is the source text whose retention is measured.
        source_train: Source-language text for word vectors of both languages.
        tasks: Downstream tasks with their data; no line of the training text is one that they test on.
        annotations: The anchors of the training text, where an arm augments by them.
        further: The further texts of the adaptations.
    """

    train: Corpus
    heldout: Corpus
    also: Mapping[str, Corpus]
    source_train: Corpus | None = None
    tasks: tuple[Task, ...] = ()
    annotations: Annotations | None = None
    further: FurtherTexts = field(default_factory=dict)

    @property
    def measured(self) -> dict[str, Corpus]:
        """Every text that models are measured on, by name."""
        return {"heldout": self.heldout, **self.also}

    @property
    def unseen(self) -> frozenset[str]:
        """Every line that models are measured on."""
        texts = [text.lines for text in self.measured.values()]
        return frozenset(line for lines in (*texts, *(task.data.unseen for task in self.tasks)) for line in lines)


@dataclass(frozen=True)
class Shared:
    """Inputs that the cells of a comparison share in one process, opened once.

    Attributes:
        texts: The texts.
        source: The source model on disk.
        target: The target vocabulary.
        chains: The configured strategies by label.
    """

    texts: Texts
    source: DiskModel
    target: Vocabulary
    chains: Mapping[str, Sequence[Strategy]]


@dataclass(frozen=True)
class Prepared:
    """Paths and hashes that a cell needs; small enough to send to another process.

    Attributes:
        target_tokenizer: Folder or file of the target tokenizer.
        poor_model: Folder or Hub name of the poor model, if there is one.
        source_hash: Content of the source model.
    """

    target_tokenizer: str
    poor_model: str | None
    source_hash: str


def load_texts(recipe: CompareSettings) -> Texts:
    """Read and split the texts of a recipe; the same recipe and files give the same split.

    Raises:
        LexigraftError: Missing or empty files, nothing left to hold out, or a task's data that cannot be used.
    """
    corpus = recipe.corpus
    train = load_corpus(corpus.train, text_field=corpus.text_field, limit_lines=corpus.limit_lines)
    if corpus.heldout:
        heldout = load_corpus(corpus.heldout, text_field=corpus.text_field)
    else:
        train, heldout = split(train, corpus.heldout_share, 0)
    further = corpus.also_heldout | ({"source": corpus.source_heldout} if corpus.source_heldout else {})
    also = {name: load_corpus(paths, text_field=corpus.text_field) for name, paths in further.items()}
    tasks = read_tasks(recipe.evaluation.tasks)
    unseen = Corpus.of(line for task in tasks for line in task.data.unseen)
    heldout_texts = (heldout, *also.values(), unseen)
    for text in heldout_texts:
        train = without(train, text)
    if not len(train) or not len(heldout):
        raise LexigraftError("corpus is too small to split", f"{len(train)} training and {len(heldout)} held-out lines")
    limit = corpus.heldout_lines
    measured = {name: evenly_chosen(text, limit) for name, text in also.items()}
    arms = [line.adaptation for line in recipe.lines]
    anchors = annotations_for(arms, train, corpus.train, corpus.text_field)
    source_train = _source_text(corpus, also.values())
    others = read_further_texts(arms, heldout_texts, corpus.text_field)
    return Texts(train, evenly_chosen(heldout, limit), measured, source_train, tasks, anchors, others)


def _source_text(corpus: CorpusSettings, heldout: Iterable[Corpus]) -> Corpus | None:
    if not corpus.source_train:
        return None
    text = load_corpus(corpus.source_train, text_field=corpus.text_field)
    for measured in heldout:
        text = without(text, measured)
    return text


def strategy_inputs(
    recipe: CompareSettings, poor: str | None, texts: Texts | None = None, graft: GraftSettings | None = None
) -> StrategyInputs:
    """The strategies' inputs that a recipe names.

    Args:
        recipe: The recipe.
        poor: The prepared poor model; it is the donor too where the recipe says ``donor: poor_model``.
        texts: The recipe's texts; read on first use where not given.
        graft: Graft settings in place of the recipe's own.
    """
    read = cache(lambda: texts or load_texts(recipe))
    return StrategyInputs(
        source=recipe.source,
        corpus=lambda: read().train,
        source_corpus=(lambda: not_none(read().source_train)) if recipe.corpus.source_train else None,
        vectors=recipe.target_vectors,
        word_vectors=recipe.word_vectors,
        dictionary=recipe.dictionary,
        parallel=recipe.parallel,
        poor_model=poor,
        donor=poor if recipe.donor == POOR_AS_DONOR else recipe.donor,
        gold_links=recipe.gold_links,
        unseen=lambda: read().unseen,
        probing=ProbeSettings(
            recipe.source,
            graft or recipe.graft,
            recipe.adaptation,
            recipe.evaluation.options.get("bits_per_byte", {}),
        ),
        sections=read_sections(recipe.inputs),
    )


def open_shared(recipe: CompareSettings, prepared: Prepared) -> Shared:
    """Open the cells' shared inputs from a recipe and the prepared paths, for a process that has only these."""
    return Shared(
        load_texts(recipe),
        DiskModel(recipe.source, text_model=recipe.graft.text_model),
        load_vocabulary(prepared.target_tokenizer),
        {line.label: make_chain(line.chain) for line in recipe.lines},
    )


def prepare(
    recipe: CompareSettings, texts: Texts, folder: Path, say: Say = lambda text: None
) -> tuple[Prepared, Vocabulary]:
    """Train the tokenizer and the poor model that the recipe asks for, or reuse those of an earlier start.

    Args:
        recipe: The recipe.
        texts: Its texts.
        folder: Folder for tokenizer and poor model, named by content.
        say: Called with a line on what is being trained.

    Returns:
        Paths and hashes, and the target vocabulary.

    Raises:
        LexigraftError: Inputs that cannot be used.
    """
    tokenizer = prepare_tokenizer(recipe, texts, folder, say)
    vocabulary = load_vocabulary(tokenizer)
    poor = prepare_poor_model(recipe, texts, vocabulary, folder, say)
    return Prepared(tokenizer, poor, model_hash(recipe.source)), vocabulary


def tokenizer_path(recipe: CompareSettings, texts: Texts, folder: Path) -> str:
    """Where the target tokenizer is, or will be once it is trained."""
    change = recipe.target_tokenizer
    if not isinstance(change, TokenizerChangeSettings):
        return trained_tokenizer_path(change, texts.train, folder)
    familiar = texts.source_train.hash if texts.source_train else ""
    made_of = [change.model_dump(), load_vocabulary(recipe.source).hash, texts.train.hash, familiar]
    return str(folder / f"tokenizer-{hash_of(made_of)[:12]}")


def trained_tokenizer_path(settings: str | TokenizerSettings, corpus: Corpus, folder: Path) -> str:
    """Where a tokenizer that is trained on a text lies under a folder; the path itself where one is given."""
    if not isinstance(settings, TokenizerSettings):
        return settings
    return str(folder / f"tokenizer-{hash_of([settings.model_dump(), corpus.hash])[:12]}")


def poor_model_path(recipe: CompareSettings, texts: Texts, vocabulary: Vocabulary, folder: Path) -> str | None:
    """Where the poor model is, or will be once it is trained; None where the recipe has none."""
    settings = recipe.poor_model
    if not isinstance(settings, PretrainSettings):
        return settings
    return str(folder / f"poor-{hash_of([settings.model_dump(), texts.train.hash, vocabulary.hash])[:12]}")


def prepare_tokenizer(recipe: CompareSettings, texts: Texts, folder: Path, say: Say = lambda text: None) -> str:
    """Make the target tokenizer, unless it is given or was made before; returns where it is."""
    change = recipe.target_tokenizer
    if not isinstance(change, TokenizerChangeSettings):
        return train_tokenizer_once(change, texts.train, folder, say)
    path = tokenizer_path(recipe, texts, folder)
    with _missing(Path(path), say) as missing:
        if missing:
            say(f"target tokenizer: {change.shown()}")
            familiar = texts.source_train.lines if texts.source_train else ()
            vocabulary = changed(load_vocabulary(recipe.source), change, texts.train.lines, familiar)
            with whole_folder(Path(path), force=False) as draft:
                save_tokenizer(vocabulary.tokenizer, draft)
    return path


def train_tokenizer_once(
    settings: str | TokenizerSettings, corpus: Corpus, folder: Path, say: Say = lambda text: None
) -> str:
    """Train a tokenizer on a text, unless it is given or was trained before; returns where it is."""
    path = trained_tokenizer_path(settings, corpus, folder)
    if isinstance(settings, TokenizerSettings):
        with _missing(Path(path), say) as missing:
            if missing:
                say(f"training a {settings.type} tokenizer of {settings.size:,} tokens")
                tokenizer = train_tokenizer(settings, corpus)
                with whole_folder(Path(path), force=False) as draft:
                    save_tokenizer(tokenizer, draft)
    return path


def prepare_poor_model(
    recipe: CompareSettings, texts: Texts, vocabulary: Vocabulary, folder: Path, say: Say = lambda text: None
) -> str | None:
    """Pre-train the poor model, unless it is given or was trained before; returns where it is."""
    settings, path = recipe.poor_model, poor_model_path(recipe, texts, vocabulary, folder)
    if isinstance(settings, PretrainSettings) and path is not None:
        out = Path(path)
        with _missing(out, say) as missing:
            if missing:
                _refuse_many_processes(out)
                say(f"pre-training the poor model ({settings.preset}, {settings.steps:,} steps)")
                model = pretrain_model(texts.train, vocabulary, settings, work=out.with_name(f"{out.name}-work"))
                with whole_folder(out, force=False) as draft:
                    write_model(draft, model, vocabulary)
    return path


def _refuse_many_processes(out: Path) -> None:
    """Refuse to train in one of several processes: training would wait for the others, which wait for this one."""
    if (count := processes().count) > 1:
        hint = f"Make it first, without a launcher: lexigraft cell prepare --stage poor_model ({out.name})"
        raise LexigraftError("the poor model cannot be made by several processes of a cell", count, hint)


@contextmanager
def _missing(out: Path, say: Say) -> Iterator[bool]:
    """Whether a folder has to be made, in the block and by this process alone."""
    if out.is_dir():
        yield False
        return
    with made_once(out, say):
        yield not out.is_dir()
