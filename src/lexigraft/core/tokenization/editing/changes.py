"""The source's vocabulary as a recipe changes it."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.tokenization.editing.extension import check_extendable, extend
from lexigraft.core.tokenization.editing.pruning import check_prunable, prune
from lexigraft.core.tokenization.editing.training_like import train_like, type_like
from lexigraft.core.tokenization.vocabulary import Vocabulary


def changed(
    vocabulary: Vocabulary, settings: TokenizerChangeSettings, lines: Sequence[str], familiar: Sequence[str] = ()
) -> Vocabulary:
    """The source's vocabulary extended, pruned, or a new one that is trained like it.

    Args:
        vocabulary: The source's vocabulary.
        settings: The change.
        lines: Target text.
        familiar: Source-language text, which pruning and exchange keep tokens for.

    Returns:
        The target's vocabulary.

    Raises:
        LexigraftError: The vocabulary or the text does not allow the change.
    """
    if settings.train is not None:
        return train_like(vocabulary, lines, settings.train.size, settings.train.type)
    if settings.prune is not None:
        return prune(vocabulary, [*lines, *familiar], settings.prune.keep)
    assert settings.extend is not None
    return extend(vocabulary, lines, settings.extend.add, settings.extend.method, familiar)


def check_change(vocabulary: Vocabulary, settings: TokenizerChangeSettings) -> None:
    """Refuse a change that a vocabulary does not allow, whatever the text.

    Raises:
        LexigraftError: The method or the type does not fit the vocabulary, or no fewer tokens would stay.
    """
    if settings.train is not None:
        type_like(vocabulary, settings.train.type)
    elif settings.prune is not None:
        check_prunable(vocabulary, settings.prune.keep)
    elif settings.extend is not None:
        check_extendable(vocabulary, settings.extend.method)
