"""Check that a model can work with a target tokenizer."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.unknown_token_check import check_encodes
from lexigraft.core.tokenization.vocabulary import Vocabulary


def check_usable(vocabulary: Vocabulary) -> None:
    """Refuse a target tokenizer that cannot encode every text, cannot pad, or adds ids of another vocabulary.

    Raises:
        LexigraftError: No unknown token although some bytes have no token, or none that its model knows; no padding
            token; a stale post-processor.
    """
    check_encodes(vocabulary)
    check_post_processor(vocabulary)
    if "unk" not in vocabulary.specials and not vocabulary.byte_complete:
        raise LexigraftError(
            "target tokenizer has no unknown token",
            vocabulary.family.value,
            "Add unk_token, or train it with a token for each of the 256 bytes",
        )
    if "pad" not in vocabulary.specials:
        if "eos" not in vocabulary.specials:
            raise LexigraftError(
                "target tokenizer has no padding token", vocabulary.family.value, "Add pad_token to it"
            )
        raise LexigraftError(
            "target tokenizer has no padding token",
            f"eos is {vocabulary.tokens[vocabulary.specials['eos']]}",
            "Set pad_token (its end token will do: tokenizer.pad_token = tokenizer.eos_token) and save it again",
        )
