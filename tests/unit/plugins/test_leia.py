"""LEIA: where the name goes, which names are none, what is learned."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.annotated import annotated
from lexigraft.core.data.augmentation import augment
from lexigraft.plugins.augmenters.leia import Leia

DOCUMENT = annotated("Wien an der Donau", ("Wien", "Vienna"), ("Donau", "Danube"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "Wien<translate>Vienna</translate> an der Donau<translate>Danube</translate>"),
        ({"side": "left"}, "<translate>Vienna</translate>Wien an der <translate>Danube</translate>Donau"),
        ({"side": "replace"}, "<translate>Vienna</translate> an der <translate>Danube</translate>"),
        ({"side": "none"}, "Wien an der Donau"),
        ({"tags": False}, "Wien Vienna an der Donau Danube"),
        ({"tags": False, "side": "left"}, "Vienna Wien an der Danube Donau"),
        ({"tags": False, "side": "replace"}, "Vienna an der Danube"),
        ({"language": "fr"}, "Wien an der Donau"),
        ({"p": 0}, "Wien an der Donau"),
    ],
)
def test_where_the_name_goes(options: dict[str, Any], text: str) -> None:
    assert augment(DOCUMENT, [Leia(**{"p": 1.0, **options})], 0, 0).document.text == text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mercury (planet)", "Mercury"),
        ("(500) Selinur", "Selinur"),
        ("A (b) C (d)", "A  C"),
        ("(disambiguation)", None),
        ("List of rivers", None),
        ("Category:Rivers", None),
        ("Help:Contents", None),
        ("Helpston", "Helpston"),
        ("Listowel", "Listowel"),
        ("User guide", "User guide"),
    ],
)
def test_which_names_are_none(name: str, said: str | None) -> None:
    document = annotated("Wien", ("Wien", name))
    text = "Wien" if said is None else f"Wien<translate>{said}</translate>"
    assert augment(document, [Leia(p=1)], 0, 0).document.text == text
    assert Leia().opportunities(document) == (said is not None)


@pytest.mark.parametrize(
    ("options", "hidden"),
    [
        ({}, ["<translate>", "</translate>"]),
        ({"loss_on_names": False}, ["<translate>", "Vienna", "</translate>"]),
        ({"loss_on_tags": True}, []),
        ({"loss_on_tags": True, "loss_on_names": False}, ["Vienna"]),
        ({"tags": False}, []),
        ({"tags": False, "loss_on_names": False}, ["Vienna"]),
    ],
)
def test_what_is_not_learned(options: dict[str, Any], hidden: list[str]) -> None:
    done = augment(annotated("Wien", ("Wien", "Vienna")), [Leia(p=1, **options)], 0, 0)
    assert [done.document.text[start:end] for start, end in done.without_loss()] == hidden


def test_tokens_are_asked_for_where_tags_are_used() -> None:
    assert Leia(tag_rows="subword_mean").added_tokens() == dict.fromkeys(
        ("<translate>", "</translate>"), "subword_mean"
    )
    assert Leia(tags=False).added_tokens() == {}
    assert Leia(side="none").added_tokens() == {}
