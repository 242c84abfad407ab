"""Published tokenizers of every family: how much matches by which rule, never on other bytes, and fast."""

from __future__ import annotations

import time
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from fixtures.real_tokenizers import DATA, TARGETS, load_real
from lexigraft.core.tokenization.matching.alignment import RELAXED_RULES, Alignment, align
from lexigraft.core.tokenization.surface import Family
from lexigraft.core.tokenization.vocabulary import Vocabulary

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]
FAMILIES = {
    "XLM-R": (Family.SENTENCEPIECE, 250_002),
    "mBERT": (Family.WORDPIECE, 119_547),
    "GPT-2": (Family.BYTE_LEVEL, 50_257),
    "GPT-NeoX": (Family.BYTE_LEVEL, 50_277),
    "Whisper": (Family.BYTE_LEVEL, 51_866),
    "Qwen": (Family.BYTE_LEVEL, 151_851),
    "Mistral": (Family.SENTENCEPIECE, 32_000),
    "Phi-3": (Family.SENTENCEPIECE, 32_011),
    "sw-xlmr-unigram-50k": (Family.SENTENCEPIECE, 50_000),
    "sw-bpe-50k": (Family.BYTE_LEVEL, 50_000),
    "ha-xlmr-unigram-50k": (Family.SENTENCEPIECE, 50_048),
    "ha-bpe-50k": (Family.BYTE_LEVEL, 50_048),
    "gd-xlmr-unigram-50k": (Family.SENTENCEPIECE, 50_048),
}
BY_BYTES = {
    ("XLM-R", "sw-xlmr-unigram-50k"): 12_315,
    ("GPT-2", "sw-bpe-50k"): 7_837,
    ("mBERT", "sw-bpe-50k"): 7_770,
    ("Mistral", "ha-bpe-50k"): 8_525,
    ("Whisper", "ha-bpe-50k"): 10_663,
    ("Qwen", "ha-xlmr-unigram-50k"): 12_905,
    ("Phi-3", "sw-bpe-50k"): 5_341,
    ("GPT-NeoX", "gd-xlmr-unigram-50k"): 7_620,
}


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("tokenizers")
    return cache(lambda name: load_real(name, folder))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_published_tokenizer_is_read_as_its_family(name: str, load) -> None:
    vocabulary: Vocabulary = load(name)
    family, size = FAMILIES[name]
    assert (vocabulary.family, vocabulary.size) == (family, size)
    text = "Habari ya asubuhi, rafiki yangu! Naïve café ñan 2021 🙂"
    [ids] = vocabulary.encode([text])
    if name != "XLM-R" and vocabulary.byte_complete:
        spelled = b"".join(b" " * bool(vocabulary.starts[i]) + vocabulary.surfaces.texts[i] for i in ids)
        assert spelled.strip() == text.encode()


@pytest.mark.parametrize(("source", "target"), BY_BYTES)
def test_how_much_matches_by_bytes(source: str, target: str, load) -> None:
    assert align(load(source), load(target)).counts()["bytes"] == BY_BYTES[source, target]


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def unequal(source: Vocabulary, target: Vocabulary, found: Alignment) -> list[tuple[bytes, bytes]]:
    """Target and source bytes of matches, special tokens left out, where they are not the same."""
    by_role = found.rules.index("special_role")
    ids = np.flatnonzero((found.source_ids >= 0) & (found.rule_ids != by_role))
    pairs = zip(ids.tolist(), found.source_ids[ids].tolist(), strict=True)
    both = ((target.surfaces.texts[i], source.surfaces.texts[j]) for i, j in pairs)
    return [(ours, theirs) for ours, theirs in both if ours != theirs]


@pytest.mark.parametrize(("source", "target"), [*product(("XLM-R", "mBERT", "GPT-2", "Mistral"), TARGETS[:2])])
def test_every_match_has_identical_bytes(source: str, target: str, load) -> None:
    a, b = load(source), load(target)
    found = align(a, b)
    assert unequal(a, b, found) == []
    exact = np.flatnonzero(found.rule_ids == found.rules.index("bytes"))
    assert (a.starts[found.source_ids[exact]] == b.starts[exact]).all()
    relaxed = unequal(a, b, align(a, b, RELAXED_RULES))
    assert relaxed
    assert all(is_text(ours) and is_text(theirs) for ours, theirs in relaxed)


def test_a_quarter_of_a_million_pieces_align_in_under_two_seconds(load) -> None:
    source, target = load("XLM-R"), load("sw-xlmr-unigram-50k")
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        align(source, target)
        taken.append(time.perf_counter() - started)
    assert min(taken) < 2, taken
