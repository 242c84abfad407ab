"""Which target tokenizers a model can work with."""

from __future__ import annotations

import pytest

from fixtures.vocabularies import unigram_vocabulary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.target_check import check_usable


def test_only_tokenizers_that_encode_everything_and_can_pad_are_usable() -> None:
    check_usable(unigram_vocabulary())
    check_usable(unigram_vocabulary(unk=False, byte_pieces=True))
    with pytest.raises(LexigraftError, match="no unknown token"):
        check_usable(unigram_vocabulary(unk=False))
    with pytest.raises(LexigraftError, match="Add pad_token"):
        check_usable(unigram_vocabulary(pad=False))
    with pytest.raises(LexigraftError, match="its end token will do"):
        check_usable(unigram_vocabulary(pad=False, eos=True))
