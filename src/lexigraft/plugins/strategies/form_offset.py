"""Form offset: the row of a base form plus what the same change of form does to other words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.surface import Surfaces


@dataclass(frozen=True)
class FormOffset(Strategy):
    """Each new row is the row of a base form plus the mean offset that the same change of form has among known tokens.

    ``row(t) = E[base] + mean over pairs (E[derived] - E[base'])``, in every table by itself. Changes of form are read
    off the spelling: a token that starts a word and one that continues it, a capital first letter and none, all letters
    capital and none, and every suffix of up to `longest_suffix` letters behind at least `shortest_base`. Both the base
    and the pairs are source tokens of letters alone; a change needs `min_pairs` pairs. Of several bases the one nearest
    in form counts: a change of case or of the word start before any suffix, a short suffix before a longer one. Tokens
    without such a base stay uncovered. A head bias is the base's. The authors take the forms from UniMorph, and train
    small modules on top; here nothing is trained.

    Source: Reif, Kaplan & Schwartz, "Vocab Diet: Reshaping the Vocabulary of LLMs via Vector Arithmetic", Findings of
    ACL 2026 (arXiv 2510.17001).
    Needs: nothing.
    Relations: `subword_mean` averages the base with the pieces of the suffix; this learns from whole words what the
    suffix does. To be chained with a strategy that covers all tokens.
    """

    name: ClassVar[str] = "form_offset"
    min_pairs: int = 5
    longest_suffix: int = 5
    shortest_base: int = 3

    def __post_init__(self) -> None:
        if min(self.min_pairs, self.shortest_base) < 1 or self.longest_suffix < 0:
            raise ValueError("min_pairs and shortest_base must be at least 1, longest_suffix must not be negative")

    def plan(self, ctx: InitContext) -> Plan:
        """Find pairs of each change among the source tokens, and the nearest base of every row asked for."""
        known = _forms(ctx.source.surfaces, np.flatnonzero(ctx.source.surfaces.is_text).tolist())
        ids = {form: i for i, form in reversed(known.items())}
        pairs = self._pairs(known, ids)
        asked = _forms(ctx.target.surfaces, ctx.target_ids.tolist())
        chosen = [self._base(asked[i], ids, pairs) if i in asked else None for i in ctx.target_ids.tolist()]
        bases = Mix.of_single(np.array([-1 if one is None else one.base for one in chosen], np.int64))
        used = {change: n for n, change in enumerate(dict.fromkeys(one.change for one in chosen if one is not None))}
        of_row = np.array([-1 if one is None else used[one.change] for one in chosen], np.int64)
        ctx.journal.note(f"{self.name}: {int(bases.covered.sum()):,} tokens by {len(used)} changes of form")
        derived, plain = (Mix.mean_of([pair[side] for pair in pairs[change]] for change in used) for side in (0, 1))
        plans = {}
        for role in ctx.roles:
            table = ctx.table(role)
            rows = combine(bases, table)
            if role is not Role.BIAS and used:
                offsets = combine(derived, table) - combine(plain, table)
                rows[bases.covered] += offsets[of_row[bases.covered]]
            plans[role] = Dense(rows, bases.covered, bases)
        return plans

    def _pairs(self, known: Mapping[int, Form], ids: Mapping[Form, int]) -> dict[str, list[tuple[int, int]]]:
        """The pairs ``(derived, base)`` of each change that has enough of them."""
        pairs = defaultdict(list)
        for i, form in known.items():
            for change, base in self._bases(form):
                if (j := ids.get(base)) is not None:
                    pairs[change].append((i, j))
        return {change: found for change, found in pairs.items() if len(found) >= self.min_pairs}

    def _base(self, form: Form, ids: Mapping[Form, int], pairs: Mapping[str, Sequence[object]]) -> _Base | None:
        found = (_Base(ids[base], change) for change, base in self._bases(form) if base in ids and change in pairs)
        return next(found, None)

    def _bases(self, form: Form) -> Iterator[tuple[str, Form]]:
        """Every form that a form may be derived from, nearest first, each with the name of the change."""
        text, starts = form
        yield f"starts {not starts} to {starts}", Form(text, not starts)
        for kind, written in _CASES.items():
            if written(text) == text:
                for other, rewrite in _CASES.items():
                    if other != kind and (base := rewrite(text)) != text:
                        yield f"{other} to {kind}", Form(base, starts)
        for length in range(1, min(self.longest_suffix, len(text) - self.shortest_base) + 1):
            yield f"+{text[-length:]}", Form(text[:-length], starts)


class Form(NamedTuple):
    """A token of letters, and whether it starts a word."""

    text: str
    starts: bool


class _Base(NamedTuple):
    base: int
    change: str


_CASES = {"lower": str.lower, "capital": str.capitalize, "upper": str.upper}


def _forms(surfaces: Surfaces, ids: Sequence[int]) -> dict[int, Form]:
    """The forms of those tokens that are letters alone."""
    texts = ((i, surfaces.texts[i].decode(errors="replace")) for i in ids)
    return {i: Form(text, bool(surfaces.starts[i])) for i, text in texts if text.isalpha()}
