"""Cloze questions about entities, from anchors: the text before a mention, and names that may stand there."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText


class EntityQuestion(NamedTuple):
    """A place of a text where an entity is named.

    Attributes:
        context: The text before it.
        names: The name that stands there, then names of other entities.
        known_as: The entity's name in the language that knows it.
    """

    context: str
    names: tuple[str, ...]
    known_as: str


def entity_questions(
    documents: Iterable[AnnotatedText], language: str, distractors: int, context_characters: int, least_context: int
) -> list[EntityQuestion]:
    """A question for the first mention of each entity in each document that nothing before it gives away.

    The other names are drawn, the same ones for every model, from entities that the document does not mention.

    Args:
        documents: Annotated documents.
        language: The language that knows the entities: only mentions with a name in it are asked.
        distractors: Names of other entities beside the right one.
        context_characters: Most characters of text before a mention.
        least_context: Fewest characters that must stand there.

    Returns:
        The questions, in the order of the text; none where there are too few entities.
    """
    found = [(document, list(_mentions(document, language))) for document in documents]
    names: dict[str, str] = {}
    for document, mentions in found:
        for anchor in mentions:
            names.setdefault(_entity(anchor, language), _text(document, anchor))
    pool = sorted(names.items())
    questions = []
    for document, mentions in found:
        own = {_entity(anchor, language) for anchor in mentions}
        for anchor in _first_of_each(mentions, language):
            context = document.text[max(0, anchor.start - context_characters) : anchor.start]
            name = _text(document, anchor)
            if len(context.strip()) < least_context or name.casefold() in context.casefold():
                continue
            others = _others(pool, own, name, distractors, f"{document.text} {anchor.start}")
            if len(others) == distractors:
                questions.append(EntityQuestion(context, (name, *others), anchor.surface[language]))
    return questions


def _mentions(document: AnnotatedText, language: str) -> Iterator[Anchor]:
    return (anchor for anchor in document.anchors if anchor.surface.get(language, "").strip())


def _first_of_each(mentions: Sequence[Anchor], language: str) -> Iterator[Anchor]:
    seen: set[str] = set()
    for anchor in mentions:
        if (entity := _entity(anchor, language)) not in seen:
            seen.add(entity)
            yield anchor


def _entity(anchor: Anchor, language: str) -> str:
    return anchor.wikidata_id or anchor.surface[language]


def _text(document: AnnotatedText, anchor: Anchor) -> str:
    return document.text[anchor.start : anchor.end]


def _others(pool: Sequence[tuple[str, str]], own: set[str], name: str, count: int, seed: str) -> list[str]:
    """Different names of entities of other documents, drawn."""
    chosen: list[str] = []
    taken = {name.casefold()}
    for entity, other in random.Random(seed).sample(pool, len(pool)):
        if len(chosen) == count:
            break
        if entity not in own and other.casefold() not in taken:
            chosen.append(other)
            taken.add(other.casefold())
    return chosen
