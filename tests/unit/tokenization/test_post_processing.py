"""Post-processors made for another vocabulary are refused, in each of the forms that they come in."""

from __future__ import annotations

from typing import Any

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.target_check import check_usable
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer


def processors(begin: int, end: int) -> dict[str, Any]:
    from tokenizers import processors as made

    template = made.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", begin), ("</s>", end)]
    )
    return {
        "template": template,
        "bert": made.BertProcessing(("</s>", end), ("<s>", begin)),
        "roberta": made.RobertaProcessing(("</s>", end), ("<s>", begin)),
        "sequence": made.Sequence([made.ByteLevel(), template]),
    }


@pytest.mark.parametrize("kind", ["template", "bert", "roberta", "sequence"])
def test_a_stale_id_is_refused_and_a_current_one_is_not(kind: str) -> None:
    tokenizer = tiny_tokenizer("byte_bpe")
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = processors(begin, end)[kind]
    check_usable(Vocabulary.of(tokenizer))
    for stale in (128000, begin + 1):  # beyond the table, and another token's
        tokenizer.backend_tokenizer.post_processor = processors(stale, end)[kind]
        with pytest.raises(LexigraftError, match=f"<s> as {stale}"):
            check_usable(Vocabulary.of(tokenizer))


@pytest.mark.parametrize("family", ["byte_bpe", "unigram", "bpe_byte_fallback", "wordpiece", "unigram_sentinels"])
def test_every_family_passes(family: Any) -> None:
    check_post_processor(Vocabulary.of(tiny_tokenizer(family)))
    tokenizer = tiny_tokenizer(family)
    tokenizer.backend_tokenizer.post_processor = None
    check_post_processor(Vocabulary.of(tokenizer))
