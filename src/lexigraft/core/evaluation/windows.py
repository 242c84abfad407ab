"""Sequences to score, which predict each token of a line once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np

from lexigraft.core.evaluation.frames import Bos, causal_prefix, decoder_start, frame_of, mask_of
from lexigraft.core.evaluation.line_tokens import LineTokens
from lexigraft.core.evaluation.scoring import Ids, Item
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.tokenization.sentinel_tokens import sentinel_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

WithinWord = Literal["left_to_right", "whole"]
"""How the pieces of a hidden word are scored: by the chain rule, or each as if it did not know the others."""


def line_items(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    *,
    context: int,
    stride: int,
    stripes: int,
    within_word: WithinWord,
    bos: Bos = "auto",
) -> Callable[[LineTokens], Iterator[Item]]:
    """What makes the sequences to score of a line, for every kind of model.

    Args:
        model: The model.
        vocabulary: Its vocabulary.
        context: Most tokens in a sequence.
        stride: How far a causal window moves.
        stripes: How many stripes the words are hidden in, for masked and encoder-decoder models.
        within_word: How masked models predict the pieces of a word.
        bos: The causal prefix.

    Raises:
        LexigraftError: The tokenizer lacks the bos token, the mask token or the sentinels that the kind of model needs.
    """
    kind, frame = model_kind(model.config), frame_of(model, vocabulary)
    if kind == "causal":
        prefix = causal_prefix(vocabulary, bos)
        return lambda line: causal_items(line, prefix, context, stride)
    if kind == "seq2seq":
        sentinels, start = np.array(sentinel_ids(vocabulary), np.int64), decoder_start(model, vocabulary)
        return lambda line: span_items(line, stripes, sentinels, start, frame.last, context)
    mask, around = mask_of(vocabulary), (frame.first, frame.last)
    return lambda line: masked_items(line, stripes, mask, around, context, within_word)


def causal_items(line: LineTokens, prefix: int | None, context: int, stride: int) -> Iterator[Item]:
    """Strided windows: a token is predicted from at least ``context - stride`` tokens before it, where there are any.

    Args:
        line: The line.
        prefix: The token that the first one is predicted from; without one the first token is not scored.
        context: The longest input.
        stride: How far the window moves, at most ``context``.

    Yields:
        Sequences to score.
    """
    ids = line.ids if prefix is None else np.concatenate([[prefix], line.ids])
    inputs, targets = ids[:-1], ids[1:]
    scored = 0
    while scored < len(targets):
        end = min(len(targets), context if scored == 0 else scored + stride)
        start = max(0, end - context)
        yield Item(inputs[start:end], np.arange(scored, end) - start, targets[scored:end])
        scored = end


def masked_items(
    line: LineTokens, stripes: int, mask: int, frame: tuple[Ids, Ids], context: int, within_word: WithinWord
) -> Iterator[Item]:
    """Striped pseudo-likelihood: stripe ``j`` hides the words ``i`` with ``i mod stripes == j``, whole words together.

    Scored as a whole, the pieces of a word are predicted from the same input, each as if it did not know the others.
    Scored from left to right they obey the chain rule: the first piece is predicted from that input too, and for each
    further piece one more input shows the pieces to its left. The other words of the stripe stay hidden in it, so the
    context of a word is the same for all its pieces and the same as when it is scored as a whole.

    Args:
        line: The line.
        stripes: How many stripes.
        mask: The mask token.
        frame: What stands before and after the text.
        context: The longest input.
        within_word: How the pieces of a word are scored.

    Yields:
        Sequences to score.
    """
    left, right = frame
    for ids, words in _windows(line, context - len(left) - len(right), None):
        framed = np.concatenate([left, ids, right])
        starts = np.searchsorted(words, words)
        for stripe in range(stripes):
            hidden = np.flatnonzero(words % stripes == stripe)
            if not len(hidden):
                continue
            inputs = framed.copy()
            inputs[hidden + len(left)] = mask
            together = hidden if within_word == "whole" else hidden[starts[hidden] == hidden]
            yield Item(inputs, together + len(left), ids[together])
            for piece in np.setdiff1d(hidden, together):
                shown = slice(starts[piece] + len(left), piece + len(left))
                further = inputs.copy()
                further[shown] = framed[shown]
                yield Item(further, np.array([piece + len(left)]), ids[piece : piece + 1])


def span_items(line: LineTokens, stripes: int, sentinels: Ids, start: int, end: Ids, context: int) -> Iterator[Item]:
    """The same stripes as sentinel spans: the decoder writes the hidden words; sentinels and the end are not scored.

    It writes from left to right, so each piece is predicted from the pieces to its left, and from the words of the
    stripe to its left.

    Args:
        line: The line.
        stripes: How many stripes.
        sentinels: Sentinel tokens in order.
        start: The token that the decoder starts from.
        end: What ends the encoder's input (empty for nothing).
        context: The longest input.

    Yields:
        Sequences to score.
    """
    for ids, words in _windows(line, context - len(end) - 1, len(sentinels) * stripes):
        first = np.concatenate([[True], words[1:] != words[:-1]])
        for stripe in range(stripes):
            hidden = words % stripes == stripe
            if not hidden.any():
                continue
            begins = first & hidden
            marks = sentinels[np.cumsum(begins) - 1]
            inputs = np.where(begins, marks, ids)[~hidden | begins]
            pairs = np.stack([marks, ids], 1).ravel()
            kept = np.stack([begins, hidden], 1)
            written = pairs[kept.ravel()]
            scored = np.flatnonzero(np.stack([np.zeros_like(begins), hidden], 1).ravel()[kept.ravel()])
            decoder = np.concatenate([[start], written[:-1]])
            yield Item(np.concatenate([inputs, end]), scored, written[scored], decoder)


def _windows(line: LineTokens, most_tokens: int, most_words: int | None) -> Iterator[tuple[Ids, Ids]]:
    """Consecutive pieces of a line, cut between words where a word fits."""
    ids, words = line.ids, line.words
    start = 0
    while start < len(ids):
        end = min(len(ids), start + most_tokens)
        if most_words is not None:
            end = min(end, start + int(np.searchsorted(words[start:], words[start] + most_words)))
        if end < len(ids) and words[end] == words[end - 1] and words[end] != words[start]:
            end = start + int(np.searchsorted(words[start:end], words[end]))
        yield ids[start:end], words[start:end]
        start = end
