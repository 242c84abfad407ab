"""Published tokenizers extended and pruned on Quechua text: no text gets longer, nothing gets out of reach."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import pytest

from fixtures.real_tokenizers import DATA, load_real
from lexigraft.core.tokenization.editing.extension import extend
from lexigraft.core.tokenization.editing.pruning import prune
from lexigraft.core.tokenization.vocabulary import Vocabulary

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]


def lines(language: str, number: int) -> list[str]:
    path = DATA / f"multilingual/flores-200/{language}.dev+devtest.txt.gz"
    return gzip.decompress(path.read_bytes()).decode().splitlines()[:number]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("tokenizers")
    return cache(lambda name: load_real(name, folder))


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("GPT-2", "continued_bpe"),
        ("Phi-3", "continued_bpe"),
        ("GPT-2", "append"),
        ("sw-xlmr-unigram-50k", "unigram_em"),
        ("mBERT", "append"),
    ],
)
def test_extended_by_quechua(name: str, method: str, load) -> None:
    source: Vocabulary = load(name)
    extended = extend(source, lines("quy", 800), 200, method)
    assert extended.tokens[: source.size] == source.tokens
    texts = [*lines("eng", 300), *lines("quy", 1100)[800:], *Path(__file__).read_text(encoding="utf-8").splitlines()]
    before, after = source.encode(texts), extended.encode(texts)
    assert all(len(new) <= len(old) for old, new in zip(before, after, strict=True))
    decoded = [
        (source.tokenizer.decode(old), extended.tokenizer.decode(new)) for old, new in zip(before, after, strict=True)
    ]
    assert [new for old, new in decoded if "[UNK]" not in old] == [old for old, _ in decoded if "[UNK]" not in old]
    unseen = slice(300, 600)
    most = 0.95 if method == "append" else 0.85
    assert sum(map(len, after[unseen])) < most * sum(map(len, before[unseen]))


@pytest.mark.parametrize("name", ["GPT-2", "Phi-3", "mBERT", "sw-xlmr-unigram-50k"])
def test_pruned_to_quechua(name: str, load) -> None:
    source: Vocabulary = load(name)
    text = lines("quy", 800)
    pruned = prune(source, text)
    assert pruned.size < source.size / 3
    wanted = [[source.tokens[i] for i in ids] for ids in source.encode(text)]
    assert [[pruned.tokens[i] for i in ids] for ids in pruned.encode(text)] == wanted
    whole, part = (one.tokenizer.backend_tokenizer.model for one in (source, pruned))
    alone = [t for t in pruned.tokens if [p.value for p in whole.tokenize(t)] == [t]]
    assert len(alone) > pruned.size / 2
    assert [t for t in alone if [p.value for p in part.tokenize(t)] != [t]] == []
