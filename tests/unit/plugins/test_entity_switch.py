"""EntityCS: which entities are switched, in which language, and with which tags."""

from __future__ import annotations

from typing import Any

import pytest

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText
from lexigraft.core.data.augmentation import augment, make_augmenters
from lexigraft.core.errors import LexigraftError
from lexigraft.core.training.augmented_text import Augmentation
from lexigraft.plugins.augmenters.entity_switch import EntitySwitch

VIENNA = {"de": "Wien", "fr": "Vienne"}
DANUBE = {"de": "Donau", "fr": "Danube", "hu": "Duna"}


def document(text: str, **names: dict[str, str]) -> AnnotatedText:
    places = sorted((text.index(word), word) for word in names)
    return AnnotatedText(text, "", tuple(Anchor(at, at + len(w), w, None, names[w]) for at, w in places))


VIENNA_ON_THE_DANUBE = document("Vienna lies on the Danube. Graz does not.", Vienna=VIENNA, Danube=DANUBE, Graz={})
GERMAN = "Wien lies on the Donau. Graz does not."
FRENCH = "Vienne lies on the Danube. Graz does not."


def switched(text: AnnotatedText, epoch: int = 0, **options: Any) -> str:
    return augment(text, [EntitySwitch(**{"p": 1.0, **options})], 0, epoch).document.text


def test_all_entities_of_a_sentence_are_in_one_language_that_they_share() -> None:
    # Both have names in German and French, only one in Hungarian, so Hungarian is never drawn; Graz has none and stays.
    found = [switched(VIENNA_ON_THE_DANUBE, epoch) for epoch in range(40)]
    assert set(found) == {GERMAN, FRENCH}
    assert EntitySwitch().opportunities(VIENNA_ON_THE_DANUBE) == 2


def test_languages_may_be_named() -> None:
    assert switched(VIENNA_ON_THE_DANUBE, languages=("de", "hu")) == GERMAN
    assert switched(VIENNA_ON_THE_DANUBE, languages=("sw",)) == VIENNA_ON_THE_DANUBE.text
    assert switched(document("Vienna, Danube", Vienna={"de": " "}, Danube=DANUBE), languages=("de",)) == "Vienna, Donau"


def test_sentences_draw_their_own_language_and_documents_have_one() -> None:
    two = document("Vienna. The Danube.", Vienna={"de": "Wien"}, Danube={"hu": "Duna"})
    assert switched(two) == "Wien. The Duna."
    assert switched(two, per="document") == two.text
    assert EntitySwitch(per="document").opportunities(two) == 0
    mixed = document("Vienna. The Danube.", Vienna=VIENNA, Danube=DANUBE)
    by_sentence = {switched(mixed, epoch) for epoch in range(60)}
    assert {"Wien. The Danube.", "Wien. The Donau.", "Vienne. The Duna."} <= by_sentence
    whole = {switched(mixed, epoch, per="document") for epoch in range(60)}
    assert whole == {"Wien. The Donau.", "Vienne. The Danube."}


def test_a_name_may_stand_between_tags_of_its_language() -> None:
    options: dict[str, Any] = {"languages": ("de",), "tags": True}
    wanted = "<de>Wien</de> lies on the <de>Donau</de>. Graz does not."
    assert switched(VIENNA_ON_THE_DANUBE, **options) == wanted
    assert EntitySwitch(**options).added_tokens() == {"<de>": "mean", "</de>": "mean"}
    assert EntitySwitch(languages=("de",)).added_tokens() == {}
    done = augment(VIENNA_ON_THE_DANUBE, [EntitySwitch(p=1, **options)], 0, 0)
    assert [done.document.text[start:end] for start, end in done.without_loss()] == ["<de>", "</de>"] * 2
    covered = [done.document.text[anchor.start : anchor.end] for anchor in done.document.anchors]
    assert covered == ["<de>Wien</de>", "<de>Donau</de>", "Graz"]


def test_tags_without_languages_and_text_without_names_are_refused() -> None:
    with pytest.raises(LexigraftError, match="name the languages"):
        make_augmenters([{"entity_switch": {"tags": True}}])
    with pytest.raises(LexigraftError, match=r"nothing to do.*`surface` has a name in any language"):
        Augmentation((EntitySwitch(),)).refuse_idle(["Vienna lies on the Danube."])
