"""Further texts that an adaptation reads, beside its training text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.data.corpus import Corpus, load_corpus, without

FurtherTexts = Mapping[tuple[str, ...], Corpus]
"""Texts by the files that they were read from."""


def read_further_texts(
    settings: Iterable[AdaptSettings], unseen: Iterable[Corpus], text_field: str = "text"
) -> FurtherTexts:
    """Read the further texts of some adaptations, each once.

    Args:
        settings: The adaptations.
        unseen: Held-out texts, whose lines are taken out.
        text_field: The field of structured files that holds the text.

    Raises:
        LexigraftError: A text has no line, or none that is not held out.
    """
    heldout = tuple(unseen)
    found: dict[tuple[str, ...], Corpus] = {}
    for files in {tuple(one.texts[name]): None for one in settings for name in one.used_texts}:
        found[files] = load_corpus(files, text_field=text_field)
        for text in heldout:
            found[files] = without(found[files], text)
    return found


def texts_of(settings: AdaptSettings, further: FurtherTexts) -> dict[str, Corpus]:
    """The further texts of one adaptation by name."""
    return {name: further[tuple(settings.texts[name])] for name in settings.used_texts}
