"""Log-likelihoods of the continuations of a context, for causal, masked and encoder-decoder models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.frames import (
    Bos,
    Frame,
    causal_prefix,
    decoder_start,
    frame_of,
    mask_of,
    one_or_none,
    refuse_other_tokenizer,
)
from lexigraft.core.evaluation.line_tokens import tokenize_lines
from lexigraft.core.evaluation.scores import Floats
from lexigraft.core.evaluation.scoring import Ids, Item, item_bits
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.tokenization.offsets import token_characters
from lexigraft.core.tokenization.sentinel_tokens import sentinel_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Decoder = Literal["auto", "sentinel", "plain"]

_ESCAPED_BYTE = 8.0
"""Bits of a byte that no token stands for, as in bits per byte."""
_TIE = 1e-6
"""Share of a score within which two choices are equally likely: padding in batches moves the last digits."""


class Question(NamedTuple):
    """A context with the texts that may continue it.

    Attributes:
        context: What the model reads first; may be empty.
        continuations: What follows it directly, with the space between the two.
    """

    context: str
    continuations: tuple[str, ...]


def log_likelihoods(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    questions: Sequence[Question],
    *,
    bos: Bos = "auto",
    decoder: Decoder = "auto",
    batch_tokens: int = 8192,
    max_length: int = 1024,
) -> list[Floats]:
    """The log-likelihood of every continuation given its context.

    Context and continuation are tokenized as one string, and the continuation begins at the first token that covers
    some of it; white space at the end of the context counts as the continuation's. Where a token crosses the boundary
    in one continuation of a question, all of them are scored from that token's start, so that all pay for the same end
    of the context. (lm-evaluation-harness counts instead: of the tokens of the whole string as many belong to the
    context as the context has alone. The two agree where no token crosses.)

    - Causal models predict each token from those before it; the first is predicted from ``bos``, which stays where a
      long context is cut (lm-evaluation-harness cuts it too).
    - Masked models are measured by pseudo-likelihood, within each word from left to right: a token is predicted with
      itself and the tokens to its right in its whitespace-separated word hidden (Kauf & Ivanova 2023), so that a
      tokenizer is not charged for splitting a word and the pieces of a word do not give each other away. Later words
      stay visible: with all of them hidden the model would read runs of masks that it never saw in training.
    - Encoder-decoder models read the context with the encoder and write the continuation with the decoder: behind a
      sentinel that also ends the encoder's input, as T5 was pre-trained, or ("plain") behind the start token alone,
      as models fine-tuned on pairs do.

    A context that is too long is cut on the left; a continuation that is longer than the model's context is scored in
    pieces. Bytes of a continuation that no token stands for cost 8 bits each.

    Args:
        model: The model; left as it was.
        vocabulary: Its vocabulary.
        questions: The contexts with their continuations.
        bos: The causal prefix: the tokenizer's bos, else eos ("auto"), bos or an error ("always"), or none ("never";
            a first token that is scored then costs log2 of the vocabulary's size).
        decoder: How encoder-decoder models write; "auto" takes the sentinel where the tokenizer has one.
        batch_tokens: Most input tokens in one batch.
        max_length: Longest input even where the model could take more.

    Returns:
        Natural logarithms for each question, ``(continuations,)``.

    Raises:
        LexigraftError: A tokenizer without the token that is asked for, or ids beyond the model's table.
    """
    texts = [question.context + continuation for question in questions for continuation in question.continuations]
    tokens = [(ids, spans) for _, ids, spans in token_characters(vocabulary, texts)]
    refuse_other_tokenizer(model, [ids for ids, _ in tokens])
    counts = [len(question.continuations) for question in questions]
    ends = np.cumsum([0, *counts])
    first = [
        n
        for question, begin, end in zip(questions, ends[:-1], ends[1:], strict=True)
        for n in first_scored(len(question.context.rstrip()), [spans for _, spans in tokens[begin:end]])
    ]
    limit = min(context_length(model), max_length)
    kind = model_kind(model.config)
    bits = _ESCAPED_BYTE * np.array(hidden_bytes(vocabulary, questions), np.float64)
    if kind == "causal":
        prefix = causal_prefix(vocabulary, bos)
        if prefix is None:
            unscored = [n == 0 and len(ids) > 0 for n, (ids, _) in zip(first, tokens, strict=True)]
            bits += math.log2(vocabulary.size) * np.array(unscored)
        items = [list(_causal_items(ids, n, prefix, limit)) for n, (ids, _) in zip(first, tokens, strict=True)]
    elif kind == "masked":
        items = _all_masked(model, vocabulary, texts, first, limit)
    else:
        items = _all_decoder(model, vocabulary, [ids for ids, _ in tokens], first, decoder, limit)
    owners = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in items])
    np.add.at(bits, owners, item_bits(model, [item for of_text in items for item in of_text], batch_tokens))
    return np.split(-math.log(2) * bits, ends[1:-1]) if questions else []


def choice_share(scores: Floats, label: int) -> float:
    """What guessing among the best choices gives: 1 where the right one alone is best, 0 where it is not among them.

    Args:
        scores: The score of each choice, ``(choices,)``.
        label: The index of the right one.
    """
    best = scores >= scores.max() - _TIE * abs(scores.max())
    return float(best[label] / best.sum())


def hidden_bytes(vocabulary: Vocabulary, questions: Sequence[Question]) -> list[int]:
    """The UTF-8 bytes of every continuation that no known token stands for, question by question."""
    continuations = [continuation for question in questions for continuation in question.continuations]
    return [line.hidden_bytes for line in tokenize_lines(vocabulary, continuations)]


def first_scored(boundary: int, spans: Sequence[npt.NDArray[np.int64]]) -> list[int]:
    """The first scored token of every text of a question.

    Args:
        boundary: The characters of the context.
        spans: First and last characters of each text's tokens, ``(tokens, 2)``.

    Returns:
        Indices of tokens; the number of tokens where none is scored. The characters before them are the same in all
        texts.
    """
    if not boundary:
        return [0] * len(spans)
    ends = [np.maximum.accumulate(of_text[:, 1]) for of_text in spans]
    while True:
        found = [int(np.searchsorted(of_text, boundary, side="right")) for of_text in ends]
        begins = [int(of_text[n, 0]) for n, of_text in zip(found, spans, strict=True) if n < len(of_text)]
        earliest = min([boundary, *begins])
        if earliest == boundary:
            return found
        boundary = earliest


def _pieces(first: int, length: int, room: int) -> Iterator[tuple[int, int]]:
    """Where to cut what is scored so that a piece, with something before it if it is not the only one, fits."""
    if length - first <= room:
        if length > first:
            yield first, length
        return
    step = max(1, room // 2)
    for begin in range(first, length, step):
        yield begin, min(length, begin + step)


def _causal_items(ids: Ids, first: int, prefix: int | None, limit: int) -> Iterator[Item]:
    lead = np.array([] if prefix is None else [prefix], np.int64)
    for begin, end in _pieces(first if prefix is not None else max(first, 1), len(ids), limit):
        start = max(0, end - limit - (prefix is None))
        inputs = np.concatenate([lead, ids[start : end - 1]])
        yield Item(inputs, np.arange(begin, end) - start - (prefix is None), ids[begin:end])


def _all_masked(
    model: PreTrainedModel, vocabulary: Vocabulary, texts: Sequence[str], first: Sequence[int], limit: int
) -> list[list[Item]]:
    mask, frame = mask_of(vocabulary), frame_of(model, vocabulary)
    lines = tokenize_lines(vocabulary, texts)
    return [
        list(_masked_items(line.ids, line.words, n, mask, frame, limit)) for n, line in zip(first, lines, strict=True)
    ]


def _masked_items(ids: Ids, words: Ids, first: int, mask: int, frame: Frame, limit: int) -> Iterator[Item]:
    room = limit - frame.length
    word_ends = np.searchsorted(words, words, side="right")
    for begin, end in _pieces(first, len(ids), room):
        start = max(0, end - room)
        framed = np.concatenate([frame.first, ids[start:end], frame.last])
        offset = len(frame.first) - start
        for token in range(begin, end):
            inputs = framed.copy()
            inputs[token + offset : min(end, word_ends[token]) + offset] = mask
            yield Item(inputs, np.array([token + offset]), ids[token : token + 1])


def _all_decoder(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    ids: Sequence[Ids],
    first: Sequence[int],
    decoder: Decoder,
    limit: int,
) -> list[list[Item]]:
    has_sentinels = decoder == "sentinel" or any(token == "<extra_id_0>" for token in vocabulary.tokens)
    mark = one_or_none(sentinel_ids(vocabulary)[0] if has_sentinels and decoder != "plain" else None)
    start, end = decoder_start(model, vocabulary), frame_of(model, vocabulary).last
    return [list(_decoder_items(i, n, mark, start, end, limit)) for n, i in zip(first, ids, strict=True)]


def _decoder_items(ids: Ids, first: int, mark: Ids, start: int, end: Ids, limit: int) -> Iterator[Item]:
    room = limit - len(mark) - len(end)
    inputs = np.concatenate([ids[max(0, first - room) : first], mark, end])
    if not len(inputs):
        inputs = np.array([start])
    written = np.concatenate([mark, ids[first:]])
    for begin, stop in _pieces(len(mark), len(written), limit):
        cut = max(0, stop - limit)
        shown = np.concatenate([[start], written[cut : stop - 1]])
        yield Item(inputs, np.arange(begin, stop) - cut, written[begin:stop], shown)
