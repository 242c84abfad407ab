"""Sentinel tokens, which stand for masked spans in T5-like models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary


def sentinel_ids(vocabulary: Vocabulary) -> list[int]:
    """Ids of ``<extra_id_0>``, ``<extra_id_1>``, … in that order.

    Args:
        vocabulary: A T5-like vocabulary.

    Returns:
        Token ids.

    Raises:
        LexigraftError: The tokenizer has none.
    """
    numbered = {
        int(match[1]): i
        for i, token in enumerate(vocabulary.tokens)
        if (match := re.fullmatch(r"<extra_id_(\d+)>", token))
    }
    if not numbered:
        raise LexigraftError(
            "the tokenizer has no sentinel tokens",
            hint="Encoder-decoder models need <extra_id_0>, <extra_id_1>, …; add them as special tokens",
        )
    return [numbered[n] for n in sorted(numbered)]
