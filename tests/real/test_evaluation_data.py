"""Published data of downstream tasks is read whole, and a split that leaks is found."""

from __future__ import annotations

import pytest

from fixtures.real_tokenizers import DATA
from lexigraft.core.data.tagged_text import read_tagged
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import read_data
from lexigraft.core.registry import make

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}; name its folder in LEXIGRAFT_DATA"),
]


@pytest.mark.parametrize("language", ["eng_Latn", "quy_Latn"])
def test_sib_200_has_seven_classes_and_its_published_sizes(language: str) -> None:
    folder = DATA / "multilingual/sib-200" / language
    data = read_data(make("evaluator", "sib200"), {s: [str(folder / f"{s}.tsv.gz")] for s in ("train", "dev", "test")})
    assert len(data.labels) == 7  # type: ignore[attr-defined]
    assert [len(side) for side in (data.train, data.dev, data.test)] == [701, 99, 204]  # type: ignore[attr-defined]


def test_americasnli_is_read_as_pairs() -> None:
    files = {
        "train": DATA / "multilingual/americasnli/dev/quy.tsv.gz",
        "test": DATA / "multilingual/americasnli/test/quy.tsv.gz",
    }
    data = read_data(make("evaluator", "nli"), {side: [str(path)] for side, path in files.items()})
    assert (len(data.train), data.size) == (743, 750)  # type: ignore[attr-defined]
    assert all(len(item.texts) == 2 for item in data.test)  # type: ignore[attr-defined]


def test_quechua_entities_are_split_by_item() -> None:
    data = read_data(make("evaluator", "ner"), {"data": [str(DATA / "quechua/ner.tsv.gz")]})
    assert any(note.startswith("459 broken BIO labels repaired") for note in data.notes)
    train, test = ({s.words for s in side} for side in (data.train, data.test))  # type: ignore[attr-defined]
    assert not train & test
    assert data.size == 1037


def test_a_treebank_has_its_published_number_of_sentences() -> None:
    [path] = (DATA / "multilingual/ud/UD_Spanish-PUD").glob("*.conllu.gz")
    assert len(read_tagged([path])) == 1000


def test_test_sentences_that_a_treebank_repeats_are_found() -> None:
    folder = DATA / "multilingual/ud/en_ewt-2col"
    files = {side: [str(folder / f"{side}.txt.gz")] for side in ("train", "dev", "test")}
    with pytest.raises(LexigraftError, match=r"test items are also training items: 94 of 2,077"):
        read_data(make("evaluator", "pos"), files)
    assert read_data(make("evaluator", "pos", {"on_leak": "drop"}), files).size == 2077
