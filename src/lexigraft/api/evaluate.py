"""Evaluation of a model on held-out text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.core.config.recipe import EvaluationSettings
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import check_tables, tables_of
from lexigraft.core.registry import make
from lexigraft.core.tokenization.loading import load_vocabulary
from lexigraft.core.utils.devices import usable_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


def measure(
    model: PreTrainedModel, vocabulary: Vocabulary, texts: Mapping[str, Sequence[str]], settings: EvaluationSettings
) -> dict[str, float]:
    """Run every evaluator on every text: ``{"bits_per_byte/heldout": …}``.

    Args:
        model: The model; it goes to a GPU where there is one, and stays there.
        vocabulary: Its vocabulary.
        texts: Lines by the name of the text.
        settings: Which evaluators, with which options.

    Raises:
        LexigraftError: A figure is NaN.
    """
    if texts:
        model.to(usable_device("auto"))
    results: dict[str, float] = {}
    for name in settings.evaluators:
        evaluator = make("evaluator", name, settings.options.get(name, {}))
        for text, lines in texts.items():
            figures = evaluator.evaluate(model, vocabulary, lines)
            if bad := sorted(figure for figure, value in figures.items() if math.isnan(value)):
                raise LexigraftError(
                    f"evaluator {name} gives no number on {text}",
                    ", ".join(bad),
                    "The model's logits are NaN: its weights are damaged, or its training diverged",
                )
            results |= {f"{figure}/{text}": value for figure, value in figures.items()}
    return results


def evaluate(
    model: str,
    heldout: Sequence[str | Path],
    *,
    settings: EvaluationSettings | None = None,
    text_field: str = "text",
    allow_missing: Sequence[str] = (),
) -> dict[str, float]:
    """Measure a model on held-out files.

    Args:
        model: Folder or Hub name.
        heldout: Files of text.
        settings: Which evaluators; how many lines at most.
        text_field: The field of JSON lines or the column of Parquet that holds the text.
        allow_missing: Patterns of tensors that the checkpoint may lack, such as ``lm_head.*``: they are random.

    Returns:
        Figures by name, for example ``bits_per_byte/heldout``.

    Raises:
        LexigraftError: A model or file that cannot be read.
    """
    settings = settings or EvaluationSettings()
    corpus = load_corpus(list(heldout), text_field=text_field, limit_lines=settings.max_lines)
    vocabulary = load_vocabulary(model)
    loaded = load_model(model, allow_missing=allow_missing)
    check_tables(tables_of(loaded), vocabulary, model)
    return measure(loaded, vocabulary, {"heldout": corpus.lines}, settings)
