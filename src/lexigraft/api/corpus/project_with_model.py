"""Named entities of a text projected onto its translation by constrained decoding."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lexigraft.api.corpus.marker_search import Hypothesis, most_likely
from lexigraft.api.corpus.projected_text import (
    ProjectedText,
    read_labelled,
    read_translations,
    refuse_existing,
    write_projected,
)
from lexigraft.api.corpus.target_words import TargetWords, target_words
from lexigraft.api.corpus.translation_model import TranslationModel, load_translation_model
from lexigraft.core.data.bio import OUTSIDE, Entity, entities
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scoring import Ids

COUNTED = (
    "entities", "projected", "without_place", "overlapping", "too_long", "given_up", "repaired_labels",
    "sequences_scored", "hypotheses",
)  # fmt: skip
LIMIT = 10_000
"""Sequences that are scored for an entity at most: more than a sentence of 140 words has."""


def project_labels_with_model(
    source: str | Path,
    model: str,
    out: str | Path,
    *,
    target: str | Path | None = None,
    markers: tuple[str, str] = ("[", "]"),
    languages: tuple[str, str] | None = None,
    prefix: str = "",
    candidates: int = 5,
    beams: int = 1,
    drop_incomplete: bool = False,
    force: bool = False,
    progress: Callable[[int], None] = lambda sentences: None,
) -> ProjectedText:
    """Write a translation's words with the entities of the source, where a translation model writes their markers.

    Each entity is marked in the source alone, and the model is asked where in the translation, copied token by token,
    both markers are most likely: see :func:`lexigraft.api.corpus.marker_search.most_likely`. Of entities that want the
    same words the one with the more likely translation has them; the others take the most likely of their candidates
    that is free.

    Args:
        source: Tagged sentences with BIO labels: a word and its label a line, an empty line between sentences.
        model: Folder or Hub name of an encoder-decoder model that translates.
        out: The file to write, in the format of ``source``.
        target: Text whose line n is the translation of sentence n; by default the model's own translations.
        markers: What stands before and behind a marked entity.
        languages: Tokens of the two languages, for models that read and write one first.
        prefix: What the model reads before every sentence.
        candidates: Places that are found for each entity.
        beams: Beams of the model's own translations.
        drop_incomplete: Leave out sentences of which an entity is not projected.
        force: Replace the file if it exists.
        progress: Is told how many sentences are done.

    Returns:
        What was written. Counts ``entities``, ``projected``, and those lost: ``without_place``, ``overlapping``,
        ``too_long`` for the model, and ``given_up`` after ``LIMIT`` sequences; ``sequences_scored`` of all
        ``hypotheses``, pairs of places.

    Raises:
        LexigraftError: A file that cannot be read, sides of different length, labels that are not BIO, no sentence
            left, or a model, marker or language as :func:`load_translation_model` refuses it.
    """
    out = Path(out)
    refuse_existing(out, force)
    if min(candidates, beams) < 1:
        raise LexigraftError("candidates and beams are at least 1", f"{candidates}, {beams}")
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    sentences = read_labelled(source, counts)
    lines = read_translations(target, source, len(sentences)) if target is not None else None
    translator = load_translation_model(model, markers, languages)
    if lines is None:
        lines = translator.translations([prefix + " ".join(sentence.words) for sentence in sentences], beams)
    translated = target_words(translator.vocabulary, lines)

    def projected(number: int) -> list[str]:
        progress(number + 1)
        words, labels = sentences[number]
        found = entities(labels)
        texts = [" ".join(_marked(words, entity, markers)) for entity in found]
        read = translator.reading([prefix + text for text in texts])
        wanted = [_places(translator, ids, translated[number], candidates, counts) for ids in read]
        return chosen_labels([entity.type for entity in found], wanted, len(translated[number].words), counts)

    return write_projected(out, [own.words for own in translated], projected, counts, drop_incomplete)


def chosen_labels(
    types: Sequence[str], wanted: Sequence[Sequence[Hypothesis]], words: int, counts: Counter[str]
) -> list[str]:
    """BIO labels of a translation, of which no word belongs to two entities.

    Args:
        types: The type of each entity.
        wanted: The candidates of each, the most likely first, with the words from ``start`` up to ``end``.
        words: How many words the translation has.
        counts: Counts ``entities``, ``projected`` and ``overlapping``.
    """
    made = [OUTSIDE] * words
    counts["entities"] += len(types)
    placed = [n for n, candidates in enumerate(wanted) if candidates]
    for n in sorted(placed, key=lambda n: -wanted[n][0].log_probability):
        free = (c for c in wanted[n] if all(label == OUTSIDE for label in made[c.start : c.end]))
        if (chosen := next(free, None)) is None:
            counts["overlapping"] += 1
            continue
        counts["projected"] += 1
        length = chosen.end - chosen.start
        made[chosen.start : chosen.end] = [f"B-{types[n]}"] + [f"I-{types[n]}"] * (length - 1)
    return made


def _places(
    translator: TranslationModel, read: Ids, target: TargetWords, candidates: int, counts: Counter[str]
) -> list[Hypothesis]:
    """The most likely places of an entity, in words; none where it cannot be placed, which is counted."""
    lead = len(translator.written_first)
    tokens = [*translator.written_first, *target.tokens, translator.end]
    if max(len(read), len(tokens) + sum(map(len, translator.markers))) > translator.longest:
        counts["too_long"] += 1
        return []
    places = [lead + border for border in sorted(target.borders)]
    scores = partial(translator.scores, read)
    found, scored, is_complete = most_likely(tokens, places, translator.markers, scores, candidates, LIMIT)
    counts["sequences_scored"] += scored
    counts["hypotheses"] += math.comb(len(places), 2)
    if not (found and is_complete):
        counts["without_place" if is_complete else "given_up"] += 1
        return []
    return [Hypothesis(p, target.borders[start - lead], target.borders[end - lead]) for p, start, end in found]


def _marked(words: Sequence[str], entity: Entity, markers: tuple[str, str]) -> list[str]:
    opening, closing = markers
    marked = words[entity.start : entity.end]
    return [*words[: entity.start], opening, *marked, closing, *words[entity.end :]]
