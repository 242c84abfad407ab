"""Laws of an augmenter's edits: how many, where, and that they hang on document, epoch and seed alone."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.segments.words import WORD
from lexigraft.testing.augmenter_trial import AugmenterTrial, Edits
from lexigraft.testing.law import Law, require, skip_unless

_SIGMAS = 5


def _count(edits: Edits) -> int:
    return sum(map(len, edits))


def _nothing_without_probability(trial: AugmenterTrial) -> None:
    found = _count(trial.edits(trial.make(p=0.0)))
    require(not found, f"with p = 0 there are {found} edits")


def _every_opportunity(trial: AugmenterTrial) -> None:
    for document, edits, possible in zip(trial.documents, trial.always, trial.opportunities, strict=True):
        require(
            len(edits) == possible,
            f"with p = 1 there are {len(edits)} edits for {possible} opportunities: {document.text[:40]}",
        )


def _share_is_p(trial: AugmenterTrial) -> None:
    possible = sum(trial.opportunities)
    skip_unless(possible > 0, "no opportunity in the sample")
    for p in (0.2, 0.5, 0.8):
        found = sum(_count(trial.edits(trial.make(p=p), epoch=epoch)) for epoch in range(4)) / 4
        allowed = _SIGMAS * math.sqrt(possible * p * (1 - p) / 4)
        require(abs(found - possible * p) <= allowed, f"with p = {p} {found:.1f} of {possible} opportunities are used")


def _edits_are_in_the_text(trial: AugmenterTrial) -> None:
    for document, edits in zip(trial.documents, trial.always, strict=True):
        for edit in edits:
            inside = 0 <= edit.start <= edit.end <= len(document.text)
            require(inside, f"{edit.start} to {edit.end} of {len(document.text)} characters")
        for one, two in pairwise(edits):
            require(one.end <= two.start, f"edits overlap or are out of order: {one.end} after {two.start}")


def _edits_keep_to_their_places(trial: AugmenterTrial) -> None:
    for document, edits in zip(trial.documents, trial.always, strict=True):
        borders = set(_borders(document, trial.augmenter.edits_at))
        for edit in edits:
            cut = {edit.start, edit.end} - borders
            shown = document.text[max(0, edit.start - 8) : edit.start] + "|" + document.text[edit.start : edit.end + 8]
            require(not cut, f"an edit does not begin and end at {trial.augmenter.edits_at}: {shown}")


def _borders(document: AnnotatedText, place: str) -> Iterator[int]:
    """Where edits may begin and end."""
    text = document.text
    if place == "anchors":
        for anchor in document.anchors:
            yield from (anchor.start, anchor.end)
        return
    within_words = {at for word in WORD.finditer(text) for at in range(word.start() + 1, word.end())}
    for at in range(len(text) + 1):
        inside = 0 < at < len(text)
        if place == "characters":
            # A combining mark belongs to the letter before it.
            if not (inside and unicodedata.combining(text[at])):
                yield at
        elif at not in within_words:
            yield at


def _same_document_same_edits(trial: AugmenterTrial) -> None:
    """Neither other documents, nor the process, nor the global random state decides anything."""
    differing = sum(one != two for one, two in zip(trial.first, trial.again[0], strict=True))
    require(not differing, f"{differing} documents are edited otherwise by another process in another order")


def _global_random_state_untouched(trial: AugmenterTrial) -> None:
    require(not trial.again[1], "the global random state moved; draw from the generator that edits() gets")


def _another_draw_for_another_epoch(trial: AugmenterTrial) -> None:
    skip_unless(0 < trial.augmenter.p < 1 and sum(trial.opportunities) > 0, "nothing is drawn")
    require(trial.edits(trial.augmenter, epoch=1) != trial.first, "a second epoch is edited as the first")
    require(trial.edits(trial.augmenter, seed=8) != trial.first, "another seed gives the same edits")


def _documents_stay(trial: AugmenterTrial) -> None:
    require(not trial.mutated(), "the documents that it got are changed; return edits instead")


LAWS = tuple(
    Law(name, "edits", check, on_fixtures=False)
    for name, check in {
        "with p = 0 nothing is touched": _nothing_without_probability,
        "with p = 1 every opportunity is used": _every_opportunity,
        "p is the share of the opportunities": _share_is_p,
        "edits lie in the text, in order": _edits_are_in_the_text,
        "edits keep to their places": _edits_keep_to_their_places,
        "same document, same edits": _same_document_same_edits,
        "the global random state is untouched": _global_random_state_untouched,
        "another epoch or seed, other edits": _another_draw_for_another_epoch,
        "documents are not mutated": _documents_stay,
    }.items()
)
