"""For each law of augmenters one that breaks it: the law must notice, whatever the others say."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.augmenter import Augmenter, Edit, Piece
from lexigraft.core.registry import Plugin
from lexigraft.testing import check_augmenter
from lexigraft.testing.augmenter_contract import ON_DOCUMENTS, run_augmenter_checks
from lexigraft.testing.laws import augmenter_file

Edits = Callable[[Any, AnnotatedText, np.random.Generator], Sequence[Edit]]


def drawn(document: AnnotatedText, generator: np.random.Generator, p: float) -> list[Any]:
    draws = generator.random(len(document.anchors)).tolist()
    return [anchor for anchor, draw in zip(document.anchors, draws, strict=True) if draw < p]


def insert(at: int, loss: bool = True, text: str = "[x]", token: bool = False) -> Edit:
    return Edit(at, at, (Piece(text, "mark", loss, token),))


def honest(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end, augmenter.learned) for anchor in drawn(document, generator, augmenter.p)]


def plugin_of(edits: Edits = honest, **attributes: Any) -> Plugin:
    """A plug-in of an augmenter with these edits; every other thing about it is in order."""
    edit_it = edits

    @dataclass(frozen=True)
    class Made(Augmenter):
        """An augmenter of the tests.

        Source: the tests.
        """

        name: ClassVar[str] = "made"
        loss_options: ClassVar[Mapping[str, str]] = {"mark": "learned"}
        learned: bool = True

        def opportunities(self, document: AnnotatedText) -> int:
            return len(document.anchors)

        def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
            return edit_it(self, document, generator)

        def __reduce__(self) -> tuple[Any, ...]:
            return _again, (edit_it, attributes, self.p, self.learned)

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Plugin("augmenter", "made", "", "class", Made)


def _again(edits: Edits, attributes: Mapping[str, Any], p: float, learned: bool) -> Any:
    cls = plugin_of(edits, **attributes).cls
    assert cls is not None
    return cls(p=p, learned=learned)


def one_too_many(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    """Touches the first anchor whatever p is."""
    return [insert(anchor.end) for anchor in drawn(document, generator, augmenter.p)] or [
        insert(anchor.end) for anchor in document.anchors[:1]
    ]


def never_the_last(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return honest(augmenter, document, generator)[:-1]


def squared(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end) for anchor in drawn(document, generator, augmenter.p**2)]


def in_bytes(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(len(document.text[: anchor.end].encode())) for anchor in drawn(document, generator, augmenter.p)]


def backwards(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return honest(augmenter, document, generator)[::-1]


def inside_the_anchor(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end - 1) for anchor in drawn(document, generator, augmenter.p)]


class Counting:
    """Draws hang on how many documents came before."""

    calls = 0

    def __call__(self, augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
        Counting.calls += 1
        return honest(augmenter, document, np.random.default_rng(Counting.calls))


def by_global_state(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end) for anchor in document.anchors if random.random() < augmenter.p]


def moves_global_state(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    random.random()
    return honest(augmenter, document, generator)


def same_in_every_epoch(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return honest(augmenter, document, np.random.default_rng(len(document.text)))


def writes_into_the_document(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    for anchor in document.anchors:
        anchor.surface["seen"] = "yes"  # type: ignore[index]
    return honest(augmenter, document, generator)


def always_learned(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end, loss=True) for anchor in drawn(document, generator, augmenter.p)]


def undeclared_token(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end, text="<x>", token=True) for anchor in drawn(document, generator, augmenter.p)]


def token_with_a_space(augmenter: Any, document: AnnotatedText, generator: np.random.Generator) -> list[Edit]:
    return [insert(anchor.end, text=" <x>", token=True) for anchor in drawn(document, generator, augmenter.p)]


BROKEN: dict[str, list[Plugin]] = {
    "with p = 0 nothing is touched": [plugin_of(one_too_many)],
    "with p = 1 every opportunity is used": [plugin_of(never_the_last)],
    "p is the share of the opportunities": [plugin_of(squared)],
    "edits lie in the text, in order": [plugin_of(in_bytes), plugin_of(backwards)],
    "edits keep to their places": [
        plugin_of(inside_the_anchor),
        plugin_of(in_bytes, edits_at="words"),
        plugin_of(inside_the_anchor, edits_at="words"),
    ],
    "same document, same edits": [plugin_of(Counting()), plugin_of(by_global_state)],
    "the global random state is untouched": [plugin_of(moves_global_state)],
    "another epoch or seed, other edits": [plugin_of(same_in_every_epoch)],
    "documents are not mutated": [plugin_of(writes_into_the_document)],
    "the options decide what is learned": [plugin_of(always_learned)],
    "tokens that it uses are declared": [plugin_of(undeclared_token)],
    "the loss mask covers what it says": [
        plugin_of(undeclared_token),
        plugin_of(token_with_a_space, added_tokens=lambda self: {"<x>": "mean"}),
    ],
    "docstring record is complete": [plugin_of(__doc__="No source.")],
    "the places of edits are known": [plugin_of(edits_at="sentences")],
    "loss options are flags": [plugin_of(loss_options={"mark": "p"}), plugin_of(loss_options={"mark": "lerned"})],
    "added tokens have a strategy for their rows": [
        plugin_of(added_tokens=lambda self: {"<x>": "meen"}),
        plugin_of(added_tokens=lambda self: {"<x>": "focus"}),
    ],
}


def test_every_law_of_augmenters_has_one_that_breaks_it() -> None:
    assert set(BROKEN) == {law.name for law in (*augmenter_file.LAWS, *ON_DOCUMENTS)}


@pytest.mark.parametrize(("law", "number"), [(law, n) for law, broken in BROKEN.items() for n in range(len(broken))])
def test_the_law_notices(law: str, number: int) -> None:
    [found] = [one for one in run_augmenter_checks(BROKEN[law][number]) if one.law == law]
    assert found.outcome == "failed"
    assert found.reason


def test_the_honest_one_keeps_them_all() -> None:
    outcomes = run_augmenter_checks(plugin_of())
    assert [one for one in outcomes if one.outcome == "failed"] == []


def test_the_check_names_every_broken_law() -> None:
    broken = plugin_of(one_too_many).cls
    with pytest.raises(AssertionError, match=r"augmenter 'made' breaks \d laws:(.|\n)*with p = 0 nothing is touched"):
        check_augmenter(broken)  # type: ignore[arg-type]


def test_an_augmenter_that_cannot_be_made_fails_every_law_on_documents() -> None:
    outcomes = run_augmenter_checks(plugin_of(), {"p": 2})
    failed = {one.law for one in outcomes if one.outcome == "failed"}
    assert failed == {law.name for law in ON_DOCUMENTS}
