"""Bits per UTF-8 byte of the raw text: a language-modeling score that does not depend on the tokenizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData, TextEvaluator
from lexigraft.core.evaluation.frames import causal_prefix, refuse_other_tokenizer
from lexigraft.core.evaluation.line_tokens import LineTokens, tokenize_lines
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.evaluation.scoring import Item, target_bits
from lexigraft.core.evaluation.token_groups import TokenBits, group_scores, token_groups
from lexigraft.core.evaluation.windows import WithinWord, line_items
from lexigraft.core.models.architecture import context_length, model_kind

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

_INPUT_TOKENS_AT_ONCE = 2**22
_BOUNDS = {"stripes": (1, 1000), "batch_tokens": (1, 2**26), "max_length": (8, 2**24), "stride": (1, 2**24)}


@dataclass(frozen=True)
class BitsPerByte(TextEvaluator):
    """How many bits the model needs for each UTF-8 byte of the raw text; lower is better.

    Causal models read whole lines, in strided windows where a line is longer than the context. Masked models are
    measured by striped pseudo-likelihood: stripe j hides the whitespace-separated words i of the raw text with
    ``i mod stripes == j``: every token is scored exactly once, and every tokenizer hides the same words together. The
    bits of a word are −log2 of its probability by the chain rule, given the words that its stripe leaves visible: a
    piece is predicted with the pieces to its left in the word visible, itself and those to its right hidden, and the
    other words of the stripe hidden for all its pieces. ``within_word: whole`` predicts all pieces from the input where
    the whole word is hidden, which charges a tokenizer for splitting: the same knowledge costs more in more pieces.
    It reads ``stripes`` inputs a line; left to right there is one more for every piece that is not a word's first, and
    no fewer would do, because an input that shows pieces of two words gives one of them another context.

    Encoder-decoder models write the same stripes as sentinel spans, from left to right, so they obey the chain rule as
    they are and ``within_word`` does not apply; earlier words of the stripe are context for the later ones.
    Pseudo-likelihoods are not comparable with causal figures. In a script without spaces a line is one word.

    Text that the tokenizer cannot express costs what an escape code would: 8 bits for every raw byte under an unknown
    token (besides the unknown token's own bits) and for every visible character that has no token. What a tokenizer
    changes silently (letter case, accents) costs nothing; ``lossless_share`` shows it.

    Source: Salazar et al. 2020 (pseudo-likelihood); Kauf and Ivanova 2023 (within a word from left to right, and whole
    words).

    Attributes:
        stripes: How many passes the masked and encoder-decoder measures take.
        within_word: How masked models predict the pieces of a word: ``left_to_right`` (the chain rule), or ``whole``
            (each as if it did not know the others; cheaper, and comparable only where words have as many pieces).
        bos: The causal prefix: the tokenizer's bos, else eos ("auto"), bos or an error ("always"), or none ("never";
            the first token then costs log2 of the vocabulary's size).
        stride: How far a causal window moves; half the context when not given.
        batch_tokens: Most input tokens in one batch.
        max_length: Longest input even where the model could take more.
    """

    name: ClassVar[str] = "bits_per_byte"
    lower_is_better: ClassVar[bool] = True
    stripes: int = 5
    within_word: WithinWord = "left_to_right"
    bos: Literal["auto", "always", "never"] = "auto"
    stride: int | None = None
    batch_tokens: int = 8192
    max_length: int = 1024

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is measured."""
        for field, (least, most) in _BOUNDS.items():
            value = getattr(self, field)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{field} must be at least {least} and at most {most:,}")

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: TextData, context: EvaluationContext
    ) -> Scores:
        """Bits per byte of the lines, and statistics of their tokenization.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The lines.
            context: Token counts and moved tokens, for figures of groups of tokens.

        Returns:
            ``bits_per_byte``; ``bits_per_line``, for parallel sentences of several languages; where token counts of the
            training text are known, ``bits_per_byte_seen_0-4``, ``…_5-14``, ``…_15-99`` and ``…_100-up``, the bits of
            the tokens that occur so often in it over the bytes that they stand for, and ``bits_per_byte_moved``, of
            those whose rows a strategy made; ``unknown_share``, the share of raw bytes without a known token;
            ``tokens_per_word`` (fertility); ``tokens``; ``lossless_share``, the share of lines that decode to
            themselves, whitespace aside.

        Raises:
            LexigraftError: No text, a tokenizer without the mask token or sentinels that the model kind needs, or ids
                beyond the model's table.
        """
        sizes = np.array([len(line.encode()) for line in data.lines], np.float64)
        if not sizes.sum():
            raise LexigraftError("there is no text to evaluate on", hint="Give at least one line that is not empty")
        read = tokenize_lines(vocabulary, data.lines)
        scored = self._scored(model, vocabulary, read)
        bits = _line_bits(scored, read)
        groups = group_scores(scored, read, token_groups(context))
        items = {"bits_per_byte": ItemScores(bits, sizes), "bits_per_line": ItemScores.of(bits, np.minimum(sizes, 1.0))}
        items |= {f"bits_per_byte_{name}": found for name, found in groups.items()}
        tokens = sum(len(line.ids) for line in read)
        figures = {
            "unknown_share": sum(line.hidden_bytes for line in read) / float(sizes.sum()),
            "tokens_per_word": tokens / max(1, sum(line.word_count for line in read)),
            "tokens": float(tokens),
            "lossless_share": sum(line.lossless for line in read) / len(read),
        }
        return Scores.of(items, figures)

    def line_bits(
        self, model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str]
    ) -> npt.NDArray[np.float64]:
        """Bits for each line; their sum divided by the bytes is bits per byte.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            lines: Raw lines.

        Returns:
            Bits, shape ``(lines,)``.

        Raises:
            LexigraftError: As :meth:`evaluate`.
        """
        read = tokenize_lines(vocabulary, lines)
        return _line_bits(self._scored(model, vocabulary, read), read)

    def _scored(self, model: PreTrainedModel, vocabulary: Vocabulary, lines: list[LineTokens]) -> TokenBits:
        refuse_other_tokenizer(model, (line.ids for line in lines))
        context = min(context_length(model), self.max_length)
        items_of = line_items(
            model,
            vocabulary,
            context=context,
            stride=min(self.stride or max(1, context // 2), context),
            stripes=self.stripes,
            within_word=self.within_word,
            bos=self.bos,
        )
        parts = [
            TokenBits(
                np.repeat(np.array(owners, np.int64), [len(item.targets) for item in items]),
                np.concatenate([item.targets for item in items]),
                target_bits(model, items, self.batch_tokens),
            )
            for owners, items in _at_once(lines, items_of)
        ]
        if model_kind(model.config) == "causal" and causal_prefix(vocabulary, self.bos) is None:
            # Nothing predicts the first token of a line.
            first = [n for n, line in enumerate(lines) if len(line.ids)]
            ids = np.array([lines[n].ids[0] for n in first], np.int64)
            parts.append(TokenBits(np.array(first, np.int64), ids, np.full(len(first), math.log2(vocabulary.size))))
        empty = TokenBits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        return TokenBits(*(np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True)))


def _line_bits(scored: TokenBits, lines: Sequence[LineTokens]) -> npt.NDArray[np.float64]:
    """Bits of each line: those of its tokens, and of the bytes that no token stands for."""
    return np.bincount(scored.lines, scored.bits, len(lines)).astype(np.float64) + 8.0 * np.array(
        [line.hidden_bytes for line in lines]
    )


def _at_once(
    lines: Sequence[LineTokens], items_of: Callable[[LineTokens], Iterator[Item]]
) -> Iterator[tuple[list[int], list[Item]]]:
    """Sequences of lines of similar length with the index of each one's line, as many as memory may hold at a time."""
    owners: list[int] = []
    items: list[Item] = []
    held = 0
    for n in sorted(range(len(lines)), key=lambda n: -len(lines[n].ids)):
        for item in items_of(lines[n]):
            owners.append(n)
            items.append(item)
            held += len(item.inputs)
            if held > _INPUT_TOKENS_AT_ONCE:
                yield owners, items
                owners, items, held = [], [], 0
    if items:
        yield owners, items
