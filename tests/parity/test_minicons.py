"""Words scored from left to right as minicons scores them, where one word is hidden at a time.

It hides one word at a time, we the words of a stripe: with as many stripes as words both are the same. Its words are
those of the tokenizer's pre-tokenizer, ours those between spaces: a comma is a word of its own there, and a part of its
word here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture
from parity.environments import MINICONS, ask

pytestmark = [pytest.mark.parity, pytest.mark.slow]
MANY = BitsPerByte(stripes=100)
PLAIN = ["".join(c for c in line if c.isalpha() or c == " ").strip() for line in SOURCE_TEXT.splitlines()[:4]]
WITH_COMMA = "The river, they say, sleeps"


class Both:
    """A tiny model with the tokenizer that both packages read from its folder, and what minicons says of texts."""

    def __init__(self, folder: Path) -> None:
        self.model, tokenizer, _ = fixture("bert-tied-bias")
        self.vocabulary = Vocabulary.of(tokenizer)
        self.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        request = {"folder": str(folder), "texts": [*PLAIN, WITH_COMMA]}
        self.theirs: dict[str, Any] = ask(MINICONS, "minicons_worker.py", request)

    def bits(self, evaluator: BitsPerByte, lines: Sequence[str]) -> list[float]:
        return evaluator.line_bits(self.model, self.vocabulary, lines).tolist()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("model"))


def test_lines_of_plain_words_have_the_same_bits(both: Both) -> None:
    theirs = -np.array(both.theirs["within_word_l2r"][:-1]) / math.log(2)
    assert both.bits(MANY, PLAIN) == pytest.approx(theirs.tolist(), rel=1e-5)
    split = [len(ids) > len(line.split()) for ids, line in zip(both.vocabulary.encode(PLAIN), PLAIN, strict=True)]
    assert any(split)


def test_its_other_metric_lets_pieces_see_those_to_their_right(both: Both) -> None:
    ours, theirs = both.bits(MANY, PLAIN), -np.array(both.theirs["original"][:-1]) / math.log(2)
    assert not np.allclose(ours, theirs, rtol=1e-4)


def test_punctuation_belongs_to_its_word_here_and_is_a_word_there(both: Both) -> None:
    [ours], theirs = both.bits(MANY, [WITH_COMMA]), -both.theirs["within_word_l2r"][-1] / math.log(2)
    assert ours != pytest.approx(theirs, rel=1e-5)
