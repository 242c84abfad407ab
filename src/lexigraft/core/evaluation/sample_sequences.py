"""One short sequence for each line, with the positions at which a model predicts, for every kind of model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.line_tokens import LineTokens, tokenize_lines
from lexigraft.core.evaluation.scoring import Ids, Item
from lexigraft.core.evaluation.windows import causal_items, masked_items, span_items
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.tokenization.sentinel_tokens import sentinel_ids

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
    special, kind = vocabulary.specials, model_kind(model.config)
    context = min(context_length(model), max_length)
    prefix = special.get("bos", special.get("eos"))
    start = getattr(model.config, "decoder_start_token_id", None)
    start = special.get("pad", 0) if start is None else start
    end = _one(special.get("eos", special.get("sep")))
    frame = (_one(special.get("cls", special.get("bos"))), _one(special.get("sep", special.get("eos"))))
    if kind == "masked" and "mask" not in special:
        raise LexigraftError("the tokenizer has no mask token", hint="Masked models need one; add it to the tokenizer")
    sentinels = np.array(sentinel_ids(vocabulary), np.int64) if kind == "seq2seq" else _one(None)

    def of_line(line: LineTokens) -> Iterator[Item]:
        if kind == "causal":
            return causal_items(line, prefix, context, context)
        if kind == "masked":
            return masked_items(line, HIDDEN, special["mask"], frame, context, "whole")
        return span_items(line, HIDDEN, sentinels, start, end, context)

    return [item for line in tokenize_lines(vocabulary, lines) for item in islice(of_line(line), 1)]


def _one(token: int | None) -> Ids:
    return np.array([] if token is None else [token], np.int64)
