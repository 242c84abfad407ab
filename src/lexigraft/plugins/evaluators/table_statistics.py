"""Statistics of a model's embedding tables: norms, isotropy, neighbors, untouched rows, rows out of range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, Evaluator, Files, InputFile, Sample, TextData
from lexigraft.core.evaluation.mean_logits import mean_logits
from lexigraft.core.evaluation.sample_sequences import sample_sequences
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.linalg.isotropy import mean_cosine, partition_ratio
from lexigraft.core.linalg.nearest import nearest
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Ids = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

_BOUNDS = {"neighbors": (1, 1000), "queries": (1, 2**24), "max_lines": (1, 2**20), "max_length": (8, 2**24)}
_BUDGET = 2**28
_SHOWN = 10


@dataclass(frozen=True)
class TableStatistics(Evaluator):
    """What the rows of the input and the output table look like, and what training did to them; no task is solved.

    For each table (``input_``, and ``output_`` where it is another one), over the tokens that are not special:
    ``isotropy``, the smallest over the largest partition function along the eigenvectors of the table and their
    opposites; ``mean_cosine`` of two rows, over all pairs; ``norm_mean`` and ``norm_deviation``.

    Where it is known which rows a strategy made: the norms of ``new_`` and ``copied_`` rows apart, and
    ``new_norm_outside``, the share of new rows that are longer or shorter than every copied one. With a text also
    ``new_logit_outside``, the share of new tokens whose mean logit over the text lies outside the range of the copied
    ones: a donor can carry inert tokens that become salient in the new model. The worst tokens are named in notes.
    With the training text's counts, ``new_unseen`` is the share of new tokens that never occur in it.

    Where the tables before training are known: ``untouched`` and ``new_untouched``, the shares of rows that training
    left bit for bit as they were, and ``new_neighbors_kept``, the share of the nearest neighbors by cosine that new
    rows have before and after it (overlap@10).

    The text is a sample, not a test: it may be part of the training text.

    Source: Mu and Viswanath 2018 (isotropy); arXiv 2601.00065 (inert tokens that become salient).

    Attributes:
        neighbors: How many neighbors are compared.
        queries: New rows whose neighbors are compared at most, drawn with the seed.
        max_lines: Lines of the text that are read.
        max_length: Tokens of a line that are read.
    """

    name: ClassVar[str] = "table_statistics"
    files: ClassVar[Mapping[str, InputFile]] = {
        "text": InputFile("lines of text, for the mean logits of new tokens", required=False)
    }
    compares_rows: ClassVar[bool] = True
    neighbors: int = 10
    queries: int = 1000
    max_lines: int = 100
    max_length: int = 64

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is measured."""
        for field, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, field) <= most:
                raise ValueError(f"{field} must be at least {least} and at most {most:,}")

    def read(self, files: Files) -> TextData:
        """Read the sample text, if there is one."""
        from lexigraft.core.data.corpus import load_corpus

        given = files.get("text", ())
        lines = load_corpus(given, limit_lines=self.max_lines).lines if given else []
        return TextData(hash=hash_of(list(lines)), size=len(lines), lines=lines)

    def sample(self, folder: Path) -> Sample:
        """Write a text of a few lines."""
        (folder / "text.txt").write_text("the river runs past the house\nthe teacher came\n", encoding="utf-8")
        return Sample({"text": [str(folder / "text.txt")]}, {"queries": 20, "neighbors": 3})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: TextData, context: EvaluationContext
    ) -> Scores:
        """Statistics of both tables.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The sample text, which may be empty.
            context: Which rows are new, how often tokens occur in the training text, and the tables before training.

        Returns:
            The figures that can be told from what is known.

        Raises:
            LexigraftError: Fewer than two tokens that are not special, or ids beyond the tables.
        """
        tables = tables_of(model).by_role
        ids = np.array([i for i, t in enumerate(vocabulary.tokens) if t and i not in vocabulary.special_ids], np.int64)
        if len(ids) < 2 or ids[-1] >= len(tables[Role.INPUT]):
            hint = f"The input table has {len(tables[Role.INPUT])} rows; tokenizer and model do not belong together"
            raise LexigraftError("there are no tables to describe", f"{len(ids)} tokens that are not special", hint)
        new = ids[np.isin(ids, context.new_ids)] if context.new_ids is not None else ids[:0]
        figures: dict[str, float] = {}
        notes: list[str] = []
        roles = [role for role in (Role.INPUT, Role.OUTPUT) if role in tables]
        starts = dict(zip(roles, context.start_rows, strict=False))
        for role in roles:
            layer = model.get_input_embeddings() if role is Role.INPUT else model.get_output_embeddings()
            rows = _Rows(_with_lora(layer, tables[role].detach()), ids, new)
            figures |= {f"{role}_{name}": value for name, value in self._shape(rows).items()}
            if rows.has_both:
                outside = _Outside.of(rows.norms, rows.is_new)
                figures[f"{role}_new_norm_outside"] = outside.share
                notes += outside.told(f"norms of {role} rows", ids, vocabulary)
            if role in starts:
                changes = self._changes(rows, starts[role], context.seed)
                figures |= {f"{role}_{name}": value for name, value in changes.items()}
        if len(new) and context.token_counts is not None:
            figures["new_unseen"] = float((context.token_counts[new] == 0).mean())
        if len(data.lines) and not 0 < len(new) < len(ids):
            notes.append("the text is not used: it takes new and copied tokens, as a comparison knows them")
        elif sequences := sample_sequences(model, vocabulary, data.lines, self.max_length):
            outside = _Outside.of(mean_logits(model, sequences)[ids], np.isin(ids, new))
            figures["new_logit_outside"] = outside.share
            notes += outside.told("mean logits", ids, vocabulary)
        return Scores(figures, notes=tuple(notes))

    def _shape(self, rows: _Rows) -> dict[str, float]:
        """Isotropy and norms, of new and copied rows apart where both are known."""
        figures = {
            "isotropy": partition_ratio(rows.table, rows.ids, _BUDGET),
            "mean_cosine": mean_cosine(rows.table, rows.ids, _BUDGET),
        }
        groups = {"": np.ones_like(rows.is_new)}
        if rows.has_both:
            groups |= {"new_": rows.is_new, "copied_": ~rows.is_new}
        for group, members in groups.items():
            figures[f"{group}norm_mean"] = float(rows.norms[members].mean())
            figures[f"{group}norm_deviation"] = float(rows.norms[members].std())
        return figures

    def _changes(self, rows: _Rows, start: torch.Tensor, seed: int) -> dict[str, float]:
        """What training left as it was: whole rows, and the neighbors of new rows."""
        untouched = rows.same_as(start)
        figures = {"untouched": float(untouched.mean())}
        if len(new := np.flatnonzero(rows.is_new)):
            figures["new_untouched"] = float(untouched[new].mean())
            chosen = new
            if len(new) > self.queries:
                chosen = np.sort(np.random.default_rng(seed).choice(new, self.queries, replace=False))
            count = min(self.neighbors, len(rows.ids) - 1)
            before, after = (_neighbors(table, rows.ids, chosen, count) for table in (start, rows.table))
            kept = (before[:, :, None] == after[:, None, :]).any(2)
            figures["new_neighbors_kept"] = float(kept.mean())
        return figures


