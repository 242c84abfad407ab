"""Augmentation of training text by the augmenters of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.data.annotations import Annotations, read_annotations
from lexigraft.core.data.augmentation import added_tokens, make_augmenters
from lexigraft.core.data.augmenter import Augmenter
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import find

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.grafting.extension import Extended
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.augmented_text import Augmentation


def check_augmenters(settings: AdaptSettings) -> tuple[Augmenter, ...]:
    """The augmenters of an adaptation, after everything that can be told without text or model.

    Raises:
        LexigraftError: An unknown augmenter, option or strategy of rows, a value that cannot be, or a missing package.
    """
    from lexigraft.core.grafting.extension import row_strategies

    augmenters = make_augmenters(settings.augment)
    row_strategies(added_tokens(augmenters))
    return augmenters


def annotations_for(
    settings: Sequence[AdaptSettings], corpus: Corpus, files: Sequence[str | Path], text_field: str = "text"
) -> Annotations | None:
    """The anchors of a training text, if any of the adaptations works on them.

    Args:
        settings: The adaptations.
        corpus: The training text.
        files: The files that it was read from.
        text_field: The field that the corpus was read from.

    Raises:
        LexigraftError: The files are no annotated text, or hold no anchor; or an augmenter finds nothing to do.
    """
    from lexigraft.core.training.augmented_text import Augmentation

    augmenters = tuple(augmenter for one in settings for augmenter in make_augmenters(one.augment))
    working = [augmenter.name for augmenter in augmenters if augmenter.active and augmenter.edits_at == "anchors"]
    working += [str(one.objective) for one in settings if learns_entities(one)]
    if working and text_field != "text":
        raise LexigraftError("annotated text is in the field 'text'", text_field, f"{working[0]} works on anchors")
    annotations = read_annotations(files, corpus.lines) if working else None
    Augmentation(augmenters, annotations).refuse_idle(corpus.lines)
    return annotations


def augmentation_of(settings: AdaptSettings, annotations: Annotations | None) -> Augmentation | None:
    """How an adaptation augments its text; ``None`` where it neither does that nor reads anchors."""
    from lexigraft.core.training.augmented_text import Augmentation

    augmenters = make_augmenters(settings.augment)
    return Augmentation(augmenters, annotations) if augmenters or learns_entities(settings) else None


def learns_entities(settings: AdaptSettings) -> bool:
    """Whether the objective of an adaptation asks which tokens belong to entities."""
    return settings.objective is not None and bool(find("objective", settings.objective).entities)


def extend_for(model: PreTrainedModel, vocabulary: Vocabulary, settings: AdaptSettings) -> Extended:
    """Give a model, in place, the tokens that an adaptation's augmenters put into text.

    Args:
        model: The model.
        vocabulary: Its vocabulary.
        settings: The adaptation; its seed decides what the strategies of the rows draw.

    Returns:
        The vocabulary with the tokens; the same one where none is missing.
    """
    from lexigraft.core.grafting.extension import extend_model

    return extend_model(model, vocabulary, added_tokens(make_augmenters(settings.augment)), settings.seed)
