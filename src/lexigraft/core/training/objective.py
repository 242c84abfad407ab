"""Base class of training objectives."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lexigraft.core.config.input_files import Files, InputFile, refuse_other_files
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind, model_kind

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.packing import TrainingText


DEFAULT_OBJECTIVE: dict[ModelKind, str] = {
    "masked": "masked",
    "causal": "causal",
    "seq2seq": "span_corruption",
}
"""The objective each kind of model is trained with when none is named."""

BESIDE = "beside"
"""The name, among a model's modules, of what trains beside it."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveData:
    """What an objective has read and checked besides the training text.

    Objectives extend it.

    Attributes:
        hash: Content of everything that was read.
    """

    hash: str


@dataclass(frozen=True)
class Objective:
    """A training objective, a frozen dataclass whose fields are its options.

    A subclass lives in its own file, named after the objective. Its docstring is its record: one line of summary, then
    ``Source:``.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[ModelKind]]
    resets: ClassVar[bool] = False
    """Whether :meth:`loss` keeps documents apart by ``document_starts`` of a batch, see ``document_attention``."""
    entities: ClassVar[bool] = False
    """Whether :meth:`batch` takes ``entities``, int64 ``(batch, length)``: the number of each token's entity, or 0.
    The training text must then be annotated."""
    files: ClassVar[Mapping[str, InputFile]] = {}
    """What it reads besides the training text, by the names that recipes give the files."""
    packs: ClassVar[bool] = False
    """Whether :meth:`pack` lays out the training text, which then is neither augmented nor joined otherwise."""
    kind: ClassVar[ModelKind | None] = None
    """The kind of the model that trains; only :meth:`prepared` sets it."""
    material: ClassVar[Any] = None
    """What :meth:`prepare` made; only :meth:`prepared` sets it."""

    def read(self, files: Files, unseen: Collection[str] = ()) -> ObjectiveData | None:
        """Read and check what is needed besides the training text; no weights are loaded.

        Args:
            files: Paths by what they hold; :func:`read_files` has checked the names.
            unseen: Lines that models are measured on, which are left out of running text.

        Raises:
            LexigraftError: Data that cannot be used.
        """
        return None

    def check(self, config: PreTrainedConfig) -> None:
        """Refuse a model of one of the ``kinds`` that nevertheless cannot be trained so, from its configuration alone.

        Raises:
            LexigraftError: Such a model.
        """

    def prepare(self, data: Any, vocabulary: Vocabulary, config: PreTrainedConfig, sequence_length: int) -> Any:
        """Make once what every batch needs; :meth:`pack`, :meth:`batch` and :meth:`loss` find it in ``material``.

        Args:
            data: What :meth:`read` gave.
            vocabulary: The vocabulary of the model that trains.
            config: The model's configuration.
            sequence_length: Tokens of a packed row.

        Raises:
            LexigraftError: Data that this vocabulary cannot express.
        """
        return data

    def prepared(
        self, data: ObjectiveData | None, vocabulary: Vocabulary, config: PreTrainedConfig, sequence_length: int
    ) -> Self:
        """A copy for one model, which holds what :meth:`prepare` makes."""
        ready = dataclasses.replace(self)
        object.__setattr__(ready, "kind", model_kind(config))
        object.__setattr__(ready, "material", self.prepare(data, vocabulary, config, sequence_length))
        return ready

    def pack(self, vocabulary: Vocabulary, lines: Sequence[str], sequence_length: int) -> TrainingText:
        """Lay out the training text in rows that :meth:`batch` understands, where ``packs`` is true.

        Rows are int32 and of one length. They may carry more than one text's ids: the same line twice, a language.

        Args:
            vocabulary: The vocabulary to encode with.
            lines: The text, in order.
            sequence_length: Tokens of a row that count as trained.

        Raises:
            LexigraftError: Text that cannot be used.
        """
        raise NotImplementedError(f"{type(self).__name__} has no pack()")

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Make inputs with labels from packed text.

        Args:
            sequences: Token ids, int64, ``(batch, length)``, without padding.
            vocabulary: The vocabulary of the ids.
            generator: The only source of randomness.
            predictable: Which tokens the model may learn to predict, bool, ``(batch, length)``; ``None`` for all.

        Returns:
            Tensors by name, all with ``batch`` rows; positions without a label hold -100 in ``labels``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no batch()")

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean loss in nats over the predicted tokens, a scalar that gradients flow from; 0 without such tokens."""
        raise NotImplementedError(f"{type(self).__name__} has no loss()")

    def beside(self, config: PreTrainedConfig) -> torch.nn.Module | None:
        """A module that trains beside the model and is taken off at the end; :meth:`loss` finds it as ``model.beside``.

        Args:
            config: The model's configuration.
        """
        return None

    def fold(self, model: PreTrainedModel) -> Mapping[str, torch.Tensor]:
        """Put into the model's own parameters what it needs to predict without ``model.beside``.

        It is called before each evaluation, and undone after it, and at the end.

        Args:
            model: The model, with what trains beside it.

        Returns:
            The parameters that were changed, by name, as they were.
        """
        return {}

    def findings(self, model: PreTrainedModel) -> Mapping[str, Any]:
        """What ``model.beside`` has learned, as plain values by name, for the record of the run."""
        return {}

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """How many tokens of a batch :meth:`loss` averages over: the weight of a process's share of the batch."""
        return int((batch["labels"] != -100).sum())

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files | None:
        """Write tiny files that this objective, with its own options, can read; the laws train tiny models with them.

        Args:
            folder: An empty folder.
            lines: The training text of the laws, in plain English.
            model: Folder of a tiny model of the kind that trains.

        Returns:
            The files, or None where there are none: the laws that train do not apply to an objective that needs some.
        """
        return None if any(file.required for file in self.files.values()) else {}

    def parameters(self) -> dict[str, Any]:
        """The options as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)


def read_files(objective: Objective, files: Files, unseen: Collection[str] = ()) -> ObjectiveData | None:
    """Check which files are given and read them.

    Args:
        objective: The objective.
        files: Paths by what they hold.
        unseen: Lines that models are measured on.

    Raises:
        UnknownName: Files that the objective does not read.
        LexigraftError: A missing file, or data that cannot be used.
    """
    refuse_other_files("objective", objective.name, objective.files, files)
    return objective.read(files, unseen)


def refuse_without_mask(objective: Objective) -> None:
    """Refuse an objective that cannot leave tokens out of its loss.

    Raises:
        LexigraftError: Its ``batch`` takes no ``predictable``.
    """
    if "predictable" not in inspect.signature(objective.batch).parameters:
        hint = "Give its batch() the argument predictable, or learn all that augmentation adds"
        raise LexigraftError("objective cannot leave tokens out of the loss", objective.name, hint)


def refuse_unsuitable(objective: Objective, config: PreTrainedConfig) -> None:
    """Refuse an objective that a model of this kind cannot learn from.

    Args:
        objective: The objective.
        config: The model's configuration.

    Raises:
        LexigraftError: The model is of another kind, or one that the objective's :meth:`~Objective.check` refuses.
    """
    kind = model_kind(config)
    if kind not in objective.kinds:
        raise LexigraftError(
            f"objective '{objective.name}' does not suit a {kind} model",
            getattr(config, "model_type", None),
            f"Use objective '{DEFAULT_OBJECTIVE[kind]}', or leave it out",
        )
    objective.check(config)
