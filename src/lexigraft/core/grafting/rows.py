"""Finished target tables, with the source of each row."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.near_means import near_mean_note
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.norm_calibration import calibrate
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy, uses_of
from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.linalg.moments import all_finite
from lexigraft.core.linalg.sampling import mean_draw, normal_draw
from lexigraft.core.models.tables import Role
from lexigraft.core.utils.threads import parallel_map

if TYPE_CHECKING:
    import torch

FALLBACK, UNUSABLE, POOR = "fallback", "unusable", "poor_model"


class BrokenContract(LexigraftError):
    """A strategy returned something that the contract forbids."""


@dataclass(frozen=True)
class Provenance:
    """Where each target row came from.

    Attributes:
        rules: The match rule, strategy or fallback that made the row, one for each target id.
        mix: Source ids and weights behind the row; empty where no source row stands behind it.
    """

    rules: tuple[str, ...]
    mix: Mix


@dataclass(frozen=True)
class Rows:
    """Finished target tables.

    Attributes:
        tables: float32 by role, ``(target, hidden)``; the bias ``(target,)``.
        provenance: Where each row came from.
        counts: ``target_tokens``, ``matched`` by rule, ``new``, ``covered`` (new tokens whose rows a strategy made),
            ``re_estimated`` (matched ones whose rows it made), ``fallback``, ``unusable``, and ``learned_tokens``: the
            text that strategies learned on, repetitions included.
        plan_seconds: Time that the strategies themselves took.
        moved: Tokens whose rows a strategy made, int64, ``(moved,)``; on the poor model's body those that it moved.
        notes: Sentences for the user, such as warnings and choices that a strategy made.
    """

    tables: Mapping[Role, torch.Tensor]
    provenance: Provenance
    counts: Mapping[str, Any]
    plan_seconds: float
    moved: npt.NDArray[np.int64]
    notes: tuple[str, ...] = ()


def build_rows(
    chain: Sequence[Strategy], ctx: InitContext, *, fallback: str = "normal", calibration: str = "none"
) -> Rows:
    """Run a chain of strategies: each is asked for the rows that the ones before it left uncovered.

    Args:
        chain: One strategy, or several of the same body.
        ctx: The context; its ``target_ids`` are chosen here, its ``resources`` must carry the needs' loaders.
        fallback: What fills rows that no strategy covers: ``normal`` or ``mean``.
        calibration: ``none``, ``anchors`` or ``script``; see ``core/grafting/norm_calibration.py``.

    Raises:
        BrokenContract: A plan of the wrong shape, with ids out of range or values that are not finite.
    """
    import torch

    bodies = {s.body for s in chain}
    if len(bodies) != 1:
        raise LexigraftError("a chain cannot mix strategies of different bodies", "+".join(s.name for s in chain))
    base = _target_base(chain, ctx) if bodies == {Body.TARGET} else _source_base(ctx)
    draft = _Draft(base, ctx)
    seconds = 0.0
    usable = ctx.target.surfaces.is_text
    for strategy in chain:
        open_rows = draft.filled_by_strategy == 0
        if strategy.scope is Scope.NEW and strategy.body is Body.SOURCE:
            open_rows &= ctx.alignment.source_ids < 0
        ids = np.flatnonzero(usable & open_rows).astype(np.int64)
        if len(ids):
            resources = ctx.resources.restricted_to(uses_of([strategy]))
            inner = dataclasses.replace(ctx, target_ids=ids, resources=resources)
            started = time.perf_counter()
            plan = strategy.plan(inner)
            seconds += time.perf_counter() - started
            draft.apply(strategy, plan, ids)
    if bodies == {Body.SOURCE}:
        seed = int(torch.randint(2**31, (1,), generator=ctx.generator))
        draft.fill(usable, fallback, torch.Generator().manual_seed(seed))
        calibrate(draft.tables, ctx, np.flatnonzero(draft.filled_by_strategy), calibration)
    return draft.finish(usable, seconds)


def _source_base(ctx: InitContext) -> tuple[dict[Role, torch.Tensor], list[str], Mix]:
    """Tables with matched rows copied bit for bit; the other rows are uninitialized."""
    import torch

    matched = ctx.alignment.matched
    source_ids = torch.from_numpy(ctx.alignment.source_ids[matched])
    tables = {}
    for role in ctx.roles:
        source = ctx.stored_table(role)
        tables[role] = torch.empty(ctx.target.size, *source.shape[1:])

        def copy(span: slice, table: torch.Tensor = tables[role], source: torch.Tensor = source) -> None:
            table[torch.from_numpy(matched[span])] = source[source_ids[span]].float()

        parallel_map(copy, _spans(len(matched), source))
    rules = [ctx.alignment.rules[r] for r in ctx.alignment.rule_ids.tolist()]
    return tables, rules, Mix.of_single(ctx.alignment.source_ids)


def _target_base(chain: Sequence[Strategy], ctx: InitContext) -> tuple[dict[Role, torch.Tensor], list[str], Mix]:
    """The poor model's own rows."""
    poor = ctx.resources.restricted_to(frozenset().union(*(s.needs for s in chain))).poor_model()
    if (rows := len(poor.tables[Role.INPUT])) < ctx.target.size:
        raise LexigraftError("the poor model has fewer rows than the target tokenizer", f"{rows} < {ctx.target.size}")
    tables = {role: table[: ctx.target.size].clone() for role, table in poor.tables.items()}
    return tables, [POOR] * ctx.target.size, Mix.of_single(np.full(ctx.target.size, -1))


