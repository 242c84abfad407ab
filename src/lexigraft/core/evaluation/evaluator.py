"""The contract of evaluators."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.config.input_files import Files as Files
from lexigraft.core.config.input_files import InputFile as InputFile
from lexigraft.core.config.input_files import refuse_other_files
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

_SAMPLE_LINES = (
    "The river runs past the old house.",
    "In the morning the market opens, and people bring bread.",
    "The teacher came to the school with three new books for the children.",
    "On 12 March 2021 there were 345 people in the town.",
)


@dataclass(frozen=True)
class Sample:
    """Tiny data that an evaluator makes for the laws of its contract.

    Attributes:
        files: What was written, the required files and what goes with them; as a recipe names them.
        options: Options that differ from the evaluator's own, such as one epoch where training would take long.
    """

    files: Files
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EvaluationData:
    """What an evaluator has read and checked.

    Evaluators extend it with their own items.

    Attributes:
        hash: Content of everything that was read.
        size: How many items are scored.
        unseen: Texts that no model may have been trained on; a comparison takes them out of its training text.
        notes: Sentences worth showing, such as counts of what was repaired or left out.
    """

    hash: str
    size: int
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TextData(EvaluationData):
    """Running text.

    Attributes:
        lines: Its lines; each is an item.
    """

    lines: Sequence[str]

    @classmethod
    def of(cls, lines: Sequence[str]) -> TextData:
        """Lines in memory as data."""
        return cls(hash=hash_of(list(lines)), size=len(lines), unseen=tuple(lines), lines=lines)


@dataclass(frozen=True)
class EvaluationContext:
    """What is known about the model besides its weights.

    Everything but the seed may be missing.

    Attributes:
        seed: Decides everything random: few-shot examples, the start of a head that is trained.
        token_counts: How often each token occurs in the text that the model was trained on, ``(tokens,)``.
        new_ids: Tokens without a match in the source vocabulary, ``(new,)``; the rows of the others were copied.
        moved_ids: Tokens whose rows a strategy made, ``(moved,)``; of strategies that start from the poor model's rows,
            those that they moved.
        start_rows: Input and output rows before training, each ``(rows, dim)``; one table where they are tied.
    """

    seed: int = 0
    token_counts: npt.NDArray[np.int64] | None = None
    new_ids: npt.NDArray[np.int64] | None = None
    moved_ids: npt.NDArray[np.int64] | None = None
    start_rows: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True)
class Evaluator:
    """One way to measure a model, a frozen dataclass whose fields are its options.

    A subclass lives in its own file, named after it. Its docstring is its record: one line of summary, then
    ``Source:``. Reading is apart from measuring, so that bad data is refused before any weights load.

    Attributes:
        name: Its name in recipes.
        files: What it reads.
        kinds: The kinds of models that it measures.
        lower_is_better: Whether a lower main figure is the better one.
        compares_rows: Whether it reads ``context.start_rows``, copies of the tables before training.
    """

    name: ClassVar[str]
    files: ClassVar[Mapping[str, InputFile]]
    kinds: ClassVar[frozenset[ModelKind]] = frozenset(("causal", "masked", "seq2seq"))
    lower_is_better: ClassVar[bool] = False
    compares_rows: ClassVar[bool] = False

    def read(self, files: Files) -> EvaluationData:
        """Read and check the data; no model is needed.

        Args:
            files: Paths by what they hold; :func:`read_data` has checked the names.

        Raises:
            LexigraftError: Data that cannot be used.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read()")

    def evaluate(self, model: PreTrainedModel, vocabulary: Vocabulary, data: Any, context: EvaluationContext) -> Scores:
        """Measure a model; the model and all random state are left as they were.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: What :meth:`read` gave.
            context: The seed, and what is known about the model's training.

        Returns:
            Figures and the items' outcomes. The same seed gives the same scores.
        """
        raise NotImplementedError(f"{type(self).__name__} has no evaluate()")

    def parameters(self) -> dict[str, Any]:
        """The options as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)

    def sample(self, folder: Path) -> Sample | None:
        """Write tiny data that this evaluator, with its own options, can read; the laws measure tiny models on it.

        A few items are enough. Their text is plain English, so that every tiny tokenizer knows its words.

        Args:
            folder: An empty folder.

        Returns:
            The files, or None where there is no such data: the laws on data then do not apply.
        """
        return None


@dataclass(frozen=True)
class TextEvaluator(Evaluator):
    """An evaluator of running text.

    A comparison runs it on every text that it holds out.
    """

    files: ClassVar[Mapping[str, InputFile]] = {"text": InputFile("lines of text")}

    def read(self, files: Files) -> TextData:
        """Read the lines of a text; repeated ones are dropped."""
        from lexigraft.core.data.corpus import load_corpus

        return TextData.of(load_corpus(files["text"]).lines)

    def sample(self, folder: Path) -> Sample | None:
        """Write a text of a few lines."""
        path = folder / "text.txt"
        path.write_text("\n".join(_SAMPLE_LINES) + "\n", encoding="utf-8")
        return Sample({"text": [str(path)]})


def read_data(evaluator: Evaluator, files: Files) -> EvaluationData:
    """Check which files are given and read them.

    Args:
        evaluator: The evaluator.
        files: Paths by what they hold.

    Raises:
        UnknownName: Files that the evaluator does not read.
        LexigraftError: A missing file, or data that cannot be used.
    """
    refuse_other_files("evaluator", evaluator.name, evaluator.files, files)
    return evaluator.read(files)


def refuse_other_kind(evaluator: Evaluator, kind: ModelKind) -> None:
    """Refuse a model that an evaluator cannot measure, from its configuration alone.

    Raises:
        LexigraftError: The model is of another kind.
    """
    if kind not in evaluator.kinds:
        raise LexigraftError(
            f"evaluator {evaluator.name} does not measure {kind} models",
            kind,
            f"It measures: {', '.join(sorted(evaluator.kinds))}",
        )
