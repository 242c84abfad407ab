"""Files of tiktoken and tekken.json give the ids of their own algorithm, or are named for what they are."""

from __future__ import annotations

import base64
import gzip
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.files.saving import PROBES
from lexigraft.core.tokenization.surface import Family, to_byte_level
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
FROM_PRINTABLE = {to_byte_level(bytes([b])): b for b in range(256)}
TEXTS = [*PROBES, *SAMPLE["source"].splitlines(), *SAMPLE["target"].splitlines(), "", "  \n\n a1b22 安 x́"]


def tiny_ranks() -> dict[bytes, int]:
    """Tokens of a small byte-level BPE in the order of their merges, all bytes first."""
    vocabulary = Vocabulary.of(tiny_tokenizer("byte_bpe"))
    learnt = [
        s for s, i in zip(vocabulary.tokens, range(vocabulary.size), strict=True) if i not in vocabulary.special_ids
    ]
    tokens = [bytes(FROM_PRINTABLE[c] for c in s) for s in learnt]
    tokens = [bytes([b]) for b in range(256)] + [t for t in tokens if len(t) > 1]
    return {token: rank for rank, token in enumerate(tokens)}


def tiktoken_lines(ranks: dict[bytes, int]) -> bytes:
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())


def tekken(ranks: dict[bytes, int], **changed: Any) -> dict[str, Any]:
    vocab = [{"rank": r, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for t, r in ranks.items()]
    sizes = {"default_vocab_size": len(ranks) + 10, "default_num_special_tokens": 30, "num_vocab_tokens": len(ranks)}
    named = [{"rank": n, "token_str": s, "is_control": True} for n, s in enumerate(["<unk>", "<s>", "</s>"])]
    return {"config": {"pattern": PATTERN, **sizes}, "vocab": vocab, "special_tokens": named} | changed


def merged(ranks: dict[bytes, int], piece: bytes) -> list[int]:
    """tiktoken's algorithm: the leftmost pair of lowest rank becomes one, until no pair is a token."""
    parts = [piece] if piece in ranks else [piece[i : i + 1] for i in range(len(piece))]
    while True:
        pairs = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not pairs:
            return [ranks[part] for part in parts]
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def expected(vocabulary: Vocabulary, ranks: dict[bytes, int], text: str) -> list[int]:
    words = vocabulary.tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    return [i for word, _ in words for i in merged(ranks, bytes(FROM_PRINTABLE[c] for c in word))]


@pytest.mark.parametrize("name", ["own.tiktoken", "tokenizer.model", "tiktoken.model"])
def test_a_tiktoken_file_whose_folder_says_how_text_is_split(tmp_path: Path, name: str) -> None:
    ranks = tiny_ranks()
    (tmp_path / name).write_bytes(tiktoken_lines(ranks))
    special = {str(len(ranks) + 3): {"content": "<|endoftext|>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pat_str": PATTERN, "added_tokens_decoder": special}))
    for path in (tmp_path, tmp_path / name):
        loaded = load_vocabulary(path)
        assert loaded.family is Family.BYTE_LEVEL
        assert loaded.specials == {"bos": len(ranks) + 3, "eos": len(ranks) + 3}
        assert loaded.encode(TEXTS) == [expected(loaded, ranks, text) for text in TEXTS]
        assert [loaded.tokenizer.decode(ids) for ids in loaded.encode(TEXTS)] == TEXTS


def test_a_tiktoken_file_that_nobody_explains_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(tiktoken_lines(tiny_ranks()))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "TikTokenTokenizer"}))
    for path in (tmp_path, tmp_path / "tokenizer.model"):
        with pytest.raises(LexigraftError, match=r"tiktoken file.*pat_str"):
            load_vocabulary(path)


@pytest.mark.parametrize(
    "damage", [b"###\n", b"YQ== 256\n", b"Y 300\n", b"YWJj 999999999\n", b"\xff\n", b"YWJj 1\n", b"YWJj\n"]
)
def test_a_damaged_tiktoken_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "qwen.tiktoken").write_bytes(tiktoken_lines(tiny_ranks()) + damage)
    with pytest.raises(LexigraftError, match=r"qwen\.tiktoken"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize("named", [True, False])
def test_tekken_json_is_read_with_its_special_tokens(tmp_path: Path, named: bool) -> None:
    ranks = tiny_ranks()
    content = tekken(ranks) if named else tekken(ranks, special_tokens=None)
    (tmp_path / "tekken.json").write_text(json.dumps(content))
    (tmp_path / "renamed.json").write_text(json.dumps(content))
    kept = {token: rank + 30 for token, rank in ranks.items() if rank < len(ranks) - 20}
    for path in (tmp_path, tmp_path / "tekken.json", tmp_path / "renamed.json"):
        loaded = load_vocabulary(path)
        assert loaded.size == len(ranks) + 10
        assert loaded.tokens[:3] == ("<unk>", "<s>", "</s>")
        assert loaded.tokens[25] == "<SPECIAL_25>"
        assert loaded.specials == {"bos": 1, "eos": 2, "unk": 0} | ({} if named else {"pad": 11})
        assert loaded.encode(TEXTS) == [expected(loaded, kept, text) for text in TEXTS]


@pytest.mark.parametrize(
    "changed",
    [
        {"config": {}},
        {"vocab": [{"rank": 0}]},
        {"vocab": [{"rank": 0, "token_bytes": "YQ=="}] * 2},
        {"vocab": {"a": 1}},
        {"vocab": [{"rank": 2**32, "token_bytes": "YQ=="}]},
        {"special_tokens": [{"rank": 40, "token_str": "<s>"}]},
        {"special_tokens": [{"rank": 0, "token_str": "a"}]},
        {"special_tokens": 3},
        {"config": {"pattern": "(", "default_vocab_size": 400, "default_num_special_tokens": 30}},
        {"config": {"pattern": "a", "default_vocab_size": 10**12, "default_num_special_tokens": 10**12}},
    ],
)
def test_a_damaged_tekken_json_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    (tmp_path / "tekken.json").write_text(json.dumps(tekken(tiny_ranks(), **changed)))
    with pytest.raises(LexigraftError, match=r"tekken\.json|Oniguruma"):
        load_vocabulary(tmp_path)


@pytest.mark.real
@pytest.mark.slow
def test_qwens_published_ranks(tmp_path: Path) -> None:
    from parity.sentencepiece_pairs import DATA

    packed = DATA / "tokenizers" / "qwen-tiktoken" / "qwen.tiktoken.gz"
    raw = gzip.decompress(packed.read_bytes())
    (tmp_path / "qwen.tiktoken").write_bytes(raw)
    loaded = load_vocabulary(tmp_path)
    assert loaded.size == 151851
    assert loaded.id_of("<|im_start|>") == 151644
    assert loaded.encode(["Hello world"]) == [[9707, 1879]]
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in raw.splitlines())}
    rng = random.Random(0)
    texts = [*TEXTS, *("".join(rng.choices("abcdeABC 012\n.,é漢字ाम", k=200)) for _ in range(50))]
    assert loaded.encode(texts) == [expected(loaded, ranks, text) for text in texts]
