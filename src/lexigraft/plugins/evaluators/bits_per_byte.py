"""Bits per UTF-8 byte of the raw text: a language-modeling score that does not depend on the tokenizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData, TextEvaluator
from lexigraft.core.evaluation.line_tokens import LineTokens, tokenize_lines
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.evaluation.scoring import Ids, Item, item_bits
from lexigraft.core.evaluation.windows import causal_items, masked_items, span_items
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.tokenization.sentinel_tokens import sentinel_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

_BOUNDS = {"stripes": (1, 1000), "batch_tokens": (1, 2**26), "max_length": (8, 2**24), "stride": (1, 2**24)}


@dataclass(frozen=True)
class BitsPerByte(TextEvaluator):
    """How many bits the model needs for each UTF-8 byte of the raw text; lower is better.

    Causal models read whole lines, in strided windows where a line is longer than the context. Masked models are
    measured by striped pseudo-likelihood: stripe j hides the whitespace-separated words i of the raw text with
    ``i mod stripes == j``: every token is hidden exactly once, and every tokenizer hides the same words together.
    Encoder-decoder models write the same stripes as sentinel spans. Pseudo-likelihoods are not comparable with causal
    figures. In a script without spaces a line is one word.

    Text that the tokenizer cannot express costs what an escape code would: 8 bits for every raw byte under an unknown
    token (besides the unknown token's own bits) and for every visible character that has no token. What a tokenizer
    changes silently (letter case, accents) costs nothing; ``lossless_share`` shows it.

    Source: Salazar et al. 2020 (pseudo-likelihood); Kauf and Ivanova 2023 (whole words together).

    Attributes:
        stripes: How many passes the masked and encoder-decoder measures take.
        bos: The causal prefix: the tokenizer's bos, else eos ("auto"), bos or an error ("always"), or none ("never";
            the first token then costs log2 of the vocabulary's size).
        stride: How far a causal window moves; half the context when not given.
        batch_tokens: Most input tokens in one batch.
        max_length: Longest input even where the model could take more.
    """

    name: ClassVar[str] = "bits_per_byte"
    lower_is_better: ClassVar[bool] = True
    stripes: int = 5
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
            context: Not used.

        Returns:
            ``bits_per_byte``; ``unknown_share``, the share of raw bytes without a known token; ``tokens_per_word``
            (fertility); ``tokens``; ``lossless_share``, the share of lines that decode to themselves, whitespace aside.

        Raises:
            LexigraftError: No text, a tokenizer without the mask token or sentinels that the model kind needs, or ids
                beyond the model's table.
        """
        sizes = np.array([len(line.encode()) for line in data.lines], np.float64)
        if not sizes.sum():
            raise LexigraftError("there is no text to evaluate on", hint="Give at least one line that is not empty")
        read = tokenize_lines(vocabulary, data.lines)
        hidden = ItemScores.of([line.hidden_bytes for line in read], sizes)
        tokens = sum(len(line.ids) for line in read)
        figures = {
            "unknown_share": hidden.ratio,
            "tokens_per_word": tokens / max(1, sum(line.word_count for line in read)),
            "tokens": float(tokens),
            "lossless_share": sum(line.lossless for line in read) / len(read),
        }
        return Scores.of({"bits_per_byte": ItemScores(self._bits(model, vocabulary, read), sizes)}, figures)

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
        return self._bits(model, vocabulary, tokenize_lines(vocabulary, lines))

    def _bits(self, model: PreTrainedModel, vocabulary: Vocabulary, lines: list[LineTokens]) -> npt.NDArray[np.float64]:
        rows = model.get_input_embeddings().weight.shape[0]
        if (highest := max((int(line.ids.max()) for line in lines if len(line.ids)), default=0)) >= rows:
            hint = f"The table has {rows} rows; the tokenizer does not belong to this model"
            raise LexigraftError("a token id lies beyond the model's table", highest, hint)
        bits = 8.0 * np.array([line.hidden_bytes for line in lines], np.float64)
        items, unscored = self._items(model, vocabulary, lines)
        owners = np.repeat(np.arange(len(lines)), [len(of_line) for of_line in items])
        flat = [item for of_line in items for item in of_line]
        np.add.at(bits, owners, item_bits(model, flat, self.batch_tokens))
        return bits + unscored * np.array([len(line.ids) > 0 for line in lines])

    def _items(
        self, model: PreTrainedModel, vocabulary: Vocabulary, lines: list[LineTokens]
    ) -> tuple[list[list[Item]], float]:
        """The sequences to score of each line, and the bits of each line's first token where nothing predicts it."""
        special = vocabulary.specials
        context = min(context_length(model), self.max_length)
        kind = model_kind(model.config)
        if kind == "causal":
            prefix = self._prefix(special.get("bos"), special.get("eos"))
            stride = min(self.stride or max(1, context // 2), context)
            unscored = 0.0 if prefix is not None else math.log2(vocabulary.size)
            return [list(causal_items(line, prefix, context, stride)) for line in lines], unscored
        end = _one(special.get("eos", special.get("sep")))
        if kind == "seq2seq":
            sentinels = np.array(sentinel_ids(vocabulary), np.int64)
            start = model.config.decoder_start_token_id
            start = special.get("pad", 0) if start is None else start
            return [list(span_items(line, self.stripes, sentinels, start, end, context)) for line in lines], 0.0
        if "mask" not in special:
            raise LexigraftError(
                "the tokenizer has no mask token", hint="Masked models need one; add it to the tokenizer"
            )
        frame = (_one(special.get("cls", special.get("bos"))), _one(special.get("sep", special.get("eos"))))
        return [list(masked_items(line, self.stripes, special["mask"], frame, context)) for line in lines], 0.0

    def _prefix(self, bos: int | None, eos: int | None) -> int | None:
        if self.bos == "never":
            return None
        if self.bos == "always" and bos is None:
            raise LexigraftError("the tokenizer has no bos token", hint="Use bos 'auto' or 'never'")
        return bos if bos is not None else eos


def _one(token: int | None) -> Ids:
    return np.array([] if token is None else [token], np.int64)
