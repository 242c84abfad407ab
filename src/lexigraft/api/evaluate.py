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
    base: str | None = None,
) -> dict[str, float]:
    """Measure a model on held-out files.

    Args:
        model: Folder or Hub name, or the folder of an adapter.
        heldout: Files of text.
        settings: Which evaluators; how many lines at most.
        text_field: The field of JSON lines or the column of Parquet that holds the text.
        allow_missing: Patterns of tensors that the checkpoint may lack, such as ``lm_head.*``: they are random.
        base: For an adapter, the model it was trained from, where that is not what the adapter names.

    Returns:
        Figures by name, for example ``bits_per_byte/heldout``.

    Raises:
        LexigraftError: A model or file that cannot be read.
    """
    from lexigraft.adapters.training.saved_adapter import base_of, is_adapter, load_adapter

    settings = settings or EvaluationSettings()
    adapter = is_adapter(model)
    if base and not adapter:
        raise LexigraftError("a base model belongs to an adapter, and this is none", model, "Leave --base out")
    whole = (base or base_of(model)) if adapter else model
    corpus = load_corpus(list(heldout), text_field=text_field, limit_lines=settings.max_lines)
    vocabulary = load_vocabulary(whole)
    loaded = load_model(whole, allow_missing=allow_missing)
    check_tables(tables_of(loaded), vocabulary, whole)
    if adapter:
        loaded = load_adapter(loaded, Path(model))
    return measure(loaded, vocabulary, {"heldout": corpus.lines}, settings)
