"""Windows of questions: every token of the context is in one, answers stand where they are said to."""

from __future__ import annotations

import numpy as np
import pytest

from lexigraft.core.data.squad import Answer, Question
from lexigraft.core.evaluation.frames import frame_of
from lexigraft.core.evaluation.heads.question_windows import best_span, question_windows
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

CONTEXT = " ".join(SOURCE_TEXT.split()[:60])
WORD = CONTEXT.split()[41]
QUESTION = Question("q", CONTEXT, "where is the river", (Answer(WORD, CONTEXT.index(f" {WORD}", 100) + 1),))


@pytest.mark.parametrize("name", ["bert-tied-bias", "roberta-tied-bias", "llama-untied", "t5-tied"])
@pytest.mark.parametrize(("context", "stride"), [(40, 8), (2000, 8)])
def test_windows_overlap_and_hold_the_answer(name: str, context: int, stride: int) -> None:
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    windows = question_windows(vocabulary, [QUESTION], frame_of(model, vocabulary), context, stride)
    tokens = vocabulary.encode([CONTEXT])[0]
    assert max(len(w.ids) for w in windows) <= context
    joined = windows[0].ids[windows[0].positions].tolist()
    for window in windows[1:]:
        own = window.ids[window.positions].tolist()
        assert joined[-stride:] == own[:stride]
        joined += own[stride:]
    assert joined == tokens
    held = [w for w in windows if w.answer is not None]
    assert held
    for window in held:
        assert window.answer is not None
        first, last = window.answer
        assert CONTEXT[window.spans[first, 0] : window.spans[last, 1]].strip().startswith(WORD)


def test_the_best_span_ends_behind_its_start_and_is_no_longer_than_allowed() -> None:
    logits = np.array([[0, 9], [5, 0], [0, 1], [0, 3]], np.float32)
    # 1 to 3 gives 5 + 3; 1 to 2 gives 5 + 1; 0 to 0 gives 0 + 9.
    assert best_span(logits, 1) == (9, 0, 0)
    logits[0, 1] = 0
    assert best_span(logits, 3) == (8, 1, 3)
    assert best_span(logits, 2) == (6, 1, 2)
