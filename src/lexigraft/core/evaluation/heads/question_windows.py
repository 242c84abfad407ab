"""Windows of a question with a part of its context, and the best span of a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.squad import Question
from lexigraft.core.evaluation.frames import Frame
from lexigraft.core.evaluation.scoring import Ids

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary


class QuestionWindow(NamedTuple):
    """A question with a part of its context.

    Attributes:
        ids: Token ids: the question, then the part of the context, with special tokens.
        positions: The positions of the context's tokens, ``(tokens,)``.
        spans: Where each of them begins and ends in the context, in characters, ``(tokens, 2)``.
        question: The index of the question.
        answer: The first and the last token of the first answer, as indices into ``positions``; None where the window
            does not hold it whole.
    """

    ids: Ids
    positions: Ids
    spans: Ids
    question: int
    answer: tuple[int, int] | None


def question_windows(
    vocabulary: Vocabulary, questions: Sequence[Question], frame: Frame, context: int, stride: int
) -> list[QuestionWindow]:
    """Tokenize questions with their contexts.

    Args:
        vocabulary: The tokenizer.
        questions: The questions. One that takes more than half of a window is cut.
        frame: Special tokens around and between question and context.
        context: The longest window, special tokens included.
        stride: How many tokens of the context two windows share, at most half of what a window holds.

    Returns:
        For each question one window or several; none where its context has no token.
    """
    backend = vocabulary.tokenizer.backend_tokenizer
    asked = backend.encode_batch([q.question for q in questions], add_special_tokens=False)
    texts = list(dict.fromkeys(q.context for q in questions))
    read = dict(zip(texts, backend.encode_batch(texts, add_special_tokens=False), strict=True))
    windows: list[QuestionWindow] = []
    for n, (question, encoding) in enumerate(zip(questions, asked, strict=True)):
        head = np.concatenate([frame.first, np.array(encoding.ids[: context // 2], np.int64), frame.between])
        tokens = read[question.context]
        spans = np.array(tokens.offsets, np.int64).reshape(-1, 2)
        most = max(1, context - len(head) - len(frame.last))
        for start, end in _runs(len(tokens.ids), most, min(stride, most // 2)):
            ids = np.concatenate([head, np.array(tokens.ids[start:end], np.int64), frame.last])
            positions = np.arange(len(head), len(head) + end - start)
            answer = _answer(spans[start:end], question)
            windows.append(QuestionWindow(ids, positions, spans[start:end], n, answer))
    return windows


def _runs(tokens: int, most: int, shared: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < tokens:
        end = min(tokens, start + most)
        yield start, end
        if end == tokens:
            return
        start = end - shared


def _answer(spans: Ids, question: Question) -> tuple[int, int] | None:
    """The tokens that hold the first answer; of the tokens of one character the outer ones."""
    begin = question.answers[0].start
    end = begin + len(question.answers[0].text)
    inside = np.flatnonzero((spans[:, 1] > begin) & (spans[:, 0] < end))
    if not len(inside) or spans[inside[0], 0] > begin or spans[inside[-1], 1] < end:
        return None
    return int(inside[0]), int(inside[-1])


def best_span(logits: npt.NDArray[np.float32], longest: int) -> tuple[float, int, int]:
    """The span with the highest sum of the scores of its first and its last token.

    Args:
        logits: Scores of each token as the first and as the last one, ``(tokens, 2)``.
        longest: Most tokens in a span.

    Returns:
        Its score, its first and its last token.
    """
    sums = logits[:, None, 0].astype(np.float64) + logits[None, :, 1]
    length = np.arange(len(logits))[None, :] - np.arange(len(logits))[:, None]
    sums[(length < 0) | (length >= longest)] = -np.inf
    first, last = np.unravel_index(int(sums.argmax()), sums.shape)
    return float(sums[first, last]), int(first), int(last)
