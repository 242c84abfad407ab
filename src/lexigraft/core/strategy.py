"""The contract every initialisation strategy keeps: what it declares, what it is given, what it returns."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.float_tables import FloatTables

if TYPE_CHECKING:
    import torch

    from lexigraft.core.alignment import Alignment
    from lexigraft.core.resources import Resources
    from lexigraft.core.vocabulary import Vocabulary


class Role(StrEnum):
    """What an embedding table does in the model."""

    INPUT = "input"
    OUTPUT = "output"
    BIAS = "bias"


class Scope(StrEnum):
    """NEW: core copies the matched rows and asks for the others. ALL: the strategy re-estimates matched rows too."""

    NEW = "new"
    ALL = "all"


class Body(StrEnum):
    """Whose transformer body the rows belong to: the source model's, or the poor target-language model's."""

    SOURCE = "source"
    TARGET = "target"


class Need(StrEnum):
    """What a strategy may ask for beyond the two vocabularies; ``resources.SUPPLY`` says how to supply each."""

    TARGET_VECTORS = "target_vectors"
    WORD_VECTORS = "word_vectors"
    COMPASS = "compass"
    DICTIONARY = "dictionary"
    PARALLEL = "parallel"
    DONOR = "donor"
    POOR_MODEL = "poor_model"
    MODEL = "model"
    TRAINING = "training"
    PROBE = "probe"
    ANSWER = "answer"


@dataclass(frozen=True)
class Mix:
    """Sparse combinations of source rows: a CSR matrix of shape ``(asked, source)``.

    Core applies the same Mix to the input table, the output table and the head bias, and keeps it as provenance.
    An empty row means "not covered": the next strategy of the chain, or the fallback, fills it.

    Attributes:
        indptr: Row pointers, int64, shape ``(asked + 1,)``.
        indices: Source ids, int32, shape ``(entries,)``.
        weights: Weights, float32, shape ``(entries,)``.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[Sequence[int], Sequence[float]]]) -> Mix:
        """Build from one ``(source ids, weights)`` pair for each row asked for; empty pairs are uncovered rows."""
        pairs = list(rows)
        lengths = np.fromiter((len(ids) for ids, _ in pairs), dtype=np.int64, count=len(pairs))
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        indices = np.fromiter((i for ids, _ in pairs for i in ids), dtype=np.int32, count=int(indptr[-1]))
        weights = np.fromiter((w for _, ws in pairs for w in ws), dtype=np.float32, count=int(indptr[-1]))
        return cls(indptr, indices, weights)

    @classmethod
    def mean_of(cls, rows: Iterable[Sequence[int]]) -> Mix:
        """Build rows that are plain means of the given source ids; no ids make an uncovered row."""
        return cls.from_rows((ids, [1.0 / len(ids)] * len(ids) if ids else []) for ids in rows)

    @classmethod
    def stack(cls, blocks: Sequence[Mix]) -> Mix:
        """Concatenate blocks of consecutive rows."""
        if not blocks:
            return cls.from_rows([])
        offsets = np.cumsum([0, *(len(b.indices) for b in blocks[:-1])])
        pointers = [b.indptr[1:] + o for b, o in zip(blocks, offsets, strict=True)]
        return cls(
            np.concatenate([np.zeros(1, np.int64), *pointers]),
            np.concatenate([b.indices for b in blocks]),
            np.concatenate([b.weights for b in blocks]),
        )

    @classmethod
    def of_single(cls, ids: npt.NDArray[np.int64]) -> Mix:
        """Rows that are one source row each; -1 is an uncovered row."""
        one = ids >= 0
        indptr = np.concatenate([np.zeros(1, np.int64), one.cumsum()])
        return cls(indptr, ids[one].astype(np.int32), np.ones(int(indptr[-1]), np.float32))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, span: slice) -> Mix:
        """Consecutive rows; no step."""
        start, stop, _ = span.indices(len(self))
        first, last = self.indptr[start], self.indptr[stop]
        return Mix(self.indptr[start : stop + 1] - first, self.indices[first:last], self.weights[first:last])

    def take(self, rows: npt.NDArray[np.int64]) -> Mix:
        """Some of the rows, in any order."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])
        at = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Mix(indptr, self.indices[at], self.weights[at])

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Which of the rows asked for have at least one source row, shape ``(asked,)``."""
        return np.diff(self.indptr) > 0

    def row(self, i: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Source ids and weights of row ``i``."""
        span = slice(self.indptr[i], self.indptr[i + 1])
        return self.indices[span], self.weights[span]


@dataclass(frozen=True)
class Dense:
    """Finished rows.

    Attributes:
        rows: float32, shape ``(asked, hidden)``; ``(asked,)`` for the bias.
        covered: Which rows count, bool, shape ``(asked,)``; ``None`` means all.
        mix: Where the rows came from, when a sparse combination tells part of the story (provenance only).
    """

    rows: torch.Tensor
    covered: npt.NDArray[np.bool_] | None = None
    mix: Mix | None = None

    def __len__(self) -> int:
        return int(self.rows.shape[0])


Plan = Mix | Dense | Mapping[Role, Mix | Dense]


@dataclass
class Journal:
    """What strategies spent and what a person should know about how they went; the one mutable part of a context.

    Attributes:
        tokens: Tokens of text that strategies learned on, repetitions included (what a comparison counts as cost).
        notes: Sentences for the graft's facts and the report.
    """

    tokens: int = 0
    notes: list[str] = field(default_factory=list)

    def spend(self, tokens: int) -> None:
        """Count tokens of text that a model saw while rows were being made."""
        self.tokens += tokens

    def note(self, sentence: str) -> None:
        """Keep a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


@dataclass(frozen=True)
class InitContext:
    """Everything a strategy may look at. Frozen; no paths, no globals, no model unless ``Need.MODEL`` is declared.

    Attributes:
        source: The source vocabulary.
        target: The target vocabulary.
        alignment: Who matches whom.
        target_ids: The rows asked for, int64, in the order the plan must answer.
        roles: The tables of the body that the rows go to.
        tables: Source tables by role, ``(source, hidden)`` or ``(source,)``; use :meth:`table`.
        resources: What the declared needs give access to.
        generator: Seeded; the only source of randomness a strategy may use.
        device: Where a strategy that learns computes, by torch's name.
        memory_budget: Bytes that one block of work may take.
        logger: For progress.
        journal: For tokens spent and sentences that belong into the report.
    """

    source: Vocabulary
    target: Vocabulary
    alignment: Alignment
    target_ids: npt.NDArray[np.int64]
    roles: frozenset[Role]
    tables: FloatTables
    resources: Resources
    generator: torch.Generator
    device: str = "cpu"
    memory_budget: int = 2**30
    logger: logging.Logger = field(default=logging.getLogger("lexigraft"))
    journal: Journal = field(default_factory=Journal)

    def table(self, role: Role) -> torch.Tensor:
        """The source table of a role in float32, ``(source, hidden)``. Read only: never write into it."""
        return self.tables[role]

    def held(self, role: Role) -> torch.Tensor:
        """The same table in the dtype that it is held in, for who takes a few rows of it at a time. Read only."""
        return self.tables.as_held(role)

    def asking(self, target_ids: npt.NDArray[np.int64]) -> InitContext:
        """The same context asked for other rows (for strategies that delegate to another)."""
        return dataclasses.replace(self, target_ids=target_ids)


@dataclass(frozen=True)
class Strategy:
    """One embedding-initialisation method: a frozen dataclass whose fields are its hyper-parameters.

    A subclass lives in its own file, named after the method, and declares the class attributes below. Its docstring is
    its record: one line of summary, then ``Source:``, ``Needs:`` and ``Relations:``.

    Two of them are rarely set. ``aliases``: other names under which the method is known, each with the fields that it
    stands for. ``zero_rows``: that every row is zero on purpose; elsewhere a zero row is a mistake (its token is unseen
    by the body and its logit is a constant), so the laws forbid it unless a control claims it, and then demand it.

    ``convex``: every row is one convex combination of source rows, the same one in the output table and the head bias.
    Rows that are only added then keep greedy behaviour: a new logit is that combination of old logits, never above the
    largest, so what the model said of old text it still says (Mundra et al. 2024, CW2V; a law checks it).
    """

    name: ClassVar[str]
    aliases: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    needs: ClassVar[frozenset[Need]] = frozenset()
    scope: ClassVar[Scope] = Scope.NEW
    body: ClassVar[Body] = Body.SOURCE
    convex: ClassVar[bool] = False
    keeps_tokenizer: ClassVar[bool] = False
    zero_rows: ClassVar[bool] = False

    def plan(self, ctx: InitContext) -> Plan:
        """Say how each row of ``ctx.target_ids`` is made, in that order."""
        raise NotImplementedError(f"{type(self).__name__} has no plan()")

    def effective_needs(self) -> frozenset[Need]:
        """The needs of this configuration; override when a field decides.

        Never more than ``needs``, but for what a strategy named in a field (such as ``start``) needs itself.
        """
        return self.needs

    def optional_needs(self) -> frozenset[Need]:
        """Further needs that this configuration uses where they are met, and does without where they are not."""
        return frozenset()

    def may_use(self) -> frozenset[Need]:
        """Everything that this configuration is given where it is met: the needs and the optional ones."""
        return self.effective_needs() | self.optional_needs()

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)


StrategyFactory = Callable[..., Strategy]
