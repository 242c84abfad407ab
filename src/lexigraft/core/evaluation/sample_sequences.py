"""One short sequence for each line, with the positions at which a model predicts, for every kind of model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from lexigraft.core.evaluation.line_tokens import tokenize_lines
from lexigraft.core.evaluation.scoring import Item
from lexigraft.core.evaluation.windows import line_items
from lexigraft.core.models.architecture import context_length

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

HIDDEN = 5
"""Of so many words one is hidden from a masked or encoder-decoder model."""


def sample_sequences(
    model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str], max_length: int
) -> list[Item]:
    """The start of every line as one sequence: causal models predict each token, the others every fifth word.

    Args:
        model: The model.
        vocabulary: Its vocabulary.
        lines: Lines; those without tokens give no sequence.
        max_length: Tokens of a line at most.

    Raises:
        LexigraftError: The tokenizer lacks the mask token or the sentinels that the kind of model needs.
    """
    context = min(context_length(model), max_length)
    items = line_items(model, vocabulary, context=context, stride=context, stripes=HIDDEN, within_word="whole")
    return [item for line in tokenize_lines(vocabulary, lines) for item in islice(items(line), 1)]
