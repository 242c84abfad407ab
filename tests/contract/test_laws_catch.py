"""For each main law a strategy that breaks it: the law must notice, whatever the others say."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan
from lexigraft.core.grafting.resources import Resources
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import Plugin
from lexigraft.testing import contract
from lexigraft.testing.contract import LAWS, run_checks
from lexigraft.testing.sample_text import SOURCE_TEXT

FIXTURE = "roberta-tied-bias"
LINES = SOURCE_TEXT.splitlines()


def pieces(ctx: InitContext) -> list[list[int]]:
    seen = ctx.target.surfaces
    return [ctx.source.pieces(seen.texts[i], bool(seen.starts[i])) for i in ctx.target_ids.tolist()]


def honest(ctx: InitContext) -> Mix:
    return Mix.mean_of(pieces(ctx))


def dense(ctx: InitContext, row: Callable[[torch.Tensor, int], torch.Tensor]) -> dict[Role, Dense]:
    return {role: Dense(row(ctx.table(role), len(ctx.target_ids))) for role in ctx.roles}


def reversed_rows(ctx: InitContext) -> Plan:
    rows = [honest(ctx).row(i) for i in range(len(ctx.target_ids))]
    return Mix.from_rows((i.tolist(), w.tolist()) for i, w in reversed(rows))


def by_position(ctx: InitContext) -> Plan:
    return Mix.from_rows(([n % ctx.source.size], [1.0]) for n in range(len(ctx.target_ids)))


def short_of_one(ctx: InitContext) -> Plan:
    return Mix.mean_of(pieces(ctx)[:-1])


def beyond(ctx: InitContext) -> Plan:
    return Mix.from_rows([([ctx.source.size], [1.0])] * len(ctx.target_ids))


def not_finite(ctx: InitContext) -> Plan:
    return dense(ctx, lambda table, n: torch.full((n, *table.shape[1:]), float("nan")))


def zeros(ctx: InitContext) -> Plan:
    return dense(ctx, lambda table, n: torch.zeros(n, *table.shape[1:]))


def doubled(ctx: InitContext) -> Plan:
    mix = honest(ctx)
    return Mix(mix.indptr, mix.indices, mix.weights * 2)


def far_away(ctx: InitContext) -> Plan:
    return dense(ctx, lambda table, n: (table.mean(0) + 50).expand(n, *table.shape[1:]).clone())


def half_precision(ctx: InitContext) -> Plan:
    return dense(ctx, lambda table, n: table.mean(0).expand(n, *table.shape[1:]).bfloat16())


def input_only(ctx: InitContext) -> Plan:
    return Dense(ctx.table(Role.INPUT).mean(0).expand(len(ctx.target_ids), -1).clone())


def globally_random(ctx: InitContext) -> Plan:
    return dense(ctx, lambda table, n: table.mean(0) + torch.randn(n, *table.shape[1:]))


def python_random(ctx: InitContext) -> Plan:
    random.random()
    return honest(ctx)


def numpy_random(ctx: InitContext) -> Plan:
    np.random.seed(0)  # noqa: NPY002
    return honest(ctx)


def writes_into_the_table(ctx: InitContext) -> Plan:
    ctx.table(Role.INPUT)[3] += 1
    return honest(ctx)


def writes_into_the_ids(ctx: InitContext) -> Plan:
    plan = honest(ctx)
    ctx.target_ids.sort()
    ctx.target_ids[0] = 0
    return plan


def writes_into_the_alignment(ctx: InitContext) -> Plan:
    ctx.alignment.source_ids[5] = 7
    return honest(ctx)


def fails_on_nothing(ctx: InitContext) -> Plan:
    assert len(ctx.target_ids)
    return honest(ctx)


def fails_without_matches(ctx: InitContext) -> Plan:
    assert len(ctx.alignment.matched)
    return honest(ctx)


def uses_all_rows(ctx: InitContext) -> Plan:
    last = len(ctx.tables[Role.INPUT]) - 1
    return Mix.from_rows([([last], [1.0])] * len(ctx.target_ids))


def undeclared(ctx: InitContext) -> Plan:
    ctx.resources.target_vectors()
    return honest(ctx)


def reaches_around(ctx: InitContext) -> Plan:
    Resources(frozenset({Need.DICTIONARY}), ctx.resources._loaders).dictionary()
    return honest(ctx)


def huge_bias(ctx: InitContext) -> Plan:
    plan: dict[Role, Mix | Dense] = dict.fromkeys(ctx.roles, honest(ctx))
    plan[Role.BIAS] = Dense(torch.full((len(ctx.target_ids),), 99.0), honest(ctx).covered)
    return plan


@cache
def favourite() -> int:
    """The token that the fixture predicts most often."""
    where = contract.cached_fixture(FIXTURE)
    likeliest = torch.cat(
        [logits_of(where.model, ids)[:, : where.source.size].argmax(1) for ids in where.source.encode(LINES)]
    )
    return int(likeliest.bincount().argmax())


def logits_of(model: Any, ids: Sequence[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([ids[:48]])).logits[0]
    return found


def corner_of_the_box(ctx: InitContext) -> Plan:
    """Inside the range of every dimension, outside the convex hull: the corner that the favourite's row points to."""

    def corner(table: torch.Tensor, n: int) -> torch.Tensor:
        own = table[: ctx.source.size]
        row = torch.where(own[favourite()] > 0, own.max(0).values, own.min(0).values)
        return row.expand(n, *table.shape[1:]).clone()

    return dense(ctx, corner)


