"""Special tokens around the inputs of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scoring import Ids
from lexigraft.core.models.architecture import model_kind

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Bos = Literal["auto", "always", "never"]


class Frame(NamedTuple):
    """Special tokens around a text, empty for roles that the tokenizer does not fill.

    Attributes:
        first: What stands before the text.
        between: What stands between two texts.
        last: What stands after the text.
    """

    first: Ids
    between: Ids
    last: Ids

    @property
    def length(self) -> int:
        """How many tokens the frame of one text has."""
        return len(self.first) + len(self.last)


def frame_of(model: PreTrainedModel, vocabulary: Vocabulary) -> Frame:
    """The frame of a model's inputs: ``cls … sep``, for encoder-decoder models ``… eos``, for causal ones ``bos …``."""
    special, kind = vocabulary.specials, model_kind(model.config)
    end = one_or_none(special.get("eos", special.get("sep")))
    if kind == "causal":
        return Frame(one_or_none(special.get("bos")), end, one_or_none(None))
    if kind == "seq2seq":
        return Frame(one_or_none(None), end, end)
    sep = one_or_none(special.get("sep", special.get("eos")))
    return Frame(one_or_none(special.get("cls", special.get("bos"))), sep, sep)


def one_or_none(token: int | None) -> Ids:
    """An array of one token id, or of none."""
    return np.array([] if token is None else [token], np.int64)


def causal_prefix(vocabulary: Vocabulary, bos: Bos = "auto") -> int | None:
    """The token from which a causal model predicts a text's first one.

    Args:
        vocabulary: The vocabulary.
        bos: The tokenizer's bos, else eos ("auto"), bos or an error ("always"), or none ("never").

    Raises:
        LexigraftError: The tokenizer has no bos token, and one is asked for.
    """
    special = vocabulary.specials
    if bos == "never":
        return None
    if bos == "always" and "bos" not in special:
        raise LexigraftError("the tokenizer has no bos token", hint="Use bos 'auto' or 'never'")
    return special.get("bos", special.get("eos"))


def mask_of(vocabulary: Vocabulary) -> int:
    """The mask token; raises ``LexigraftError`` where the tokenizer has none."""
    if "mask" not in vocabulary.specials:
        raise LexigraftError("the tokenizer has no mask token", hint="Masked models need one; add it to the tokenizer")
    return vocabulary.specials["mask"]


def decoder_start(model: PreTrainedModel, vocabulary: Vocabulary) -> int:
    """The token with which an encoder-decoder model starts to write."""
    start: int | None = model.config.decoder_start_token_id
    return vocabulary.specials.get("pad", 0) if start is None else start


def refuse_other_tokenizer(model: PreTrainedModel, ids: Iterable[Sequence[int] | Ids]) -> None:
    """Refuse tokens that the model has no row for.

    Args:
        model: The model.
        ids: Token ids of each text.

    Raises:
        LexigraftError: The largest id lies beyond the model's table.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if (highest := max((int(np.max(text)) for text in ids if len(text)), default=0)) >= rows:
        hint = f"The table has {rows} rows; the tokenizer does not belong to this model"
        raise LexigraftError("a token id lies beyond the model's table", highest, hint)
