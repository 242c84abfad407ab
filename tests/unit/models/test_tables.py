"""Tables are as large as in the checkpoint until they are read in float32, and rows come out the same."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fixtures.small_worlds import context, words
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.linalg.moments import all_finite
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.registry import make


def test_a_table_is_converted_once_and_not_before_it_is_read() -> None:
    stored = torch.randn(3, 4).to(torch.bfloat16)
    tables = FloatTables({Role.INPUT: stored})
    assert list(tables) == [Role.INPUT]
    assert tables.as_stored(Role.INPUT) is stored
    read = tables[Role.INPUT]
    assert read.dtype == torch.float32
    assert torch.equal(read, stored.float())
    assert tables[Role.INPUT] is read
    assert tables.as_stored(Role.INPUT) is read


def test_tables_in_float32_are_shared() -> None:
    table = torch.randn(3, 4)
    assert FloatTables({Role.INPUT: table})[Role.INPUT] is table


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_value_that_is_no_number_is_found(value: float, dtype: torch.dtype) -> None:
    values = torch.randn(50, 7).to(dtype)
    assert all_finite(values)
    assert all_finite(values[:0])
    values[31, 3] = value
    assert not all_finite(values)


@pytest.mark.parametrize("fallback", ["normal", "mean"])
def test_rows_are_those_of_tables_in_float32(fallback: str) -> None:
    source, target = words("llama", "ll", "##ama", "##a", "x"), words("llama", "lla", "llaama", "zz")
    generator = torch.Generator().manual_seed(1)
    shapes = {Role.INPUT: (source.size, 4), Role.OUTPUT: (source.size, 4), Role.BIAS: (source.size,)}
    stored = {role: torch.randn(*shape, generator=generator).to(torch.bfloat16) for role, shape in shapes.items()}
    tables = FloatTables(stored)
    plain = context(source, target, {role: table.float().tolist() for role, table in stored.items()})
    held = dataclasses.replace(plain, tables=tables, generator=torch.Generator().manual_seed(0))
    chain = [make("strategy", "subword_mean")]
    ours, theirs = (build_rows(chain, ctx, fallback=fallback) for ctx in (held, plain))
    assert ours.counts["covered"] > 0
    assert ours.counts["fallback"] > 0
    for role, table in theirs.tables.items():
        assert table.dtype == ours.tables[role].dtype == torch.float32
        assert torch.equal(ours.tables[role], table)
        assert tables.as_stored(role) is stored[role]
