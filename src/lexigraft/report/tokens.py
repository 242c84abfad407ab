"""Tokens of a comparison for its report: what each strategy made their rows of."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.evaluation.cells.cell import Cell, Comparison
from lexigraft.core.evaluation.cells.cell_store import cell_folder
from lexigraft.core.grafting.folder import PROVENANCE
from lexigraft.core.tokenization.matching.alignment import DEFAULT_RULES, RELAXED_RULES
from lexigraft.core.tokenization.token_counts import counts_file
from lexigraft.report.formats import isolated

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TOP = 3
"""Source tokens of a row that are shown."""
MOST_ROWS = 12_000
"""Rows of all strategies together that fit in a page of bounded size."""
EXAMPLES = 12


@dataclass(frozen=True)
class TokenRow:
    """What one strategy made the row of a token of.

    Attributes:
        rule: The match rule, strategy or fallback.
        sources: The source tokens with the largest weights.
        effective: The effective number of source rows, ``1 / Σ w²`` of weights that sum to one; 0 without any.
    """

    rule: str
    sources: tuple[tuple[str, float], ...]
    effective: float

    def __str__(self) -> str:
        """The weights and tokens."""
        if not self.sources:
            return self.rule
        parts = " + ".join(f"{weight:.2f} {isolated(token)}" for token, weight in self.sources)
        return parts if len(self.sources) >= self.effective - 0.5 else f"{parts} + …; effectively {self.effective:.0f}"


@dataclass(frozen=True)
class TokenRows:
    """Rows of tokens, by strategy.

    Attributes:
        tokens: The tokens, most frequent first.
        occurrences: How often each occurs in the training text; None where that was not counted.
        rows: For each strategy the row of each token.
        total: How many tokens there are to show.
        followed: Those of the tokens of which more is known.
    """

    tokens: tuple[str, ...]
    occurrences: tuple[int, ...] | None
    rows: Mapping[str, tuple[TokenRow, ...]]
    total: int
    followed: tuple[str, ...] = ()

    @cached_property
    def examples(self) -> list[int]:
        """Indices of some tokens, evenly from the most frequent to the rarest, of those followed if any are."""
        known: Sequence[int] = [self.tokens.index(token) for token in self.followed] or range(len(self.tokens))
        n = min(EXAMPLES, len(known))
        return [known[round(i * (len(known) - 1) / max(n - 1, 1))] for i in range(n)]

    def as_json(self) -> str:
        """Plain values for the page's search, safe inside a script element."""
        value: dict[str, Any] = {
            "tokens": self.tokens,
            "occurrences": self.occurrences,
            "rows": {label: [str(row) for row in rows] for label, rows in self.rows.items()},
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def read_token_rows(folder: Path, comparison: Comparison, followed: Collection[int] = ()) -> TokenRows | None:
    """The rows of new tokens that a comparison's strategies made.

    Args:
        folder: The comparison's folder.
        comparison: Its cells.
        followed: Ids of tokens that are shown in any case, because more is known of them.

    Returns:
        The rows of each strategy's first seed on the source's body; None where no cell kept its source tokens.
    """
    files = dict(_files(folder, comparison))
    if not files:
        return None
    named = {label: _columns(path, ["token", "rule"]) for label, (_, path) in files.items()}
    tokens = next(iter(named.values()))["token"]
    named = {label: columns for label, columns in named.items() if columns["token"] == tokens}
    cell = next(cell for cell, _ in files.values())
    new = [
        i
        for i in range(len(tokens))
        if any(columns["rule"][i] not in (*DEFAULT_RULES, *RELAXED_RULES) for columns in named.values())
    ]
    counts = _counts(folder, cell, len(tokens))
    if counts is not None:
        new.sort(key=lambda i: -int(counts[i]))
    followed = set(followed).intersection(new)
    others = [i for i in new if i not in followed]
    kept = followed.union(others[: max(0, MOST_ROWS // len(named) - len(followed))])
    shown = [i for i in new if i in kept]
    if not shown:
        return None
    return TokenRows(
        tuple(tokens[i] for i in shown),
        None if counts is None else tuple(int(counts[i]) for i in shown),
        {label: _rows(files[label][1], shown) for label in named},
        len(new),
        tuple(tokens[i] for i in shown if i in followed),
    )


def _files(folder: Path, comparison: Comparison) -> Iterator[tuple[str, tuple[Cell, Path]]]:
    """The first seed's provenance of each strategy that changed the vocabulary on the source's body."""
    import pyarrow.parquet as pq

    for label, cells in itertools.groupby(comparison.cells, key=lambda cell: cell.label):
        cell = next(cells)
        path = cell_folder(folder, cell) / PROVENANCE
        if cell.body != "source" or cell.parameters.get("keeps_tokenizer") or not path.exists():
            continue
        if "source_tokens" in pq.read_schema(path).names:
            yield label, (cell, path)


def _columns(path: Path, names: list[str], rows: list[int] | None = None) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=names)
    columns: dict[str, list[Any]] = (table if rows is None else table.take(rows)).to_pydict()
    return columns


def _rows(path: Path, shown: list[int]) -> tuple[TokenRow, ...]:
    columns = _columns(path, ["rule", "source_tokens", "weights"], shown)
    return tuple(
        itertools.starmap(_row, zip(columns["rule"], columns["source_tokens"], columns["weights"], strict=True))
    )


def _row(rule: str, sources: list[str], weights: list[float]) -> TokenRow:
    pairs = sorted(zip(sources, weights, strict=True), key=lambda pair: -abs(pair[1]))
    total, squares = sum(weights), sum(w * w for w in weights)
    return TokenRow(rule, tuple(pairs[:TOP]), total * total / squares if squares else 0.0)


def _counts(folder: Path, cell: Cell, size: int) -> npt.NDArray[np.int64] | None:
    """How often each target token occurs in the training text, where the cells counted it."""
    import numpy as np

    corpus, vocabulary = (cell.parameters.get(name) for name in ("train", "tokenizer"))
    path = counts_file(folder / "prepared" / "counts", str(corpus), str(vocabulary))
    if not path.exists():
        return None
    counts: npt.NDArray[np.int64] = np.load(path, allow_pickle=False)
    return counts if len(counts) == size else None
