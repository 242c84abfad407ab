"""Packed text of an adaptation: plain or augmented, by itself or mixed with further texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.mixture import TARGET, MixtureSettings
from lexigraft.core.data.mixture.schedule import schedule, temperature_weights
from lexigraft.core.errors import LexigraftError
from lexigraft.core.training.augmented_text import Augmentation, pack_augmented
from lexigraft.core.training.mixed_text import MixedText
from lexigraft.core.training.packing import PackedText, TrainingText, pack

if TYPE_CHECKING:
    from lexigraft.core.data.corpus import Corpus
    from lexigraft.core.models.architecture import ModelKind
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective


def training_text(
    vocabulary: Vocabulary,
    corpus: Corpus,
    settings: AdaptSettings,
    objective: Objective,
    *,
    kind: ModelKind,
    augmentation: Augmentation | None,
    texts: Mapping[str, Corpus],
) -> TrainingText:
    """Pack what an adaptation trains on.

    Args:
        vocabulary: The vocabulary, which holds the augmenters' tokens.
        corpus: The training text.
        settings: How the texts are packed and mixed.
        objective: The objective, which may lay out the text itself.
        kind: What kind of model will read it.
        augmentation: How the training text is augmented, where it is.
        texts: The further texts of the settings by name.

    Raises:
        LexigraftError: A text does not fill one row, or an augmenter finds nothing to do.
    """
    length, documents = settings.sequence_length, settings.documents
    if objective.packs:
        return objective.pack(vocabulary, corpus.lines, length)
    if objective.entities and (augmentation is None or augmentation.annotations is None):
        raise LexigraftError("objective needs annotated text", objective.name, "Adapt or compare on annotated text")
    target: TrainingText
    if augmentation is None:
        target = pack(vocabulary, corpus.lines, length, kind=kind, documents=documents)
    else:
        target = pack_augmented(
            vocabulary,
            corpus.lines,
            length,
            augmentation,
            seed=settings.seed,
            kind=kind,
            documents=documents,
            entities=objective.entities,
        )
        target.at(0, settings.seed)  # text that fills no row is refused before anything trains
    if settings.mixture is None:
        return target
    mixed = {name: texts[name] for name in settings.mixed_texts}
    parts = {TARGET: target, **{name: pack_further(name, vocabulary, mixed[name], settings, kind) for name in mixed}}
    stages = _stages(settings.mixture, {TARGET: corpus, **mixed})
    return MixedText(parts, schedule(stages, list(parts), settings.steps, rows_per_batch(settings)))


def pack_further(
    name: str, vocabulary: Vocabulary, text: Corpus, settings: AdaptSettings, kind: ModelKind
) -> PackedText:
    """Pack a further text as the training text is.

    Raises:
        LexigraftError: The text, which is named, does not fill one row.
    """
    try:
        return pack(vocabulary, text.lines, settings.sequence_length, kind=kind, documents=settings.documents)
    except LexigraftError as error:
        raise LexigraftError(f"text '{name}': {error.what}", error.value, error.hint) from error


def rows_per_batch(settings: AdaptSettings) -> int:
    """Packed rows in a batch of all processes."""
    return max(1, settings.batch_tokens // settings.sequence_length)


def tokens_by_text(packed: TrainingText, rows: int, sequence_length: int) -> dict[str, int]:
    """Tokens of each text of a mixture in so many rows; empty for text that is not mixed."""
    if not isinstance(packed, MixedText):
        return {}
    return {name: count * sequence_length for name, count in packed.rows_of(rows).items()}


def _stages(mixture: MixtureSettings, texts: Mapping[str, Corpus]) -> Sequence[Mapping[str, float]]:
    if mixture.temperature is None:
        return mixture.stages
    characters = {name: sum(map(len, text.lines)) for name, text in texts.items()}
    return [temperature_weights(characters, mixture.temperature)]
