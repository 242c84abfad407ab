"""Checks of the annotated text that a recipe's augmenters work on, and of the tokens that their names take."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import islice

from lexigraft.api.augment import check_augmenters
from lexigraft.api.doctor.findings import Findings
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.data.annotated_text import AnnotatedText, read_annotated
from lexigraft.core.data.augmentation import document_generator
from lexigraft.core.data.augmenter import Augmenter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary

DOCUMENTS = 2000
"""Documents that are read at most; the comparison reads them all."""
_MANY = 1.25
"""Tokens that the target takes for a token of the source from which a note is due."""


def report_augmenters(
    findings: Findings, recipe: CompareSettings, source: Vocabulary | None, target: Vocabulary | None
) -> None:
    """Check that augmenters of anchors find some, and whether the target vocabulary holds what they add.

    Args:
        findings: Takes the findings.
        recipe: The recipe.
        source: The source's vocabulary, where it could be read.
        target: The target's, where there is one already.
    """
    augmenters: dict[Augmenter, None] = {}
    for line in recipe.lines:
        try:
            augmenters |= dict.fromkeys(check_augmenters(line.adaptation))
        except LexigraftError:
            continue  # a finding of another check
    working = [augmenter for augmenter in augmenters if augmenter.active and augmenter.edits_at == "anchors"]
    if not working:
        return
    with findings.collect_errors():
        documents = [one for path in recipe.corpus.train for one in islice(read_annotated(path), DOCUMENTS)]
        for augmenter in working:
            _report(findings, augmenter, documents, source, target)


def _report(
    findings: Findings,
    augmenter: Augmenter,
    documents: Sequence[AnnotatedText],
    source: Vocabulary | None,
    target: Vocabulary | None,
) -> None:
    always = dataclasses.replace(augmenter, p=1.0)
    edits = [edit for one in documents for edit in always.edits(one, document_generator(one.text, 0, 0))]
    what = f"augmenter {augmenter.name}: {len(edits):,} places in {len(documents):,} documents"
    if not edits:
        findings.bad(f"{what}. Annotate corpus.train (`lexigraft corpus`) with names in the language that it asks for")
        return
    findings.good(what)
    texts = [piece.text for edit in edits for piece in edit.pieces if not piece.token]
    if source is None or target is None or not texts:
        return
    before, after = (sum(map(len, vocabulary.encode(texts))) for vocabulary in (source, target))
    counts = f"{after / len(edits):.1f} tokens with the target, {before / len(edits):.1f} with the source"
    if after > _MANY * before:
        hint = "Train the target tokenizer on text of both languages, or extend the source's"
        findings.note(f"augmenter {augmenter.name} puts in {counts}: pieces that the source may not know. {hint}")
    else:
        findings.good(f"augmenter {augmenter.name} puts in {counts}")
