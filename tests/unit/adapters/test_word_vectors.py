"""Word vectors of both languages: every kind of file, several languages in one, training, the cache, token vectors."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Sequence
from pathlib import Path

import fasttext
import numpy as np
import pytest
import torch

from lexigraft.adapters.vectors.word_training import ngrams_of, words_of
from lexigraft.adapters.vectors.word_vectors import read_words, word_vectors, words_content
from lexigraft.api.inputs import StrategyInputs
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import WordVectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.resources import WordSpace
from lexigraft.core.methods.token_vectors import CAPITALISED_TOO, equal_weights, frequencies, from_words, ranks, spelled
from lexigraft.core.methods.word_spaces import paired_words
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

SMALL = WordVectorSettings(dim=8, epochs=2, min_count=1)


@pytest.fixture(scope="module")
def corpora() -> tuple[Corpus, Corpus]:
    return Corpus.of(SOURCE_TEXT.splitlines()), Corpus.of(TARGET_TEXT.splitlines())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    (folder / "t.txt").write_text("\n".join(" ".join(words_of(line)) for line in SOURCE_TEXT.splitlines()) + "\n")
    trained = fasttext.train_unsupervised(
        str(folder / "t.txt"), model="cbow", dim=8, minCount=1, bucket=1000, minn=3, maxn=5, thread=1, verbose=0
    )
    trained.save_model(str(folder / "v.bin"))
    return folder / "v.bin"


def test_a_fasttext_model_gives_words_by_frequency_and_spells(model: Path) -> None:
    raw = fasttext.load_model(str(model))
    space = read_words(str(model))
    names, counts = raw.get_words(include_freq=True)
    assert "</s>" in names
    assert space.words == tuple(n for n in names if n != "</s>")
    assert space.counts is not None
    assert space.counts.tolist() == [c for n, c in zip(names, counts, strict=True) if n != "</s>"]
    assert (np.diff(space.counts) <= 0).all()
    assert space.words[0] == "the"
    assert space.spell is not None
    for text in (space.words[3], "watery"):
        rows = np.stack([raw.get_input_vector(i) for i in raw.get_subwords(text)[1]])
        [found] = space.spell([text])
        np.testing.assert_allclose(found, rows.mean(0), rtol=1e-5)
        # What get_word_vector answers has the same direction; some builds of fastText scale it to length 1.
        answer = raw.get_word_vector(text)
        assert found @ answer == pytest.approx(np.linalg.norm(found) * np.linalg.norm(answer), rel=1e-5)
        assert np.linalg.norm(found) != pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(space.vectors[3].numpy(), space.spell([space.words[3]])[0], rtol=1e-5)
    assert not space.spell([""]).any()
    assert len(read_words(str(model), limit=5).words) == 5


def test_text_and_npz_files(tmp_path: Path) -> None:
    text = "3 2\nthe 1 2 \nold 3 4\nold 5 6\n"
    (tmp_path / "v.vec").write_text(text)
    with gzip.open(tmp_path / "v.vec.gz", "wt") as file:
        file.write(text)
    for name in ("v.vec", "v.vec.gz"):
        space = read_words(str(tmp_path / name))
        assert space.words == ("the", "old", "old")
        assert space.vectors.tolist() == [[1, 2], [3, 4], [5, 6]]
        assert space.counts is None
        assert space.spell is None
        assert read_words(str(tmp_path / name), limit=1).words == ("the",)
    arrays = {"words": np.array(["a", "b"]), "vectors": np.eye(2, dtype=np.float32), "counts": np.array([2, 9])}
    np.savez(tmp_path / "v.npz", **arrays)
    space = read_words(str(tmp_path / "v.npz"))
    assert (space.words, space.vectors.tolist()) == (("b", "a"), [[0, 1], [1, 0]])
    assert space.counts is not None
    assert space.counts.tolist() == [9, 2]


def test_one_language_out_of_a_file_of_several(tmp_path: Path) -> None:
    # As ColexNet+ writes its words: a language before a colon, none for English, $ at a word's edge.
    lines = ["$house$ 1 0", "swh:$nyumba$ 0 1", "fra:$maison$ 2 2", "hou 3 3", "swh:nyu 4 4", "swh:$ 5 5"]
    (tmp_path / "v.vec").write_text("\n".join(["6 2", *lines]) + "\n")
    np.savez(tmp_path / "v.npz", words=np.array([w.split()[0] for w in lines]), vectors=np.ones((6, 2)))
    for name in (str(tmp_path / "v.vec"), str(tmp_path / "v.npz")):
        assert read_words(f"{name}#eng").words == ("house", "hou")
        assert read_words(f"{name}#swh").words == ("nyumba", "nyu")
        assert read_words(f"{name}#fra,eng").words == ("house", "maison", "hou")
        assert read_words(f"{name}#*").words == ("house", "nyumba", "maison", "hou", "nyu")
        assert read_words(name).words[:2] == ("$house$", "swh:$nyumba$")
        with pytest.raises(LexigraftError, match=r"holds no word vector.*#deu"):
            read_words(f"{name}#deu")
    settings = WordVectorSettings(source=f"{tmp_path}/v.vec#eng", target=f"{tmp_path}/v.vec#swh", shared=True)
    both = word_vectors(settings, None, None, tmp_path)
    assert both.shared
    assert (both.source.words, both.target.words) == (("house", "hou"), ("nyumba", "nyu"))
    (tmp_path / "c#1.vec").write_text("1 1\na 1\n")
    assert read_words(str(tmp_path / "c#1.vec")).words == ("a",)


def test_content_is_the_file_and_the_language_never_the_path(tmp_path: Path) -> None:
    for name in ("a.vec", "b.vec"):
        (tmp_path / name).write_text("1 1\na 1\n")
    a, b = (str(tmp_path / n) for n in ("a.vec", "b.vec"))
    assert words_content(a) == words_content(b)
    assert words_content(f"{a}#eng,swh") == words_content(f"{b}#swh,eng") != words_content(f"{a}#swh")
    given = StrategyInputs(word_vectors=WordVectorSettings(source=f"{a}#eng", target=b))
    content = given.contents(frozenset({Need.WORD_VECTORS}))[Need.WORD_VECTORS]
    assert str(tmp_path) not in str(content)
    assert content["source"] != content["target"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.vec", b"a 1 2\n", "no header"),
        ("v.vec", b"3 2\na 1 2\n", "cut off"),
        ("v.vec", b"1 2\na 1\n", "wrong length.*line 2"),
        ("v.vec", b"1 2\na one 2\n", "no numbers.*line 2"),
        ("v.vec", b"1 2\na inf 2\n", "not finite"),
        ("v.vec", b"0 2\n", "no word vector"),
        ("v.vec.gz", b"not gzip", "gzip file is damaged"),
        ("v.bin", b"not a model", "not a fastText model"),
        ("v.bin#eng", b"", "Only .vec and .npz"),
        ("v.npz", b"PK no archive", "cannot be read"),
        ("v.wv", b"", "save_word2vec_format"),
        ("v.parquet", b"", "unknown kind"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name.partition("#")[0]).write_bytes(content)
    with pytest.raises(LexigraftError, match=message):
        read_words(str(tmp_path / name))


def test_missing_cut_and_unfitting_files(model: Path, tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="word vectors not found"):
        read_words(str(tmp_path / "no.vec#eng"))
    whole = model.read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LexigraftError, match="cut off"):
        read_words(str(tmp_path / "cut.bin"))
    one = {"words": np.array(["a", "b"]), "vectors": np.ones((2, 2))}
    np.savez(tmp_path / "c.npz", **one, counts=np.array([1]))
    with pytest.raises(LexigraftError, match="counts and words do not fit"):
        read_words(str(tmp_path / "c.npz"))
    (tmp_path / "wide.vec").write_text("1 3\na 1 2 3\n")
    np.savez(tmp_path / "two.npz", **one)
    files = {"source": str(tmp_path / "wide.vec"), "target": str(tmp_path / "two.npz")}
    assert word_vectors(WordVectorSettings(**files), None, None, tmp_path).shared is False
    with pytest.raises(LexigraftError, match=r"two widths.*wide.vec: 3.*two.npz: 2"):
        word_vectors(WordVectorSettings(**files, shared=True), None, None, tmp_path)
    for wrong, message in (({"source": "a.vec"}, "of both languages"), ({"shared": True}, "shared needs files")):
        with pytest.raises(LexigraftError, match=message):
            validate(WordVectorSettings, wrong, "recipe")


def test_words_of_a_line() -> None:
    assert list(words_of("Ñawinchanqa, k'anchay; (l'eau) well-known 3.5%!")) == [
        "Ñawinchanqa", ",", "k'anchay", ";", "(", "l'eau", ")", "well-known", "3", ".", "5", "%", "!",
    ]  # fmt: skip
    assert list(words_of("नदी पुराने घर - 'बच्चे'")) == ["नदी", "पुराने", "घर", "-", "'", "बच्चे", "'"]
    assert list(words_of("  ")) == []


def test_training_repeats_is_kept_and_spells(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    first = word_vectors(SMALL, *corpora, tmp_path / "a")
    kept = sorted((tmp_path / "a").iterdir())
    written = [k.stat().st_mtime_ns for k in kept]
    assert len(kept) == 2
    again = word_vectors(SMALL, *corpora, tmp_path / "a")
    elsewhere = word_vectors(SMALL, *corpora, tmp_path / "b")
    assert [k.stat().st_mtime_ns for k in kept] == written
    for other in (again, elsewhere):
        for one, two in ((first.source, other.source), (first.target, other.target)):
            assert one.words == two.words
            assert torch.equal(one.vectors, two.vectors)
            assert np.array_equal(one.counts, two.counts)
            assert one.spell is not None
            assert two.spell is not None
            assert np.array_equal(one.spell(["yachachisqa"]), two.spell(["yachachisqa"]))
        assert other.origin == first.origin
    assert first.shared is False
    assert first.source.words[0] == "the"
    assert "</s>" not in first.source.words
    assert first.source.counts is not None
    said = [w for line in SOURCE_TEXT.splitlines() for w in words_of(line)]
    assert first.source.counts.tolist() == [said.count(w) for w in first.source.words]
    other_settings = word_vectors(SMALL.model_copy(update={"epochs": 3}), *corpora, tmp_path / "a")
    assert not torch.equal(other_settings.source.vectors, first.source.vectors)
    assert len(list((tmp_path / "a").iterdir())) == 4


def test_strings_are_spelt_from_the_ngrams_that_occurred(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    assert ngrams_of("water") == ["<wate", "water", "ater>"]
    assert ngrams_of("ab") == []
    space = word_vectors(SMALL, *corpora, tmp_path).source
    assert space.spell is not None
    at = space.words.index("water")
    # "mmwater" shares the n-grams "water" and "ater>" with "water"; the others occurred nowhere.
    water, one, other, *unknown = space.spell(["water", "mmwater", "zzwater", "xx", "qqqqqqqq"])
    assert np.array_equal(water, space.vectors[at].numpy())
    assert one.any()
    assert np.array_equal(one, other)
    assert not np.any(unknown)


def test_a_damaged_cache_is_made_again(
    corpora: tuple[Corpus, Corpus], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = word_vectors(SMALL, *corpora, tmp_path)
    for kept in tmp_path.iterdir():
        kept.write_bytes(kept.read_bytes()[:500])
    with caplog.at_level(logging.WARNING, logger="lexigraft"):
        again = word_vectors(SMALL, *corpora, tmp_path)
    assert caplog.text.count("damaged") == 2
    assert torch.equal(first.target.vectors, again.target.vectors)


def test_too_little_text_is_refused(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="fastText training failed"):
        word_vectors(SMALL.model_copy(update={"min_count": 999}), *corpora, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pair_counts_once_for_each_casing_that_both_know() -> None:
    def known(*names: str) -> WordSpace:
        return WordSpace(names, torch.zeros(len(names), 2))

    # Three casings of "sun" are sun, sun, Sun; of "inti" inti, inti, Inti, where Inti is not known: 3 x 2 pairs.
    left, right = paired_words(known("sun", "Sun"), known("inti"), Dictionary.of([("sun", "inti")]))
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 0)] * 4 + [(1, 0)] * 2
    # "USA" is USA, usa, Usa: one of them is known.
    left, right = paired_words(known("usa"), known("EEUU"), Dictionary.of([("USA", "EEUU")]))
    assert (left.tolist(), right.tolist()) == ([0], [0])


@pytest.mark.parametrize("family", ["byte_bpe", "unigram", "wordpiece", "bpe_byte_fallback"])
def test_token_vectors_are_means_over_the_words_that_hold_the_token(family: str) -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer(family, "source"))
    names = list(dict.fromkeys(w for line in SOURCE_TEXT.splitlines() for w in words_of(line)))
    draw = torch.randn(len(names), 5, generator=torch.Generator().manual_seed(0))
    space = WordSpace(tuple(names), draw, np.arange(len(names), 0, -1))
    backend = vocabulary.tokenizer.backend_tokenizer
    for weights, once, forms in (
        (frequencies(space), False, ("{}", " {}")),
        (ranks(space), True, ("{}", " {}")),
        (equal_weights(space), True, ("{}", " {}", "+", " +")),
    ):
        sums, totals = torch.zeros(vocabulary.size, 5, dtype=torch.float64), torch.zeros(vocabulary.size)
        for n, name in enumerate(names):
            written = [f.format(name) if "{" in f else f.replace("+", name[0].upper() + name[1:]) for f in forms]
            held = [i for w in written for i in set(backend.encode(w, add_special_tokens=False).ids)]
            for i in set(held) if once else held:
                sums[i] += weights[n] * draw[n]
                totals[i] += weights[n]
        usable = torch.from_numpy(vocabulary.surfaces.is_text)
        wanted = torch.where(usable[:, None] & (totals > 0)[:, None], sums / totals.clamp_min(1e-9)[:, None], 0).float()
        given = {"forms": CAPITALISED_TOO} if len(forms) == 4 else {}
        found = from_words(vocabulary, space, weights, once=once, **given)
        torch.testing.assert_close(found.vectors, wanted, atol=1e-6, rtol=1e-5)
        assert np.array_equal(found.present, (wanted != 0).any(1).numpy())


def test_frequencies_follow_zipf_where_a_file_does_not_count() -> None:
    space = WordSpace(("a", "b", "c"), torch.zeros(3, 1))
    assert frequencies(space).tolist() == [1, 1 / 2, 1 / 3]


def test_no_words_no_vectors() -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("unigram", "source"))
    found = from_words(vocabulary, WordSpace((), torch.zeros(0, 4)), np.zeros(0))
    assert not found.present.any()
    assert found.vectors.shape == (vocabulary.size, 4)


def test_spelt_tokens_leave_out_what_has_no_text() -> None:
    vocabulary = Vocabulary.of(tiny_tokenizer("byte_bpe", "target"))
    asked: list[str] = []

    def spell(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        return np.ones((len(texts), 2), np.float32)

    found = spelled(vocabulary, WordSpace(("a",), torch.zeros(1, 2), None, spell))
    assert found.present.sum() == len(asked)
    assert all(text and text == text.strip() and "\ufffd" not in text for text in asked)
    broken = [i for i, t in enumerate(vocabulary.surfaces.texts) if t and t[-1] >= 0xC0]
    assert broken
    assert not found.present[broken].any()
    assert not found.present[sorted(vocabulary.special_ids)].any()
