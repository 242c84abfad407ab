"""fastText models read from their files: the package's own answers, for every kind of model and word; damaged files."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexigraft.adapters.vectors.fasttext_bin import FastTextFile
from lexigraft.adapters.vectors.files import read_vectors
from lexigraft.core.errors import LexigraftError

WORDS = ("habari", "dunia", "njema", "äöü", "ñandú", "मराठी", "a", "ab", "e\u0301te\u0301", "🙂🙂b", "日本語", "zuri")
OTHERS = (
    *("", "x", "xyz", "unknownword" * 5, "a b", " ", "\t", "a\0b", "\0", "</s>", "<", ">", "<a>", "\ufffd"),
    *("é", "e\u0301", "\u0301", "🙂", "日本語テキスト", "__label__x", "__label__none", "habar", "Habari"),
)
MODELS: dict[str, dict[str, Any]] = {
    "default": {},
    "one_and_two": {"minn": 1, "maxn": 2},
    "all_up_to_three": {"minn": 0, "maxn": 3},
    "no_ngrams": {"minn": 0, "maxn": 0},
    "few_buckets": {"minn": 3, "maxn": 5, "bucket": 7},
    "skipgram": {"model": "skipgram", "minn": 2, "maxn": 4},
}
SUPERVISED: dict[str, dict[str, Any]] = {
    "supervised": {},
    "supervised_ngrams": {"minn": 2, "maxn": 4, "bucket": 500},
    "supervised_word_ngrams": {"wordNgrams": 2, "bucket": 500},
}
ARGUMENTS, DICTIONARY = 8, 64
"""Where the training arguments and the dictionary begin in a file."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A trained model by name, made when first asked for."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(WORDS, 8)) for _ in range(300)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # An output matrix of fewer than 256 rows, one for each label, cannot be quantized.
    for name, labels in (("labelled", ["x", "y"]), ("many", range(260))):
        text = "".join(f"__label__{labels[n % len(labels)]} {line}\n" for n, line in enumerate(lines))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")

    def model(name: str) -> Path:
        path = folder / f"{name}.bin"
        if not path.exists():
            options = {"dim": 10, "minCount": 1, "epoch": 1, "thread": 1, "verbose": 0}
            if name.startswith("quantized"):
                labelled = str(folder / ("many.txt" if name == "quantized_pruned" else "labelled.txt"))
                trained = fasttext.train_supervised(labelled, **options | {"minn": 2, "maxn": 4, "bucket": 2000})
                how: dict[str, Any] = {
                    "quantized": {},
                    "quantized_norms": {"qnorm": True, "dsub": 3},
                    "quantized_pruned": {"cutoff": 300, "retrain": True, "input": labelled, "qout": True},
                }[name]
                trained.quantize(**{"thread": 1, "verbose": 0} | how)
            elif name in SUPERVISED:
                trained = fasttext.train_supervised(str(folder / "labelled.txt"), **options | SUPERVISED[name])
            else:
                options |= {"bucket": 1000}
                trained = fasttext.train_unsupervised(str(folder / "text.txt"), **options | MODELS[name])
            trained.save_model(str(path))
        return path

    return model


def unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def theirs(model: Any, words: Sequence[str]) -> npt.NDArray[np.float32]:
    """The package's answers; some builds scale them to length 1, so both sides are compared like that."""
    return unit(np.stack([model.get_word_vector(word) for word in words]))


def rows_mean(model: Any, word: str) -> npt.NDArray[np.float32]:
    rows = [model.get_input_vector(i) for i in model.get_subwords(word)[1]]
    return np.mean(rows, axis=0) if rows else np.zeros(model.get_dimension(), np.float32)


@pytest.mark.parametrize("name", [*MODELS, *SUPERVISED, "quantized", "quantized_norms", "quantized_pruned"])
def test_answers_are_fasttexts(models: Callable[[str], Path], name: str) -> None:
    path = models(name)
    raw, ours = fasttext.load_model(str(path)), FastTextFile(path)
    words, counts = raw.get_words(include_freq=True)
    assert [word.decode() for word in ours.words] == words
    assert ours.counts.tolist() == list(counts)
    assert ours.dim == raw.get_dimension() == 10
    # Labels of a model without n-grams have rows that are not there, which fastText reads all the same.
    asked = [word for word in (*words, *WORDS, *OTHERS) if raw.get_label_id(word) < 0 or ours.means([word]).any()]
    found = ours.means(asked)
    assert found.dtype == np.float32
    np.testing.assert_allclose(unit(found), theirs(raw, asked), atol=1e-6)
    np.testing.assert_allclose(found, [rows_mean(raw, word) for word in asked], atol=1e-6)
    known = ours.means(asked, subwords=False)
    at = np.isin(asked, words)
    assert at.any()
    assert np.array_equal(known[at], found[at])
    assert not known[~at].any()


def test_answers_do_not_depend_on_how_much_is_read_at_once(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = FastTextFile(models("default"))
    asked = [*WORDS, *OTHERS] * 3
    whole = ours.means(asked)
    monkeypatch.setattr("lexigraft.adapters.vectors.fasttext_bin.WORDS_AT_ONCE", 5)
    monkeypatch.setattr("lexigraft.adapters.vectors.fasttext_bin.BYTES_AT_ONCE", 120)
    monkeypatch.setattr("lexigraft.adapters.vectors.fasttext_bin.CHUNK", 64)
    monkeypatch.setattr("lexigraft.adapters.vectors.fasttext_matrix.GAP", 80)
    monkeypatch.setattr("lexigraft.adapters.vectors.fasttext_matrix.SPAN", 200)
    again = FastTextFile(models("default"))
    assert again.words == ours.words
    np.testing.assert_allclose(again.means(asked), whole, atol=1e-6)
    assert ours.means([]).shape == (0, 10)


@pytest.mark.parametrize("name", ["default", "one_and_two", "quantized_pruned"])
def test_any_text_has_fasttexts_answer(models: Callable[[str], Path], name: str) -> None:
    raw, ours = fasttext.load_model(str(models(name))), FastTextFile(models(name))

    @given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=50))
    @settings(max_examples=50, deadline=None)
    def same(words: list[str]) -> None:
        np.testing.assert_allclose(unit(ours.means(words)), theirs(raw, words), atol=1e-6)

    same()