class _Rows:
    """The rows of a table that count.

    Args:
        table: The table.
        ids: Which of its rows count.
        new: Which of these a strategy made.
    """

    def __init__(self, table: torch.Tensor, ids: Ids, new: Ids) -> None:
        self.table, self.ids, self.is_new = table, ids, np.isin(ids, new)
        self.has_both = bool(self.is_new.any() and not self.is_new.all())
        norms = [table[span].float().norm(dim=1).cpu().numpy() for span in _spans(table)]
        self.norms: Values = np.concatenate(norms)[ids].astype(np.float64)

    def same_as(self, start: torch.Tensor) -> npt.NDArray[np.bool_]:
        """Which rows equal those of another table bit for bit."""
        same = [(self.table[span] == start[span]).all(1).cpu().numpy() for span in _spans(self.table)]
        return np.concatenate(same)[self.ids]


def _with_lora(layer: Any, table: torch.Tensor) -> torch.Tensor:
    """The table that the model computes with while LoRA on it is trained and not merged yet."""
    if not hasattr(layer, "get_delta_weight") or layer.merged:
        return table
    return table + sum(layer.get_delta_weight(name).detach() for name in layer.active_adapters if name in layer.scaling)


def _spans(table: torch.Tensor) -> list[slice]:
    return list(row_blocks(len(table), 8 * table.shape[1], _BUDGET, len(table)))


def _neighbors(table: torch.Tensor, ids: Ids, queries: Ids, count: int) -> Ids:
    """The nearest other rows of chosen ones, as positions in ``ids``, ``(queries, count)``."""
    import torch

    rows = table.detach()[torch.from_numpy(ids).to(table.device)].float().cpu()
    found = nearest(rows[torch.from_numpy(queries)], rows, count + 1, _BUDGET)[1].numpy()
    # The row itself is put last; where rows are equal it may not be among those found, and the farthest is.
    others = np.argsort(found == queries[:, None], axis=1, kind="stable")[:, :count]
    return np.take_along_axis(found, others, axis=1)


@dataclass(frozen=True)
class _Outside:
    """New tokens with a value outside the range of the copied ones.

    Attributes:
        values: Of all tokens.
        low: Smallest of a copied token.
        high: Largest of a copied token.
        is_new: Which tokens are new.
    """

    values: Values
    low: float
    high: float
    is_new: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: Values, is_new: npt.NDArray[np.bool_]) -> _Outside:
        """The range of the copied tokens, and what lies outside it."""
        return cls(values, float(values[~is_new].min()), float(values[~is_new].max()), is_new)

    @property
    def excess(self) -> Values:
        """How far each value lies outside the range; 0 inside it and for copied tokens."""
        distance = np.maximum(self.low - self.values, self.values - self.high).clip(min=0)
        return np.where(self.is_new, distance, 0.0)

    @property
    def share(self) -> float:
        """Share of the new tokens that lie outside."""
        return float((self.excess > 0).sum() / self.is_new.sum())

    def told(self, what: str, ids: Ids, vocabulary: Vocabulary) -> list[str]:
        """A note that names the worst tokens, where there are any."""
        excess = self.excess
        worst = [i for i in np.argsort(-excess, kind="stable")[:_SHOWN] if excess[i] > 0]
        if not worst:
            return []
        shown = ", ".join(f"{vocabulary.display(int(ids[i]))!r} {self.values[i]:.3g}" for i in worst)
        count = int((excess > 0).sum())
        return [
            f"{what}: {count} of {self.is_new.sum()} new tokens lie outside the copied ones' range "
            f"{self.low:.3g} to {self.high:.3g}; farthest: {shown}"
        ]
