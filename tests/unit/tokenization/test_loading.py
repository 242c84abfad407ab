"""Tokenizers from whatever file a user has; SentencePiece models give SentencePiece's own ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.loading import load_vocabulary
from lexigraft.core.tokenization.surface import Family
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

LINES = [
    *SAMPLE["source"].splitlines(),
    *SAMPLE["target"].splitlines(),
    "two  spaces",
    " ends with a space ",
    "naïve ﬁ",
]


def train(folder: Path, **options: object) -> Path:
    import sentencepiece

    text = folder / "text.txt"
    text.write_text("\n".join([SAMPLE["source"], SAMPLE["target"]] * 3), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "made"),
        pad_id=3,
        minloglevel=2,
        num_threads=1,
        hard_vocab_limit=False,
        **options,
    )
    return folder / "made.model"


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_sentencepiece_model_gives_sentencepieces_own_ids(tmp_path: Path, kind: str, byte_fallback: bool) -> None:
    import sentencepiece

    path = train(tmp_path, model_type=kind, vocab_size=700, byte_fallback=byte_fallback, character_coverage=0.98)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = load_vocabulary(path)
    assert ours.family is Family.SENTENCEPIECE
    assert list(ours.tokens) == [theirs.id_to_piece(i) for i in range(theirs.get_piece_size())]
    assert ours.byte_complete is byte_fallback
    assert ours.specials == {"bos": 1, "eos": 2, "unk": 0, "pad": 3}
    assert ours.encode(LINES) == [theirs.encode(line) for line in LINES]


def test_a_sentencepiece_model_without_dummy_prefix_or_normaliser(tmp_path: Path) -> None:
    import sentencepiece

    options = {"add_dummy_prefix": False, "normalization_rule_name": "identity", "byte_fallback": True}
    path = train(tmp_path, model_type="unigram", vocab_size=700, **options)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    lines = [line.strip() for line in LINES if "  " not in line]
    assert load_vocabulary(path).encode(lines) == [theirs.encode(line) for line in lines]


def same(ours: Vocabulary, original: object) -> None:
    theirs = Vocabulary.of(original)
    assert ours.tokens == theirs.tokens
    assert ours.family is theirs.family
    assert ours.encode(LINES) == theirs.encode(LINES)


def test_a_folder_of_save_pretrained(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer("bpe_byte_fallback")
    tokenizer.save_pretrained(tmp_path)
    loaded = load_vocabulary(tmp_path)
    same(loaded, tokenizer)
    assert loaded.hash == Vocabulary.of(tokenizer).hash


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_bare_tokenizer_json_finds_its_roles_by_their_usual_names(tmp_path: Path, whole_folder: bool) -> None:
    tokenizer = tiny_tokenizer("wordpiece")
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load_vocabulary(tmp_path if whole_folder else tmp_path / "tokenizer.json")
    same(loaded, tokenizer)
    assert loaded.specials == Vocabulary.of(tokenizer).specials


@pytest.mark.parametrize("whole_folder", [False, True])
def test_vocab_txt_is_wordpiece(tmp_path: Path, whole_folder: bool) -> None:
    tokenizer = tiny_tokenizer("wordpiece")
    (tmp_path / "vocab.txt").write_text("\n".join(Vocabulary.of(tokenizer).tokens) + "\n", encoding="utf-8")
    loaded = load_vocabulary(tmp_path if whole_folder else tmp_path / "vocab.txt")
    assert loaded.family is Family.WORDPIECE
    assert loaded.tokens == Vocabulary.of(tokenizer).tokens
    assert set(loaded.specials) == {"unk", "sep", "cls", "mask", "pad"}
    assert loaded.encode(["The house."]) == Vocabulary.of(tokenizer).encode(["The house."])


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", ""])
def test_vocab_json_and_merges_are_byte_level_bpe(tmp_path: Path, name: str) -> None:
    tokenizer = tiny_tokenizer("byte_bpe")
    tokenizer.backend_tokenizer.model.save(str(tmp_path))
    loaded = load_vocabulary(tmp_path / name)
    assert loaded.family is Family.BYTE_LEVEL
    assert loaded.tokens == Vocabulary.of(tokenizer).tokens
    assert loaded.encode(LINES) == Vocabulary.of(tokenizer).encode(LINES)


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    cases = {
        "no.json": b"{}",
        "vocab.json": json.dumps({"a": 0}).encode(),
        "x.model": b"\x00\x01",
        "notes.md": b"hello",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LexigraftError) as caught:
            load_vocabulary(tmp_path / name)
        assert name in str(caught.value) or "merges.txt" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LexigraftError, match="holds no tokenizer"):
        load_vocabulary(tmp_path / "empty")
    with pytest.raises(LexigraftError, match="not found"):
        load_vocabulary(tmp_path / "nowhere")