def test_words_that_are_no_text(models: Callable[[str], Path]) -> None:
    ours = FastTextFile(models("default"))
    with pytest.raises(TypeError, match="UTF-8"):
        ours.means(["a", "\ud800"])
    assert not ours.means(["\ud800"], subwords=False).any()
    assert not read_vectors(models("one_and_two"), [""], subwords=True).any()


def test_stored_words_may_be_any_bytes(models: Callable[[str], Path], tmp_path: Path) -> None:
    data = models("default").read_bytes().replace("ñandú".encode() + b"\0", b"\xff\x80\xc3and\0")
    (tmp_path / "v.bin").write_bytes(data)
    raw, ours = fasttext.load_model(str(tmp_path / "v.bin")), FastTextFile(tmp_path / "v.bin")
    assert b"\xff\x80\xc3and" in ours.words
    np.testing.assert_allclose(unit(ours.means(WORDS)), theirs(raw, WORDS), atol=1e-6)


def test_the_older_version_reads_supervised_models_without_ngrams(
    models: Callable[[str], Path], tmp_path: Path
) -> None:
    for name in ("supervised_ngrams", "default"):
        data = bytearray(models(name).read_bytes())
        struct.pack_into("<i", data, 4, 11)
        (tmp_path / "v.bin").write_bytes(data)
        raw, ours = fasttext.load_model(str(tmp_path / "v.bin")), FastTextFile(tmp_path / "v.bin")
        words = [*WORDS, "xyz"]
        np.testing.assert_allclose(unit(ours.means(words)), theirs(raw, words), atol=1e-6)
    assert not FastTextFile(models("no_ngrams")).means(["xyz"]).any()


@pytest.mark.parametrize("name", ["default", "supervised_ngrams", "quantized_norms", "quantized_pruned"])
def test_a_file_cut_anywhere_is_refused(models: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    whole = models(name).read_bytes()
    start = whole.index(WORDS[0].encode())
    places = {4, 6, 8, 30, 63, 64, 70, 92, start + 3, start + 8, start + 12, len(whole) // 3, len(whole) // 2}
    for length in sorted(places | {len(whole) - 4 * 10, len(whole) - 1}):
        (tmp_path / "cut.bin").write_bytes(whole[:length])
        with pytest.raises(LexigraftError, match=r"cut off|damaged"):
            FastTextFile(tmp_path / "cut.bin")
    for other in (b"", b"abc", b"x" * 200, whole[1:]):
        (tmp_path / "cut.bin").write_bytes(other)
        with pytest.raises(LexigraftError, match="not a fastText model"):
            FastTextFile(tmp_path / "cut.bin")


@pytest.mark.parametrize(
    ("form", "place", "value"),
    [
        ("<i", 4, 13),
        ("<i", ARGUMENTS, 0),
        ("<i", ARGUMENTS, 2**31 - 1),
        ("<i", ARGUMENTS + 32, -1),
        ("<i", ARGUMENTS + 32, 0),
        ("<i", ARGUMENTS + 32, 2**31 - 1),
        ("<i", ARGUMENTS + 40, -1),
        ("<3i", DICTIONARY, (2**31 - 1, 2**31 - 1, 0)),
        ("<3i", DICTIONARY, (-1, -1, 0)),
        ("<3i", DICTIONARY, (5, 2, 2)),
        ("<3i", DICTIONARY, (5, 5, 0)),
        ("<3i", DICTIONARY, (10, 5, 5)),
        ("<q", DICTIONARY + 20, 2**62),
        ("<q", DICTIONARY + 20, 0),
        ("<q", DICTIONARY + 20, -2),
        ("<q", "matrix", 2**62),
        ("<q", "matrix", -1),
        ("<q", "matrix", 5),
        ("<q", "width", 2**62),
        ("<q", "width", 0),
        ("<B", "flag", 1),
        ("<B", "flag", 7),
    ],
)
def test_a_damaged_number_is_refused_before_anything_of_its_size_is_made(
    models: Callable[[str], Path], tmp_path: Path, form: str, place: int | str, value: int | tuple[int, ...]
) -> None:
    data = bytearray(models("default").read_bytes())
    rows = 1000 + len(FastTextFile(models("default")).words)
    matrix = data.index(struct.pack("<2q", rows, 10))
    at = {"matrix": matrix, "width": matrix + 8, "flag": matrix - 1}.get(str(place), place)
    assert isinstance(at, int)
    struct.pack_into(form, data, at, *(value if isinstance(value, tuple) else (value,)))
    (tmp_path / "v.bin").write_bytes(data)
    with pytest.raises(LexigraftError, match=r"v\.bin") as caught:
        FastTextFile(tmp_path / "v.bin")
    assert caught.value.hint


def test_a_file_that_became_shorter_is_refused(models: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "v.bin").write_bytes(models("default").read_bytes())
    ours = FastTextFile(tmp_path / "v.bin")
    with (tmp_path / "v.bin").open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(LexigraftError, match="cut off"):
        ours.means(WORDS)
