"""Code-switching: which words are switched, how often, into what, in which case, and where anchors are afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.annotated import annotated
from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.augmentation import augment, make_augmenters
from lexigraft.core.errors import LexigraftError
from lexigraft.core.training.augmented_text import Augmentation
from lexigraft.plugins.augmenters.code_switch import CodeSwitch

Switch = Callable[..., str]


@pytest.fixture
def switch(tmp_path: Path) -> Switch:
    def switched(text: str | AnnotatedText, words: str, **options: Any) -> str:
        (tmp_path / "words.tsv").write_text(words.replace(" = ", "\t").replace("; ", "\n"), encoding="utf-8")
        document = AnnotatedText(text) if isinstance(text, str) else text
        augmenter = CodeSwitch(**{"file": str(tmp_path / "words.tsv"), "p": 1.0, **options})
        return augment(document, [augmenter], 0, 0).document.text

    return switched


@pytest.mark.parametrize(
    ("text", "words", "switched"),
    [
        ("hatun wasi, wasi", "wasi = house; hatun wasi = palace", "palace, house"),
        ("Wasi WASI wasi", "wasi = house", "House HOUSE house"),
        ("Hatun Wasi HATUN WASI", "hatun wasi = big house", "Big house BIG HOUSE"),
        ("Der Hund", "Hund = dog", "Der dog"),
        ("der hund DER HUND", "Hund = dog", "der dog DER DOG"),
        ("lima", "Lima = Lima", "lima"),
        ("Y x", "y = and", "And x"),
        ("wasikuna", "wasi = house", "wasikuna"),
        ("他在东京。", "东京 = Tokyo", "他在Tokyo。"),
        ("घर में", "घर = house", "house में"),
    ],
)
def test_what_comes_in_the_place_of_a_word(switch: Switch, text: str, words: str, switched: str) -> None:
    assert switch(text, words) == switched


def test_columns_may_be_the_other_way_round_and_capitals_may_matter(switch: Switch) -> None:
    assert switch("wasi", "house = wasi", reverse=True) == "house"
    assert switch("Wasi wasi", "wasi = house", match_case=True) == "Wasi house"


def test_one_translation_is_drawn_for_each_occurrence_by_the_counts_of_the_dictionary(switch: Switch) -> None:
    # Counts 3 and 1 of 400 occurrences: 300 and 100 are expected, with a standard deviation of sqrt(400 * 3/4 * 1/4) =
    # 8.7; five of them are 43. Without counts each of the two has 200, with sqrt(400 / 4) = 10.
    text = "wasi " * 400
    counted = Counter(switch(text, "wasi = house\t3; wasi = home\t1").split())
    assert counted.keys() == {"house", "home"}
    assert abs(counted["house"] - 300) <= 43
    assert abs(Counter(switch(text, "wasi = house; wasi = home").split())["house"] - 200) <= 50


def test_a_share_of_the_words_or_all_words_of_a_share_of_the_sentences(switch: Switch) -> None:
    text = "wasi wasi. " * 300
    by_word = switch(text, "wasi = house", p=0.5).strip().split(". ")
    assert {sentence.rstrip(".") for sentence in by_word} == {"wasi wasi", "wasi house", "house wasi", "house house"}
    by_sentence = switch(text, "wasi = house", p=0.5, per="sentence").strip().split(". ")
    counted = Counter(sentence.rstrip(".") for sentence in by_sentence)
    assert counted.keys() == {"wasi wasi", "house house"}
    assert abs(counted["house house"] - 150) <= 5 * (300 * 0.25) ** 0.5


def test_anchors_move_with_the_text(tmp_path: Path) -> None:
    # "Qusqu" stands alone in the text, "hatun Qusqu" across an anchor's border, "Lima" is an anchor and a word.
    (tmp_path / "words.tsv").write_text("uma\thead\nhatun Qusqu\tCuzco\nLima\tthe capital\n")
    document = annotated("uma Qusqu, hatun Qusqu, Lima", ("Qusqu", "Cusco"), ("Qusqu", "Cusco"), ("Lima", "Lima"))
    done = augment(document, [CodeSwitch(p=1, file=str(tmp_path / "words.tsv"))], 0, 0).document
    assert done.text == "head Qusqu, Cuzco, the capital"
    assert [done.text[anchor.start : anchor.end] for anchor in done.anchors] == ["Qusqu", "the capital"]


def test_translations_may_be_left_unlearned(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("wasi\thouse\n")
    made = [
        CodeSwitch(p=1, file=str(tmp_path / "words.tsv"), loss_on_translations=learned) for learned in (True, False)
    ]
    hidden = [augment(AnnotatedText("kay wasi"), [one], 0, 0).without_loss() for one in made]
    assert hidden == [[], [(4, 9)]]


def test_the_dictionary_is_part_of_the_key(tmp_path: Path) -> None:
    keys = []
    for line in ("wasi\thouse\n", "wasi\thome\n"):
        (tmp_path / "words.tsv").write_text(line)
        keys.append(Augmentation((CodeSwitch(file=str(tmp_path / "words.tsv")),)).key())
    assert keys[0] != keys[1]


def test_dictionaries_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty.tsv").write_text("no pair\n")
    for options, message in (
        ({}, "code_switch has no dictionary"),
        ({"file": str(tmp_path / "none.tsv")}, "dictionary not found"),
        ({"file": str(tmp_path / "empty.tsv")}, "no usable pair"),
        ({"file": str(tmp_path / "empty.tsv"), "per": "line"}, "per"),
    ):
        with pytest.raises(LexigraftError, match=message):
            make_augmenters([{"code_switch": options}])


def test_a_dictionary_that_matches_nothing_is_shown_beside_the_text(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("house\twasi\nroad\tñan\n")
    made = Augmentation(make_augmenters([{"code_switch": {"file": str(tmp_path / "words.tsv")}}]))
    with pytest.raises(LexigraftError, match=r"nothing to do.*'house', 'road'; the text has: Hatun wasi"):
        made.refuse_idle(["Hatun wasi", "rumi"])
