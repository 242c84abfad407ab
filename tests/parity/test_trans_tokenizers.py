"""Trans-tokenization agrees with trans-tokenizers 0.1.4, the authors' package, share by share and row by row.

Both read the same counts of aligned words, which come from our aligner, and blend shared tokens, as the package does.
Meant differences, each shown by a test and left out of the comparison: the package smooths in the order of the
vocabulary, and what it adds supports later tokens (the worker switches that off for the comparison); for the pieces of
a number it asks a tokenizer that puts a word start before it, and asks twice; special tokens are evidence for tokens
that they begin with; bytes of a byte-level tokenizer are taken for the letters that write them. Tokens without any
evidence get its unknown token's row and are left to the fallback here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import graft_model
from lexigraft.core.grafting.rows import Rows
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.surface import Family, Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.strategies.trans_tokenization import TransTokenization
from parity.environments import TRANS_TOKENIZERS, ask
from parity.marks import REAL
from parity.parallel_pairs import made_parallel_pair, real_parallel_pair

pytestmark = [pytest.mark.parity, pytest.mark.slow]
NAMES = {Role.INPUT: "model.embed_tokens.weight", Role.OUTPUT: "lm_head.weight"}
TOLERANCE = 1e-6

Shares = Mapping[str, float]


@dataclass(frozen=True)
class Both:
    """Our rows, and the package's rows and shares of source tokens by target token, smoothed in no order and in order.

    ``known`` are the tokens that had evidence before smoothing.
    """

    source: Vocabulary
    target: Vocabulary
    ours: Rows
    rows: Mapping[Role, torch.Tensor]
    shares: Mapping[str, Shares]
    untouched: Mapping[str, Shares]
    known: frozenset[str]

    def our_shares(self, i: int) -> Shares:
        """The source tokens behind a target token, by weight."""
        ids, weights = self.ours.provenance.mix.row(i)
        return {self.source.tokens[j]: w for j, w in zip(ids.tolist(), weights.tolist(), strict=True)}

    def apart(self, i: int) -> float:
        """The furthest that two shares of a target token are apart."""
        return distance(self.our_shares(i), self.shares[self.target.tokens[i]])

    @property
    def text(self) -> list[int]:
        """The target tokens that stand for text."""
        return (self.target.surfaces.kinds == Kind.TEXT).nonzero()[0].tolist()

    def numeric(self, i: int) -> bool:
        """Whether a target token has a digit."""
        return any(byte in b"0123456789" for byte in self.target.surfaces.texts[i])

    def special(self, i: int) -> bool:
        """Whether the package mixes special tokens into a token that had no evidence of its own."""
        shares, specials = self.shares[self.target.tokens[i]], {self.source.tokens[j] for j in self.source.special_ids}
        return len(shares) > 1 and not specials.isdisjoint(shares)

    def beyond_ascii(self, i: int) -> bool:
        """Whether a byte-level token has bytes that are written as other letters."""
        return self.target.family is Family.BYTE_LEVEL and not self.target.surfaces.texts[i].isascii()

    @property
    def compared(self) -> list[int]:
        """Text tokens that no meant difference touches."""
        meant = (self.numeric, self.special, self.beyond_ascii)
        return [i for i in self.text if not any(found(i) for found in meant)]


def distance(one: Shares, other: Shares) -> float:
    return max(abs(one.get(token, 0.0) - other.get(token, 0.0)) for token in {**one, **other})


BYTE_LEVEL = pytest.param(partial(made_parallel_pair, target_type="byte_bpe"), id="byte-level")
BYTE_LEVEL_ONLY = pytest.mark.parametrize("both", [BYTE_LEVEL], indirect=True)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(partial(made_parallel_pair, target_type="unigram"), id="unigram"),
        BYTE_LEVEL,
        pytest.param(real_parallel_pair, id="swahili", marks=REAL),
    ],
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("pair")
    pair = request.param(folder)
    paths = {"model": pair.model, "target": pair.target, "counts": pair.counts, "out": folder / "theirs"}
    answer = ask(TRANS_TOKENIZERS, "trans_tokenizers_worker.py", {name: str(path) for name, path in paths.items()})
    theirs = load_file(folder / "theirs" / "model.safetensors")
    shares, untouched = ({token: dict(own) for token, own in answer[name].items()} for name in ("shares", "untouched"))
    target = load_vocabulary(pair.target)
    ours = graft_model(
        str(pair.model), target, [TransTokenization(shared="blend")], {Need.PARALLEL: lambda: pair.text}
    ).rows
    return Both(
        source=load_vocabulary(pair.model),
        target=target,
        ours=ours,
        rows={role: theirs[name] for role, name in NAMES.items()},
        shares=shares,
        untouched=untouched,
        known=frozenset(answer["known"]),
    )


def test_shares_agree(both: Both) -> None:
    apart = {i: both.apart(i) for i in both.compared if both.our_shares(i)}
    smoothed = [i for i in apart if both.target.tokens[i] not in both.known]
    print(f"{len(apart)} tokens, {len(smoothed)} of them smoothed; furthest apart {max(apart.values()):.1e}")
    assert [i for i, gap in apart.items() if gap > TOLERANCE] == []
    assert len(apart) - len(smoothed) > 200
    assert len(smoothed) > 100


def test_rows_agree(both: Both) -> None:
    compared = [i for i in both.compared if both.our_shares(i)]
    for role, rows in both.ours.tables.items():
        apart = (rows[compared] - both.rows[role][compared]).abs().amax(1)
        print(f"{role.value}: {len(compared)} rows, furthest apart {float(apart.max()):.1e}")
        assert float(apart.max()) < TOLERANCE


def test_the_same_tokens_have_no_evidence(both: Both) -> None:
    ours = [i for i in both.compared if not both.our_shares(i)]
    assert ours == [i for i in both.compared if both.shares[both.target.tokens[i]] == {"<unk>": 1.0}]
    assert all(both.ours.provenance.rules[i] == "fallback" for i in ours)


def test_it_asks_for_numbers_twice_and_always_at_a_word_start(both: Both) -> None:
    differ = [i for i in both.text if both.numeric(i) and both.apart(i) > TOLERANCE]
    assert differ
    for i in differ:
        ours, theirs = both.our_shares(i), both.shares[both.target.tokens[i]]
        more = [token for token, share in theirs.items() if share > ours.get(token, 0.0) + TOLERANCE]
        assert both.target.surfaces.texts[i].isdigit()
        assert all(token.startswith("▁") for token in more)


@BYTE_LEVEL_ONLY
def test_it_mixes_special_tokens_into_what_they_begin_with(both: Both) -> None:
    """``<`` has no evidence, but ``<s>`` and its like begin with it and have a count of a billion."""
    mixed = [i for i in both.text if both.special(i)]
    assert [both.target.tokens[i] for i in mixed] == ["<"]
    assert both.ours.provenance.rules[mixed[0]] == "fallback"


@BYTE_LEVEL_ONLY
def test_it_takes_a_byte_for_the_letter_that_writes_it(both: Both) -> None:
    """The byte F1 is written ``ñ``, which spells C3 B1; alone it is a fragment of other characters."""
    taken = {i: both.shares[both.target.tokens[i]] for i in both.text if both.beyond_ascii(i)}
    letters = {i: shares for i, shares in taken.items() if "<unk>" not in shares and not both.our_shares(i)}
    assert letters == {i: {both.target.tokens[i]: 1.0} for i in letters}
    assert b"\xf1" in {both.target.surfaces.texts[i] for i in letters}


def test_what_it_smooths_first_supports_what_it_smooths_later(both: Both) -> None:
    """The order of the vocabulary decides; tokens with evidence of their own do not change."""
    changed = {t for t, own in both.untouched.items() if distance(own, both.shares[t]) > TOLERANCE}
    print(f"{len(changed)} of {len(both.shares) - len(both.known)} smoothed tokens depend on the order")
    assert changed
    assert changed.isdisjoint(both.known)
