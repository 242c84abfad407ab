"""One source token for each new one, on a text of which both tokenizers read the same words under other names."""

from __future__ import annotations

import numpy as np
import pytest

from fixtures.hand_cases import weights
from fixtures.small_worlds import context, words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary

pytestmark = pytest.mark.usefixtures("one_thread")
SHARED = [f"s{letter}" for letter in "abcdefghijkl"]
RENAMED = {f"inti{letter}": f"sun{letter}" for letter in "abcdefgh"}
NEW = [*RENAMED, "rare"]


def source() -> Vocabulary:
    """Reads every renamed word as its source word."""
    from tokenizers import normalizers

    vocabulary = words(*SHARED, *RENAMED.values(), "other")
    rename = normalizers.Sequence([normalizers.Replace(new, old) for new, old in RENAMED.items()])
    vocabulary.tokenizer.backend_tokenizer.normalizer = rename
    return vocabulary


def renamed_context(lines: list[str]) -> InitContext:
    ours, theirs = source(), words(*SHARED, *NEW)
    table = np.arange(2 * ours.size).reshape(-1, 2).tolist()
    return context(ours, theirs, {Role.INPUT: table}, {Need.TRAINING: Corpus.of(lines)})


def sentences(seed: int, count: int) -> list[str]:
    """Every word prefers some words as neighbours, by a random table."""
    rng = np.random.default_rng(seed)
    both = [*SHARED, *RENAMED]
    follows = rng.dirichlet(np.full(len(both), 0.3), len(both))
    lines = []
    for _ in range(count):
        at = [int(rng.integers(len(both)))]
        for _ in range(9):
            at.append(int(rng.choice(len(both), p=follows[at[-1]])))
        lines.append(" ".join(both[n] for n in at))
    return lines


@pytest.mark.parametrize("pivots", [5, 0])
def test_renamed_words_are_found_by_the_company_they_keep(pivots: int) -> None:
    # Both streams of tokens are the same but for the names, and so are the cosines to the pivots: with the right source
    # token their cosine is 1. "rare" occurs once and stays uncovered; its line changes nothing, since it stands alone.
    ctx = renamed_context([*sentences(0, 150), "rare"])
    plan = make("strategy", "one_to_one", {"pivots": pivots, "min_count": 2}).plan(ctx)
    assert isinstance(plan, Mix)
    named = {new: {ctx.source.id_of(old): 1.0} for new, old in RENAMED.items()} | {"rare": {}}
    assert {ctx.target.tokens[i]: weights(plan, n) for n, i in enumerate(ctx.target_ids.tolist())} == named
    assert ctx.journal.notes == [f"one_to_one: {pivots or len(SHARED)} pivots, 8 tokens with a source token"]


def test_without_pivots_or_text_nothing_is_covered() -> None:
    only_new = [" ".join(RENAMED)] * 9
    for lines in (only_new, ["sa"], ["sa sb intia"]):
        ctx = renamed_context(lines)
        assert not make("strategy", "one_to_one").plan(ctx).covered.any()
