"""Teacher and student inputs for token distillation, with the positions whose hidden states are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.core.methods.occurrences import Snippet

if TYPE_CHECKING:
    import torch

Frame = tuple[list[int], list[int]]


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids padded on the right with 0, and a mask that is 1 where there is a token; both int64, ``(batch, length)``."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([torch.tensor(row, dtype=torch.int64) for row in rows], batch_first=True)
    mask = pad_sequence([torch.ones(len(row), dtype=torch.int64) for row in rows], batch_first=True)
    return ids, mask


@dataclass(frozen=True, eq=False)
class TwoReadings:
    """A batch of snippets for teacher and student.

    Attributes:
        teacher: Source ids and mask, ``(batch, length)`` each.
        student: Ids of the combined table and mask, ``(batch, other length)`` each.
        student_positions: Compared positions of the student, in the flattened ``(batch, length)``, ``(compared,)``.
        teacher_positions: The teacher's positions that they are compared with, flattened too, ``(compared,)``.
    """

    teacher: tuple[torch.Tensor, torch.Tensor]
    student: tuple[torch.Tensor, torch.Tensor]
    student_positions: torch.Tensor
    teacher_positions: torch.Tensor

    @classmethod
    def of(cls, snippets: Sequence[Snippet], size: int, frame: Frame, *, both_ways: bool) -> TwoReadings:
        """Replace the wanted strings by new ids.

        Args:
            snippets: The texts.
            size: Pattern ``n`` becomes the id ``size + n``.
            frame: Special tokens before and after a text.
            both_ways: Compare every position; else only from the first new token on, since earlier positions of a
                causal model are the same by construction.
        """
        import torch

        before, behind = frame
        long, short, pairs = [], [], []
        for snippet in snippets:
            ids, last = snippet.replaced(size)
            long.append([*before, *snippet.ids, *behind])
            short.append([*before, *ids, *behind])
            shift = len(before)
            inner = [(shift + n, shift + m) for n, m in enumerate(last)]
            outer = [(len(short[-1]) - n, len(long[-1]) - n) for n in range(len(behind), 0, -1)]
            everything = [*((n, n) for n in range(shift)), *inner, *outer]
            first = 0 if both_ways else shift + min((n for n, i in enumerate(ids) if i >= size), default=len(ids))
            pairs.append(everything[first:])
        teacher, student = padded(long), padded(short)
        wide, narrow = teacher[0].shape[1], student[0].shape[1]
        student_positions = [row * narrow + n for row, each in enumerate(pairs) for n, _ in each]
        teacher_positions = [row * wide + m for row, each in enumerate(pairs) for _, m in each]
        return cls(teacher, student, torch.tensor(student_positions), torch.tensor(teacher_positions))

    @property
    def tokens(self) -> int:
        """Tokens of teacher and student together."""
        return int(self.teacher[1].sum() + self.student[1].sum())

    def gap(self, teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
        """Squared distance of the hidden states, the mean over the compared positions.

        Args:
            teacher: ``(batch, length, hidden)``.
            student: ``(batch, other length, hidden)``.
        """
        expected = teacher.flatten(0, 1).index_select(0, self.teacher_positions.to(teacher.device))
        actual = student.flatten(0, 1).index_select(0, self.student_positions.to(student.device))
        return (actual - expected).square().sum(dim=1).mean()
