"""No wrong rows between published tokenizers, and pieces as in running text, by the tokenizers' own account.

All ordered pairs are checked where LEXIGRAFT_ALL_PAIRS is set, else a drawn sample; `benchmarks/matching/wrong_rows.py`
counts them.
"""

from __future__ import annotations

import bz2
import gzip
import os
import random
import re
from functools import cache
from itertools import permutations
from pathlib import Path

import pytest

from fixtures.own_bytes import own_bytes, wrong_rows
from fixtures.real_tokenizers import DATA, SOURCES, TARGETS, load_real
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]
ALL = list(permutations((*SOURCES, *TARGETS), 2))
SAMPLE = ALL if os.environ.get("LEXIGRAFT_ALL_PAIRS") else random.Random(17).sample(ALL, 15)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("tokenizers")

    @cache
    def loaded(name: str) -> tuple[Vocabulary, list[bytes]]:
        vocabulary = load_real(name, folder)
        model = folder / name / "tokenizer.model"
        return vocabulary, own_bytes(vocabulary, model if model.exists() else None)

    return loaded


@pytest.mark.parametrize(("source", "target"), SAMPLE)
def test_every_matched_row_is_of_a_token_that_stands_for_the_same(source: str, target: str, load) -> None:
    (a, theirs), (b, ours) = load(source), load(target)
    found = align(a, b)
    assert len(found.matched) > 4000
    assert list(wrong_rows(a, b, found, theirs, ours)) == []


def test_the_check_sees_a_wrong_row(load) -> None:
    (a, theirs), (b, ours) = load("GPT-2"), load("sw-bpe-50k")
    found = align(a, b)
    first, second = found.matched[found.rule_ids[found.matched] == found.rules.index("bytes")][:2].tolist()
    found.source_ids[[first, second]] = found.source_ids[[second, first]]
    assert len(list(wrong_rows(a, b, found, theirs, ours))) == 2


@cache
def words() -> list[str]:
    """Words of many scripts: real sentences, and titles and text of the Wikipedia editions."""
    found: set[str] = set()
    for path in sorted((DATA / "multilingual" / "flores-200").rglob("*.gz"))[:6]:
        found.update(gzip.decompress(path.read_bytes()).decode().split()[:4000])
    for path in sorted((DATA / "wiki" / "minidumps").rglob("*.bz2")):
        text = re.sub(r"[\x00-\x1f]", " ", bz2.decompress(path.read_bytes()).decode())
        found.update(text.split()[200:260])
    return random.Random(0).sample(sorted(w for w in found if len(w) < 30), 1500)


@pytest.mark.parametrize("name", [name for name in (*SOURCES, *TARGETS) if name != "Qwen"])  # it has no merges here
def test_pieces_of_words_are_their_cut_in_running_text(name: str, load) -> None:
    v, _ = load(name)
    lead = v.encode(["na"])[0]
    differ = []
    for word, ids in zip(words(), v.encode([f"na {word}" for word in words()]), strict=True):
        assert ids[: len(lead)] == lead
        known = [i for i in ids[len(lead) :] if i not in v.special_ids]
        expected = known if any(v.surfaces.texts[i].strip(b" ") for i in known) else []
        found = v.pieces(word.encode(), True)
        assert Kind.UNUSABLE not in v.surfaces.kinds[found]
        if found != expected:
            differ.append((word, [v.tokens[i] for i in found], [v.tokens[i] for i in expected]))
    assert differ == []
