"""Inputs that the cells of a comparison share: its texts, tokenizers and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from lexigraft.api.augment import annotations_for
from lexigraft.api.further_texts import FurtherTexts, read_further_texts
from lexigraft.api.inputs import StrategyInputs, read_sections
from lexigraft.api.probe import ProbeSettings
from lexigraft.api.tasks import Task, read_tasks
from lexigraft.core.config.recipe import CompareSettings, CorpusSettings, GraftSettings
from lexigraft.core.data.annotations import Annotations
from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus, split, without
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

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