def anothers_bias(ctx: InitContext) -> Plan:
    """Convex in every table, but the favourite's row comes with the bias of another token."""
    likeliest, n = int(ctx.table(Role.BIAS)[: ctx.source.size].argmax()), len(ctx.target_ids)
    return {role: Mix.mean_of([[likeliest if role is Role.BIAS else favourite()]] * n) for role in ctx.roles}


def mean_of_what_fits(ctx: InitContext) -> Plan:
    """The mean of as many source rows as the budget holds, at 64 KiB a row."""
    return dense(ctx, lambda table, n: table[: ctx.memory_budget // 2**16].mean(0).expand(n, *table.shape[1:]).clone())


def plugin_of(plan: Callable[[InitContext], Plan], **attributes: Any) -> Plugin:
    """A plug-in of a strategy with this plan; every other thing about it is in order."""

    @dataclass(frozen=True)
    class Made(Strategy):
        """A strategy of the tests.

        Source: the tests.
        Needs: nothing.
        Relations: none.
        """

        name: ClassVar[str] = "made"

        def plan(self, ctx: InitContext) -> Plan:
            return plan(ctx)

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Plugin("strategy", "made", "made.py", "folder", Made)


PLANS: list[tuple[str, Callable[[InitContext], Plan], dict[str, Any]]] = [
    ("rows asked are rows returned", short_of_one, {}),
    ("rows asked are rows returned", input_only, {}),
    ("source ids are in range", beyond, {}),
    ("source ids are in range", uses_all_rows, {"fixture": "roberta-padded"}),
    ("values are finite", not_finite, {}),
    ("no covered row is zero", zeros, {}),
    ("plans are float32", half_precision, {}),
    ("rows are convex where claimed", doubled, {"convex": True}),
    ("rows are convex where claimed", far_away, {"convex": True}),
    ("nothing asked, nothing returned", fails_on_nothing, {}),
    ("same seed, same plan", globally_random, {}),
    ("the global random state is untouched", globally_random, {}),
    ("the global random state is untouched", python_random, {}),
    ("the global random state is untouched", numpy_random, {}),
    ("inputs are not mutated", writes_into_the_table, {}),
    ("inputs are not mutated", writes_into_the_ids, {}),
    ("inputs are not mutated", writes_into_the_alignment, {}),
    ("permuting target ids permutes rows", by_position, {}),
    ("permuting target ids permutes rows", reversed_rows, {}),
    ("same rows for any memory budget", mean_of_what_fits, {}),
    ("declared needs suffice", undeclared, {}),
    ("every declared need is used", honest, {"needs": frozenset({Need.DICTIONARY})}),
    ("empty overlap works", fails_without_matches, {}),
    ("a head bias is handled", huge_bias, {}),
    ("added rows leave greedy choices as they were", corner_of_the_box, {"convex": True}),
    ("added rows leave greedy choices as they were", anothers_bias, {"convex": True}),
    ("finished tables are sound", zeros, {}),
    ("finished tables are sound", not_finite, {}),
]


def outcome_of(plugin: Plugin, law: str, fixture: str = FIXTURE) -> tuple[str, str]:
    laws = [one for one in LAWS if one.name == law]
    assert len(laws) == 1, law
    found = run_checks(plugin, (fixture,), laws)
    assert len(found) == 1
    return found[0].outcome, found[0].reason


@pytest.mark.parametrize(("law", "plan", "attributes"), PLANS, ids=[f"{law}: {p.__name__}" for law, p, _ in PLANS])
def test_a_broken_plan_is_caught(law: str, plan: Callable[[InitContext], Plan], attributes: dict[str, Any]) -> None:
    fixture = attributes.get("fixture", FIXTURE)
    plugin = plugin_of(plan, **{k: v for k, v in attributes.items() if k != "fixture"})
    assert outcome_of(plugin, law, fixture)[0] == "failed"


@pytest.mark.parametrize("plan", [corner_of_the_box, anothers_bias])
def test_convex_table_by_table_is_not_enough(plan: Callable[[InitContext], Plan]) -> None:
    for law in ("rows are convex where claimed", "a head bias is handled"):
        assert outcome_of(plugin_of(plan, convex=True), law)[0] == "passed"


@pytest.mark.parametrize("law", [law.name for law in LAWS if law.on_fixtures])
def test_an_honest_plan_is_not_accused(law: str) -> None:
    outcome, reason = outcome_of(plugin_of(honest, convex=True), law)
    assert outcome == "passed" or (outcome == "not applicable" and reason), reason


def test_what_a_broken_strategy_wrote_is_put_back() -> None:
    assert outcome_of(plugin_of(writes_into_the_alignment), "inputs are not mutated")[0] == "failed"
    assert outcome_of(plugin_of(honest), "matched rows are copied bit for bit")[0] == "passed"


def test_a_need_reached_behind_the_contract_is_seen_by_nobody_else() -> None:
    """Python cannot stop a determined reach; the law sees it where the loader is not there at all."""
    assert outcome_of(plugin_of(reaches_around), "declared needs suffice")[0] == "failed"


def test_a_strategy_that_claims_scope_and_body_gets_other_laws() -> None:
    plugin = plugin_of(honest, scope=Scope.ALL)
    assert outcome_of(plugin, "matched rows are copied bit for bit")[0] == "not applicable"
    assert outcome_of(plugin_of(honest), "a head bias survives", "llama-tied")[0] == "not applicable"
    plugin = plugin_of(honest, body=Body.TARGET)
    assert outcome_of(plugin, "finished tables are sound")[0] == "failed", "a target body needs a poor model"


def test_needs_without_made_inputs_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    poorer = dataclasses.replace(contract.cached_fixture(FIXTURE))
    loaders = {need: loader for need, loader in poorer.loaders.items() if need != Need.PARALLEL}
    vars(poorer)["loaders"] = loaders
    monkeypatch.setattr(contract, "cached_fixture", lambda name: poorer)
    outcome, reason = outcome_of(plugin_of(honest, needs=frozenset({Need.PARALLEL})), "values are finite")
    assert outcome == "not applicable"
    assert "parallel" in reason
    assert outcome_of(plugin_of(honest), "values are finite")[0] == "passed"


HEAD = '"""A strategy of the tests."""\nfrom __future__ import annotations\n'
BODY = '''
from dataclasses import dataclass
from typing import ClassVar
from lexigraft.strategies import Mix, Need, Strategy

@dataclass(frozen=True)
class Made(Strategy):
    """Rows of the tests.

    Source: the tests.
    Needs: nothing.
    Relations: none.
    """

    name: ClassVar[str] = "made"
    size: float = 1.0

    def plan(self, ctx):
        return Mix.mean_of([[0]] * len(ctx.target_ids))
'''
FORMS = {
    "name is the file's stem": ('"made"', '"other"'),
    "import is light": ("from __future__ import annotations\n", "from __future__ import annotations\nimport torch\n"),
    "docstring record is complete": ("    Relations: none.\n", ""),
    "default construction works": ("size: float = 1.0", "size: float"),
    "required needs are declared": (
        "    def plan",
        "    def required_needs(self):\n        return frozenset({Need.DICTIONARY})\n\n    def plan",
    ),
    "is a frozen dataclass": ("@dataclass(frozen=True)\n", ""),
    "recipe round trip gives an equal plug-in": (
        "    def plan",
        "    def parameters(self):\n        return {'size': 2.0}\n\n    def plan",
    ),
}


def from_file(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Plugin:
    from lexigraft.core.registry import discover

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "made.py").write_text(text)
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(folder))
    return discover("strategy")["made"]


@pytest.mark.parametrize("law", FORMS)
def test_broken_form_is_caught(law: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = from_file(tmp_path / "good", monkeypatch, HEAD + BODY)
    assert outcome_of(good, law) == ("passed", "")
    old, new = FORMS[law]
    assert old in HEAD + BODY
    broken = from_file(tmp_path / "broken", monkeypatch, (HEAD + BODY).replace(old, new, 1))
    assert broken.cls is not None, broken.broken
    assert outcome_of(broken, law)[0] == "failed"


def test_needs_that_the_record_hides_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HEAD + BODY).replace("    size:", "    needs: ClassVar = frozenset({Need.DICTIONARY})\n    size:")
    plugin = from_file(tmp_path, monkeypatch, text)
    outcome, reason = outcome_of(plugin, "docstring record is complete")
    assert outcome == "failed"
    assert "dictionary" in reason


def test_a_file_that_does_not_load_fails_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = run_checks(from_file(tmp_path, monkeypatch, "import nothing_of_this_name\n"))
    assert found.outcome == "failed"
    assert "nothing_of_this_name" in found.reason
