"""Strategies that need nothing, on published tokenizers, beside a direct computation of each formula."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.real_tokenizers import DATA, SOURCES, load_real
from lexigraft.core.grafting.plan import Mix, combine
from lexigraft.core.grafting.resources import Resources
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.number_splitting import digit_scheme, digit_warning
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from unit.methods.test_pieces import by_listing

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]
PAIRS = [("XLM-R", "sw-bpe-50k"), ("Mistral", "ha-bpe-50k"), ("GPT-2", "sw-xlmr-unigram-50k")]
HIDDEN, SAMPLE = 8, 400


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("tokenizers")
    return cache(lambda name: load_real(name, folder))


def asked(source: Vocabulary, target: Vocabulary, ids: np.ndarray) -> InitContext:
    draw = torch.Generator().manual_seed(1)
    tables = {role: torch.randn(source.size, HIDDEN, generator=draw) for role in (Role.INPUT, Role.OUTPUT)}
    return InitContext(
        source=source, target=target, alignment=align(source, target), target_ids=ids, roles=frozenset(tables),
        tables=FloatTables(tables), resources=Resources(frozenset(), {}), generator=draw,
    )  # fmt: skip


def some(vocabulary: Vocabulary, wanted: list[int]) -> np.ndarray:
    return np.array(sorted(random.Random(0).sample(wanted, SAMPLE)), np.int64)


def new_words(source: Vocabulary, target: Vocabulary) -> np.ndarray:
    """Some new tokens that start a word and are letters of one kind, so that no pre-tokenizer splits them."""
    new = align(source, target).new.tolist()
    seen = target.surfaces
    plain = [i for i in new if seen.kinds[i] == Kind.TEXT and seen.starts[i] and seen.texts[i].isalpha()]
    return some(target, plain)


def rows(plan: object, ctx: InitContext) -> dict[Role, torch.Tensor]:
    found = {role: plan if isinstance(plan, Mix) else plan[role] for role in ctx.roles}  # type: ignore[index]
    assert all(part.covered.all() for part in found.values())
    return {role: combine(part, ctx.table(role)) for role, part in found.items()}


def pieces(source: Vocabulary, text: bytes) -> list[int]:
    """The whole tokenizer on a word behind another one."""
    lead = source.tokenizer.encode("na", add_special_tokens=False)
    both = source.tokenizer.encode(f"na {text.decode()}", add_special_tokens=False)
    assert both[: len(lead)] == lead
    return both[len(lead) :]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_piece_weights_are_those_of_the_whole_tokenizer(source: str, target: str, load) -> None:
    a, b = load(source), load(target)
    ctx = asked(a, b, new_words(a, b))
    split = [pieces(a, b.surfaces.texts[i]) for i in ctx.target_ids]
    lengths = [np.array([len(a.tokenizer.decode([i]).strip()) or 1 for i in ids], float) for ids in split]
    steps = [np.arange(len(ids)) for ids in split]
    last, first = [2.0**s for s in steps], [0.5**s for s in steps]
    even = [np.ones(len(ids)) for ids in split]
    only = [np.eye(len(ids))[0] for ids in split]
    wanted = {
        "fvt": (even, even), "char_length": (lengths, lengths), "position_exponential": (last, first),
        "first_last": (even, only),
    }  # fmt: skip
    for name, rules in wanted.items():
        found = rows(make("strategy", name).plan(ctx), ctx)
        for role, weights in zip((Role.INPUT, Role.OUTPUT), rules, strict=True):
            table = ctx.table(role).numpy().astype(float)
            direct = np.stack([w @ table[ids] / w.sum() for ids, w in zip(split, weights, strict=True)])
            np.testing.assert_allclose(found[role].numpy(), direct, atol=1e-5, err_msg=f"{name} {role}")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_vipi_finds_the_listed_partitions(source: str, target: str, load) -> None:
    a, b = load(source), load(target)
    seen = a.surfaces
    texts = [i for k in (Kind.TEXT, Kind.BYTE) for i in np.flatnonzero(seen.kinds == k).tolist()]
    known: dict[bytes, int] = {}
    for i in texts:
        known.setdefault(b" " * bool(seen.starts[i]) + seen.texts[i], i)
    short = [i for i in new_words(a, b).tolist() if len(b.surfaces.texts[i]) < 11]
    plan = make("strategy", "vipi").plan(asked(a, b, np.array(short)))
    for n, i in enumerate(short):
        ids, weights = plan.row(n)
        listed = by_listing(b" " + b.surfaces.texts[i], known)
        assert dict(zip(ids.tolist(), weights.tolist(), strict=True)) == pytest.approx(listed, abs=1e-6)


def test_merge_tree_is_the_recursive_mean_over_the_merges_table_by_table(load) -> None:
    a, b = load("GPT-2"), load("sw-bpe-50k")
    merges = json.loads(b.tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    parents: dict[str, list[list[str]]] = {}
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        parents.setdefault("".join(pair), []).append(pair)
    new = [i for i in align(a, b).new.tolist() if b.surfaces.kinds[i] == Kind.TEXT]
    ctx = asked(a, b, some(b, new))
    found = rows(make("strategy", "merge_tree").plan(ctx), ctx)
    for role in ctx.roles:
        table = ctx.table(role).double()

        @cache
        def row(token: str, table: torch.Tensor = table) -> torch.Tensor:
            if (twin := a.id_of(token)) is not None:
                return table[twin]
            return torch.stack([(row(x) + row(y)) / 2 for x, y in parents[token]]).mean(0)

        direct = torch.stack([row(b.tokens[i]) for i in ctx.target_ids])
        torch.testing.assert_close(found[role].double(), direct, atol=1e-5, rtol=0)


def test_how_published_tokenizers_split_numbers(load) -> None:
    schemes = {name: digit_scheme(load(name)).name for name in SOURCES}
    by_digit = {"Qwen", "Mistral", "Phi-3"}
    assert {name for name, scheme in schemes.items() if scheme == "digit by digit"} == by_digit
    assert {scheme for name, scheme in schemes.items() if name not in by_digit} == {"pieces learned from text"}
    assert digit_warning(load("Mistral"), load("Qwen")) is None
    assert "2|0|2|1" in str(digit_warning(load("GPT-2"), load("Mistral")))