class _Draft:
    """Tables while they are being filled."""

    def __init__(self, base: tuple[dict[Role, torch.Tensor], list[str], Mix], ctx: InitContext) -> None:
        self.tables, self.rules, copied = base
        self._ctx = ctx
        self.filled_by_strategy = np.zeros(ctx.target.size, np.int8)
        self._mixes, self._positions = [copied], np.arange(ctx.target.size)

    def apply(self, strategy: Strategy, plan: Plan, ids: npt.NDArray[np.int64]) -> None:
        plans = plans_by_role(strategy, plan, frozenset(self.tables))
        covered = None
        for role, part in plans.items():
            if wrong := _fault_of(part):
                raise BrokenContract(f"strategy '{strategy.name}' returned {wrong}", role.value)
            if len(part) != len(ids):
                raise BrokenContract(
                    f"strategy '{strategy.name}' answered the wrong number of rows", f"{len(part)} for {len(ids)}"
                )
            here = covered_by(part)
            if covered is not None and not np.array_equal(covered, here):
                raise BrokenContract(
                    f"strategy '{strategy.name}' covers different rows in different tables", role.value
                )
            covered = here
            self._fill_in(strategy, role, part, ids)
        assert covered is not None
        self._record(strategy, plans[Role.INPUT], ids, covered)

    def _fill_in(self, strategy: Strategy, role: Role, part: Mix | Dense, ids: npt.NDArray[np.int64]) -> None:
        """Put covered rows into a table, a few at a time: they may be as large as the table itself."""
        covered = covered_by(part)
        if not covered.any():
            return
        if isinstance(part, Mix):
            lowest, highest = int(part.indices.min()), int(part.indices.max())
            if lowest < 0 or highest >= self._ctx.source.size:
                raise BrokenContract(f"strategy '{strategy.name}' names source ids out of range", highest)
        values = self._ctx.stored_table(role) if isinstance(part, Mix) else part.rows
        if values.shape[1:] != self.tables[role].shape[1:]:
            raise BrokenContract(f"strategy '{strategy.name}' returned rows of the wrong width", tuple(values.shape))

        def fill(span: slice) -> None:
            here = covered[span]
            rows = combine(part[span], values) if isinstance(part, Mix) else part.rows[span].float()
            if not here.all():
                rows = rows[here]
            if not all_finite(rows):
                raise BrokenContract(f"strategy '{strategy.name}' returned values that are not finite", role.value)
            self.tables[role][ids[span][here]] = rows

        parallel_map(fill, _spans(len(part), self.tables[role]))

    def _record(
        self, strategy: Strategy, part: Mix | Dense, ids: npt.NDArray[np.int64], covered: npt.NDArray[np.bool_]
    ) -> None:
        mix = part if isinstance(part, Mix) else part.mix
        filled = ids[covered]
        self.filled_by_strategy[filled] = 1
        for i in filled.tolist():
            self.rules[i] = strategy.name
        self._positions[filled] = sum(map(len, self._mixes)) + np.flatnonzero(covered)
        self._mixes.append(mix if mix is not None else Mix.of_single(np.full(len(ids), -1)))
        if mix is None:
            return
        by_vectors = Need.TARGET_VECTORS in strategy.required_needs()
        if note := near_mean_note(strategy.name, mix, static_vectors=by_vectors):
            self._ctx.journal.note(note)

    def fill(self, usable: npt.NDArray[np.bool_], kind: str, generator: torch.Generator) -> None:
        """Fill every row that is neither copied nor covered with the fallback."""
        empty = np.flatnonzero((self._ctx.alignment.source_ids < 0) & (self.filled_by_strategy == 0))
        for role in Role:
            if role in self.tables:
                self._fill_empty(role, empty, kind, generator)
        for i in empty.tolist():
            self.rules[i] = FALLBACK if usable[i] or i in self._ctx.target.special_ids else UNUSABLE

    def _fill_empty(self, role: Role, empty: npt.NDArray[np.int64], kind: str, generator: torch.Generator) -> None:
        """Draw rows in batches, each from a seed of its own, so that the number of threads does not change them."""
        import torch

        used, table = self._ctx.stored_table(role), self.tables[role]
        draw = mean_draw(used) if kind == "mean" else normal_draw(used)
        batches = [empty[span] for span in _spans(len(empty), table)]
        seeds = torch.randint(2**63 - 1, (len(batches),), generator=generator).tolist()

        def fill(batch: tuple[npt.NDArray[np.int64], int]) -> None:
            ids, seed = batch
            table[ids] = draw(len(ids), torch.Generator().manual_seed(seed))

        parallel_map(fill, zip(batches, seeds, strict=True))

    def finish(self, usable: npt.NDArray[np.bool_], plan_seconds: float) -> Rows:
        provenance = Provenance(tuple(self.rules), Mix.stack(self._mixes).take(self._positions))
        new, filled = self._ctx.alignment.source_ids < 0, self.filled_by_strategy > 0
        counts = {
            "target_tokens": self._ctx.target.size,
            "matched": self._ctx.alignment.counts(),
            "new": int((usable & new).sum()),
            "covered": int((filled & new).sum()),
            "re_estimated": int((filled & ~new).sum()),
            "fallback": self.rules.count(FALLBACK),
            "unusable": self.rules.count(UNUSABLE),
            "learned_tokens": self._ctx.journal.tokens,
        }
        moved = np.flatnonzero(filled).astype(np.int64)
        return Rows(self.tables, provenance, counts, plan_seconds, moved, tuple(self._ctx.journal.notes))


