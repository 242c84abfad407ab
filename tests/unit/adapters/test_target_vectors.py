"""Static vectors: trained, cached, and read from every kind of file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest
import torch

from lexigraft.adapters.vectors.target_vectors import (
    escaped,
    load_vectors,
    resolved,
    tokenized_lines,
    train_target_vectors,
)
from lexigraft.api.inputs import StrategyInputs
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import TokenizerSettings, VectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, need_specs
from lexigraft.core.grafting.resources import StaticVectors
from lexigraft.core.linalg.all_but_the_top import all_but_the_top
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary

SMALL = VectorSettings(dim=8, epochs=2)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    rng = np.random.default_rng(0)
    words = [f"{a}{b}{c}{d}" for a in "kmst" for b in "aiu" for c in "lnrw" for d in "ai"]
    return Corpus.of(" ".join(rng.choice(words, 12)) for _ in range(400))


@pytest.fixture(scope="module")
def vocabulary(corpus: Corpus) -> Vocabulary:
    return Vocabulary.of(train_tokenizer(TokenizerSettings(size=300, type="bpe"), corpus))


@pytest.fixture(scope="module")
def model(corpus: Corpus, vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    text = "\n".join(" ".join(vocabulary.tokens[i] for i in ids) for ids in vocabulary.encode(corpus.lines))
    (folder / "t.txt").write_text(text + "\n", encoding="utf-8")
    trained = fasttext.train_unsupervised(
        str(folder / "t.txt"), model="cbow", dim=8, minCount=1, bucket=1000, thread=1, verbose=0
    )
    trained.save_model(str(folder / "v.bin"))
    return folder / "v.bin"


def test_tokenized_lines_are_the_names_of_the_tokens(corpus: Corpus, vocabulary: Vocabulary) -> None:
    lines = [*corpus.lines, "", "two  spaces", "\u00a0", "kaka kaka\u200b kaka"]
    names = [escaped(token) for token in vocabulary.tokens]
    encoded = (vocabulary.tokenizer.backend_tokenizer.encode(line, add_special_tokens=False) for line in lines)
    wanted = [" ".join(names[i] for i in e.ids) + "\n" for e in encoded]
    assert "".join(tokenized_lines(lines, vocabulary, names)) == "".join(wanted)


def test_trained_vectors_cover_what_occurs(corpus: Corpus, vocabulary: Vocabulary, tmp_path: Path) -> None:
    vectors = train_target_vectors(corpus, vocabulary, SMALL, tmp_path)
    seen = {i for ids in vocabulary.encode(corpus.lines) for i in ids}
    assert vectors.vectors.shape == (vocabulary.size, 8)
    assert vectors.vectors.dtype == torch.float32
    assert seen <= set(np.flatnonzero(vectors.present))
    unseen = [i for i in range(vocabulary.size) if not vectors.present[i]]
    assert set(vocabulary.special_ids) - {vocabulary.specials["eos"]} <= set(unseen)
    assert not vectors.vectors[unseen].any()


def test_cache_gives_identical_arrays_and_training_repeats(
    corpus: Corpus, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    first = train_target_vectors(corpus, vocabulary, SMALL, tmp_path / "a")
    [kept] = (tmp_path / "a").iterdir()
    written = kept.stat().st_mtime_ns
    again = train_target_vectors(corpus, vocabulary, SMALL, tmp_path / "a")
    elsewhere = train_target_vectors(corpus, vocabulary, SMALL, tmp_path / "b")
    assert kept.stat().st_mtime_ns == written
    for other in (again, elsewhere):
        assert torch.equal(first.vectors, other.vectors)
        assert np.array_equal(first.present, other.present)
        assert first.origin == other.origin
    assert torch.equal(load_vectors(kept, vocabulary).vectors, first.vectors)


def test_a_damaged_cache_is_rebuilt(
    corpus: Corpus, vocabulary: Vocabulary, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = train_target_vectors(corpus, vocabulary, SMALL, tmp_path)
    [kept] = tmp_path.iterdir()
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damage in (whole[: len(whole) // 2], b"", bytes(flipped)):
        kept.write_bytes(damage)
        with caplog.at_level(logging.WARNING, logger="lexigraft"):
            again = train_target_vectors(corpus, vocabulary, SMALL, tmp_path)
        assert torch.equal(first.vectors, again.vectors)
        assert "damaged" in caplog.text
        caplog.clear()
        assert kept.read_bytes() != damage


def test_settings_corpus_and_tokenizer_make_the_key(corpus: Corpus, vocabulary: Vocabulary, tmp_path: Path) -> None:
    def key(text: Corpus, vocab: Vocabulary, settings: VectorSettings) -> object:
        return train_target_vectors(text, vocab, settings, tmp_path).origin["key"]

    other = Vocabulary.of(train_tokenizer(TokenizerSettings(size=300, type="unigram"), corpus))
    keys = {
        key(corpus, vocabulary, SMALL),
        key(corpus, vocabulary, VectorSettings(dim=8, epochs=3)),
        key(Corpus.of(corpus.lines[:300]), vocabulary, SMALL),
        key(corpus, other, SMALL),
    }
    assert len(keys) == 4
    assert key(corpus, vocabulary, SMALL.model_copy(update={"min_count": 1})) in keys


def test_presets_and_fields(corpus: Corpus, vocabulary: Vocabulary) -> None:
    assert resolved(VectorSettings(epochs=5), corpus, vocabulary) == {
        "dim": 300, "min_count": 1, "char_ngrams": (0, 0), "epochs": 5, "negatives": 10, "threads": 1,
    }  # fmt: skip
    focus = resolved(VectorSettings(preset="focus", dim=64), corpus, vocabulary)
    assert (focus["dim"], focus["min_count"], focus["char_ngrams"], focus["epochs"]) == (64, 10, (3, 6), 3)


def test_the_fewer_tokens_the_more_epochs(vocabulary: Vocabulary) -> None:
    line = " ".join(["kala"] * 100)
    (ids,) = vocabulary.encode([line])

    def epochs(tokens: int, **fields: Any) -> int:
        text = Corpus.of([line] * (tokens // len(ids)))
        chosen: int = resolved(VectorSettings(**fields), text, vocabulary)["epochs"]
        return chosen

    assert epochs(10_000) == 20  # 3,000,000 / 10,000 = 300
    assert epochs(400_000) == 8  # 7.5
    assert epochs(1_200_000) == 3  # 2.5
    assert epochs(10_000, epochs=4) == 4


def test_all_but_the_top_comes_after_training_and_is_off_by_default(
    corpus: Corpus, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    def loaded(**fields: int) -> StaticVectors:
        inputs = StrategyInputs(corpus=lambda: corpus, vectors=VectorSettings(dim=8, epochs=2, **fields))
        vectors: StaticVectors = need_specs()[Need.TARGET_VECTORS].load(inputs, vocabulary, tmp_path)
        return vectors

    off, changed = loaded(), loaded(all_but_the_top=1)
    trained = train_target_vectors(corpus, vocabulary, SMALL, tmp_path)
    assert torch.equal(off.vectors, trained.vectors)
    assert off.origin == trained.origin
    assert len(list(tmp_path.iterdir())) == 1, "both start from the same trained vectors"
    here = torch.from_numpy(trained.present)
    torch.testing.assert_close(changed.vectors[here], all_but_the_top(trained.vectors[here], 1))
    assert not changed.vectors[~here].any()
    assert np.array_equal(changed.present, trained.present)
    assert changed.origin == {**trained.origin, "all_but_the_top": 1}


def test_all_but_the_top_is_in_keys_only_where_it_is_set() -> None:
    def keyed(settings: VectorSettings) -> dict[str, object]:
        content: dict[str, object] = need_specs()[Need.TARGET_VECTORS].content(StrategyInputs(vectors=settings))
        return content

    assert "all_but_the_top" not in keyed(VectorSettings())
    assert keyed(VectorSettings(all_but_the_top=0))["all_but_the_top"] == 0
    with pytest.raises(LexigraftError, match="all_but_the_top"):
        validate(VectorSettings, {"all_but_the_top": -1}, "recipe")


def test_too_little_text_is_refused(vocabulary: Vocabulary, tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="fastText training failed"):
        train_target_vectors(Corpus.of(["kala"]), vocabulary, VectorSettings(dim=4, min_count=50), tmp_path)
    assert not list(tmp_path.iterdir())


def test_escapes_keep_tokens_apart() -> None:
    tokens = ["", " ", "\t", "\n", "a b", "ab", "\ue000", "\ue00020;", "▁a", "Ġ", "\u3000"]
    names = [escaped(t) for t in tokens]
    assert len(set(names)) == len(tokens)
    assert all(n and not set(n) & set(" \t\n\r\v\f\0") for n in names)
    assert (escaped("▁a"), escaped("Ġ")) == ("▁a", "Ġ")


def test_binary_model_by_token_and_by_word(model: Path, vocabulary: Vocabulary) -> None:
    raw = fasttext.load_model(str(model))
    by_token = load_vectors(model, vocabulary)
    words = set(raw.get_words())
    for i, token in enumerate(vocabulary.tokens):
        assert by_token.present[i] == (token in words)
        if token in words:
            np.testing.assert_allclose(by_token.vectors[i].numpy(), raw.get_word_vector(token), atol=1e-6)
    by_word = load_vectors(model, vocabulary, "word")
    i = next(i for i, t in enumerate(vocabulary.tokens) if t.startswith("▁") and len(t) > 3)
    np.testing.assert_allclose(by_word.vectors[i].numpy(), raw.get_word_vector(vocabulary.tokens[i][1:]), atol=1e-6)
    assert by_word.present.sum() > 0


def test_text_vectors(vocabulary: Vocabulary, tmp_path: Path) -> None:
    token = next(t for t in vocabulary.tokens if t.startswith("▁") and len(t) > 3)
    path = tmp_path / "v.vec"
    path.write_text(f"2 3\n{token} 1 2 3 \n{token[1:]} 4 5 6\n", encoding="utf-8")
    i = vocabulary.id_of(token)
    assert load_vectors(path, vocabulary).vectors[i].tolist() == [1, 2, 3]
    assert load_vectors(path, vocabulary, "word").vectors[i].tolist() == [4, 5, 6]
    assert load_vectors(path, vocabulary).present.sum() >= 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.vec", b"a 1 2\nb 1 2\n", "no header"),
        ("v.vec", b"2 2\n\xe2\x96\x81k 1 2\n", "cut off"),
        ("v.vec", b"1 2\n\xe2\x96\x81k 1\n", "wrong length.*line 2"),
        ("v.vec", b"1 2\nk one 2\n", "no numbers.*line 2"),
        ("v.vec", b"1 2\nk nan 2\n", "not finite"),
        ("v.vec", b"1 2\nnobody-has-this 1 2\n", "no token of the vocabulary"),
        ("v.vec", b"1 2\n\xff 1 2\n", "not UTF-8.*line 2"),
        ("v.bin", b"not a model", "not a fastText model"),
        ("v.npz", b"PK not an archive", "cannot be read"),
        ("v.parquet", b"", "unknown kind"),
    ],
)
def test_bad_files_are_refused(vocabulary: Vocabulary, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    assert vocabulary.id_of("k") is not None
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LexigraftError, match=message):
        load_vectors(tmp_path / name, vocabulary)


def test_missing_truncated_and_non_finite(model: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="vectors not found"):
        load_vectors(tmp_path / "no.vec", vocabulary)
    whole = model.read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LexigraftError, match="cut off"):
        load_vectors(tmp_path / "cut.bin", vocabulary)
    np.savez(tmp_path / "n.npz", tokens=np.array(["k"]), vectors=np.array([[np.inf, 1]], dtype=np.float32))
    with pytest.raises(LexigraftError, match="not finite"):
        load_vectors(tmp_path / "n.npz", vocabulary)
    np.savez(tmp_path / "m.npz", tokens=np.array(["k", "l"]), vectors=np.ones((1, 2), dtype=np.float32))
    with pytest.raises(LexigraftError, match="do not fit"):
        load_vectors(tmp_path / "m.npz", vocabulary)
