"""The strategy contract, and the context that a strategy plans from."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.models.tables import FloatTables, Role

if TYPE_CHECKING:
    import torch

    from lexigraft.core.grafting.resources import Resources
    from lexigraft.core.tokenization.matching.alignment import Alignment
    from lexigraft.core.tokenization.vocabulary import Vocabulary


class Scope(StrEnum):
    """The rows that a strategy is asked for.

    NEW: those of new tokens, for core copies the matched rows. ALL: the matched rows too.
    """

    NEW = "new"
    ALL = "all"


class Body(StrEnum):
    """The model whose transformer body the rows belong to.

    SOURCE: the source model. TARGET: the poor target-language model.
    """

    SOURCE = "source"
    TARGET = "target"


@dataclass
class Journal:
    """Log of what strategies learned on, with notes for the user.

    It is the one mutable part of a context.

    Attributes:
        tokens: Tokens of text that strategies learned on, repetitions included (what a comparison counts as cost).
        notes: Sentences for the graft's facts and the report.
    """

    tokens: int = 0
    notes: list[str] = field(default_factory=list)

    def spend(self, tokens: int) -> None:
        """Count tokens of text that a strategy learned on."""
        self.tokens += tokens

    def note(self, sentence: str) -> None:
        """Add a sentence, unless it is there already."""
        if sentence not in self.notes:
            self.notes.append(sentence)


@dataclass(frozen=True)
class InitContext:
    """Everything that a strategy may look at.

    It is frozen, and holds no paths, no globals, and no model unless ``Need.MODEL`` is declared.

    Attributes:
        source: The source vocabulary.
        target: The target vocabulary.
        alignment: Token matching: which source token each target token matched, by which rule.
        target_ids: The rows asked for, int64, in the order the plan must answer.
        roles: The tables of the body that the rows go to.
        tables: Source tables by role as the model stores them, padding rows included; use :meth:`table`.
        resources: What the declared needs give access to.
        generator: Seeded; the only source of randomness a strategy may use.
        device: Where a strategy that learns computes, by torch's name.
        memory_budget: Bytes that one block of work may take.
        logger: For progress.
        journal: For tokens learned on, and sentences for the report.
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
        """The source table of a role in float32, ``(source, hidden)`` or ``(source,)``. Read only: never write into it.

        Rows that a model keeps beyond its tokenizer, as padding, are left out.
        """
        return self.tables[role][: self.source.size]

    def stored_table(self, role: Role) -> torch.Tensor:
        """The same table in its stored dtype, for strategies that take a few rows of it at a time. Read only."""
        return self.tables.as_stored(role)[: self.source.size]

    def blocks(self, rows: int, bytes_per_row: int) -> Iterator[slice]:
        """Slices of ``rows`` rows, each of which takes at most ``memory_budget`` bytes of work.

        Args:
            rows: How many rows there are in all.
            bytes_per_row: What one row takes while it is worked on.
        """
        return row_blocks(rows, bytes_per_row, self.memory_budget)

    def asking(self, target_ids: npt.NDArray[np.int64]) -> InitContext:
        """The same context asked for other rows (for strategies that delegate to another)."""
        return dataclasses.replace(self, target_ids=target_ids)


@dataclass(frozen=True)
class Strategy:
    """One embedding-initialization method, a frozen dataclass whose fields are its hyper-parameters.

    A subclass lives in its own file, named after the method, and declares the class attributes below. Its docstring is
    its record: one line of summary, then ``Source:``, ``Needs:`` and ``Relations:``.

    Two of them are rarely set. ``aliases``: other names under which the method is known, each with the fields that it
    stands for. ``zero_rows``: that every row is zero on purpose; elsewhere a zero row is a mistake (its token is unseen
    by the body and its logit is a constant), so the laws forbid it unless a control claims it, and then demand it.

    ``convex``: every row is one convex combination of source rows, the same one in the output table and the head bias.
    Added rows then leave greedy decoding unchanged: a new logit is that combination of old logits, never above the
    largest, so the model's greedy predictions on old text stay the same (Mundra et al. 2024, CW2V; a law checks it).
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
        """Plan each row of ``ctx.target_ids``, in that order."""
        raise NotImplementedError(f"{type(self).__name__} has no plan()")

    def required_needs(self) -> frozenset[Need]:
        """What this configuration cannot do without; override when a field decides.

        Never more than ``needs``, but for what a strategy named in a field (such as ``start``) needs itself.
        """
        return self.needs

    def optional_needs(self) -> frozenset[Need]:
        """Further needs that this configuration uses where they are met, and does without where they are not."""
        return frozenset()

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)


def needs_of(chain: Iterable[Strategy]) -> frozenset[Need]:
    """Everything that some strategies cannot do without."""
    return frozenset().union(*(s.required_needs() for s in chain))


def uses_of(chain: Iterable[Strategy]) -> frozenset[Need]:
    """Everything that some strategies use where it is met: what they require, and what is optional."""
    return frozenset().union(*(s.required_needs() | s.optional_needs() for s in chain))