def _spans(rows: int, table: torch.Tensor) -> Iterator[slice]:
    """Slices of rows that take about 1 MiB each."""
    return row_blocks(rows, 4 * math.prod(table.shape[1:]), 2**20)


def _fault_of(part: object) -> str | None:
    """What keeps a part of a plan from being used: lengths and types that the contract forbids."""
    import torch

    if isinstance(part, Mix):
        arrays = (part.indptr, part.indices, part.weights)
        if not all(isinstance(a, np.ndarray) and a.ndim == 1 for a in arrays) or not len(part.indptr):
            return "a mix that is not made of three arrays of one dimension"
        if (
            part.indptr.dtype.kind not in "iu"
            or part.indices.dtype.kind not in "iu"
            or part.weights.dtype != np.float32
        ):
            return f"a mix of the types {', '.join(str(a.dtype) for a in arrays)}"
        if part.indptr[0] or (np.diff(part.indptr) < 0).any() or part.indptr[-1] != len(part.indices):
            return "a mix whose row pointers do not fit its entries"
        if len(part.indices) != len(part.weights):
            return f"a mix of {len(part.indices)} source ids and {len(part.weights)} weights"
        return None
    if not isinstance(part, Dense):
        return f"a {type(part).__name__} where a Mix or a Dense is expected"
    if not isinstance(part.rows, torch.Tensor) or not part.rows.dim() or not part.rows.is_floating_point():
        return "finished rows that are not a tensor of real numbers"
    covered = part.covered
    if covered is not None and not (
        isinstance(covered, np.ndarray) and covered.dtype == np.bool_ and covered.shape == (len(part),)
    ):
        return f"a 'covered' that is not one bool for each of {len(part)} rows"
    if part.mix is not None:
        return _fault_of(part.mix) or (None if len(part.mix) == len(part) else "a mix of another length than its rows")
    return None


def covered_by(part: Mix | Dense) -> npt.NDArray[np.bool_]:
    """Which of the rows asked for a part covers, bool, ``(asked,)``."""
    if isinstance(part, Mix):
        return part.covered
    return np.ones(len(part), np.bool_) if part.covered is None else part.covered


def plans_by_role(strategy: Strategy, plan: Plan, roles: frozenset[Role]) -> dict[Role, Mix | Dense]:
    """One plan for each table: a Mix serves every table; finished rows must be given for each table of the model."""
    if isinstance(plan, Mix):
        return dict.fromkeys(sorted(roles), plan)
    if not isinstance(plan, Dense | Mapping):
        raise BrokenContract(
            f"strategy '{strategy.name}' returned no plan", type(plan).__name__, "Return a Mix, a Dense, or one by role"
        )
    plans = {Role.INPUT: plan} if isinstance(plan, Dense) else dict(plan)
    if Role.INPUT not in plans:
        raise BrokenContract(f"strategy '{strategy.name}' returned no plan for the input table", sorted(plans))
    if missing := roles - set(plans):
        raise BrokenContract(
            f"strategy '{strategy.name}' returned no plan for a table of this model", ", ".join(sorted(missing))
        )
    return {role: plans[role] for role in sorted(roles)}
