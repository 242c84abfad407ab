"""Pooled hidden states, one vector for each text and layer."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.frames import refuse_other_tokenizer
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.models.evaluation_mode import evaluation_mode
from lexigraft.core.models.kept_hooks import hooks_kept

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Pooling = Literal["mean", "weighted_mean", "last_token", "eos", "cls"]
Layer = int | Literal["all", "two_thirds"]
BATCH_TOKENS = 4096
LONGEST = 1024


class PooledStates(NamedTuple):
    """Vectors of texts.

    Attributes:
        vectors: float32 on the CPU, ``(layers, texts, hidden)``; zero for a text without a token.
        cut: How many texts were longer than the model's context and were cut at their end.
        empty: How many texts have no token.
    """

    vectors: torch.Tensor
    cut: int
    empty: int

    def notes(self, side: str) -> Iterator[str]:
        """Sentences about texts that the model did not read whole."""
        if self.cut:
            yield f"{self.cut:,} {side} texts are longer than the model's context and were cut."
        if self.empty:
            yield f"{self.empty:,} {side} texts have no token in this vocabulary."


def pooled_states(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    texts: Sequence[str] | Sequence[Sequence[int]],
    *,
    pooling: Pooling = "mean",
    layer: Layer = "all",
    batch_tokens: int = BATCH_TOKENS,
) -> PooledStates:
    """One vector for each text: a weighted sum of the hidden states of its tokens.

    Layer 0 is what the first layer reads; of an encoder-decoder the encoder is read. Special tokens are those that the
    tokenizer itself puts around a text.

    ``mean``: the tokens of the text, without special tokens. ``weighted_mean``: all tokens, token t of T with weight
    ``t / (1 + ... + T)``, so that a causal model's later tokens, which have seen more, count more. ``last_token``: the
    text's last token. ``eos``: the special token that ends the text, appended where the tokenizer puts none there.
    ``cls``: the special token before the text.

    A batch holds texts of one length: there is no padding that could change a state.

    Args:
        model: The model; it is run in evaluation mode without gradients and left as it was.
        vocabulary: Its vocabulary.
        texts: Texts, or token ids of each text without special tokens.
        pooling: The weights.
        layer: A layer (negative ones count from the last), the one at two thirds of the depth, or all.
        batch_tokens: Most tokens in one batch (a longer single text goes alone).

    Raises:
        LexigraftError: No such layer, no special token for this pooling, token ids beyond the model's table, or states
            that are not finite.
    """
    kind = model_kind(model.config)
    if pooling == "cls" and kind == "causal":
        hint = "Use mean, weighted_mean, last_token or eos"
        raise LexigraftError("a causal model's first token has seen nothing of the text", "pooling cls", hint)
    limit = min(context_length(model), LONGEST)
    ids = _token_ids(vocabulary, texts)
    refuse_other_tokenizer(model, ids)
    before, after = _frame(vocabulary, pooling)
    room = limit - len(before) - len(after)
    cut = sum(len(text) > room for text in ids)
    ids = [text[:room] for text in ids]
    framed = [(*before, *text, *after) if text else () for text in ids]

    def weights(length: int) -> torch.Tensor:
        return _weights(len(before), length - len(before) - len(after), len(after), pooling)

    vectors = weighted_states(model, framed, weights, layer=layer, batch_tokens=batch_tokens)
    return PooledStates(vectors, cut, sum(not text for text in ids))


def weighted_states(
    model: PreTrainedModel,
    sequences: Sequence[Sequence[int]],
    weights: Callable[[int], torch.Tensor],
    *,
    layer: Layer = "all",
    batch_tokens: int = BATCH_TOKENS,
) -> torch.Tensor:
    """A weighted sum of the hidden states of each sequence.

    A batch holds sequences of one length: there is no padding that could change a state.

    Args:
        model: The model; it is run in evaluation mode without gradients and left as it was.
        sequences: Token ids, special tokens included.
        weights: The weights of the tokens of a sequence of so many.
        layer: A layer (negative ones count from the last), the one at two thirds of the depth, or all.
        batch_tokens: Most tokens in one batch (a longer single sequence goes alone).

    Returns:
        float32 on the CPU, ``(layers, sequences, hidden)``; zero for a sequence without tokens.

    Raises:
        LexigraftError: No such layer, no sequence with tokens, or states that are not finite.
    """
    import torch

    vectors: torch.Tensor | None = None
    with evaluation_mode(model), hooks_kept(model), torch.no_grad():
        for group in _batches(sequences, batch_tokens):
            states = _states(model, [sequences[n] for n in group])
            chosen = chosen_layers(len(states), layer)
            if vectors is None:
                vectors = torch.zeros(len(chosen), len(sequences), states[0].shape[-1])
            of_tokens = weights(len(sequences[group[0]])).to(model.device)
            for place, number in enumerate(chosen):
                vectors[place, group] = (states[number].float() * of_tokens[:, None]).sum(1).cpu()
    if vectors is None:
        raise LexigraftError("no text has a token in this vocabulary", f"{len(sequences)} texts", "Give other texts")
    _refuse_not_finite(model, vectors)
    return vectors


def mean_input_rows(model: PreTrainedModel, texts: Sequence[Sequence[int]]) -> torch.Tensor:
    """The mean of the input table's rows of each text's tokens, as the first layer gets them but without positions.

    Args:
        model: The model.
        texts: Token ids of each text, at least one.

    Returns:
        float32 on the CPU, ``(texts, dim)``.

    Raises:
        LexigraftError: Token ids beyond the model's table, or rows that are not finite.
    """
    import torch

    refuse_other_tokenizer(model, texts)
    found = []
    with evaluation_mode(model), torch.no_grad():
        for start in range(0, len(texts), BATCH_TOKENS):
            some = texts[start : start + BATCH_TOKENS]
            ids = torch.tensor([i for text in some for i in text], device=model.device)
            owners = torch.tensor([n for n, text in enumerate(some) for _ in text])
            rows = model.get_input_embeddings()(ids).float().cpu()
            sums = rows.new_zeros(len(some), rows.shape[1]).index_add_(0, owners, rows)
            found.append(sums / torch.tensor([len(text) for text in some])[:, None])
    vectors = torch.cat(found)
    _refuse_not_finite(model, vectors)
    return vectors


def _token_ids(vocabulary: Vocabulary, texts: Sequence[str] | Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    strings = [text for text in texts if isinstance(text, str)]
    if strings:
        return [tuple(ids) for ids in vocabulary.encode(strings)]
    return [tuple(map(int, text)) for text in texts]


def _refuse_not_finite(model: PreTrainedModel, vectors: torch.Tensor) -> None:
    if not bool(vectors.isfinite().all()):
        hint = "Its weights are damaged, or its training diverged"
        raise LexigraftError("the model's hidden states are not finite", type(model).__name__, hint)


def _frame(vocabulary: Vocabulary, pooling: Pooling) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that the tokenizer puts before and after a text."""
    encoding = vocabulary.tokenizer.backend_tokenizer.encode("a")
    own = [n for n, special in enumerate(encoding.special_tokens_mask) if not special]
    first, last = (own[0], own[-1] + 1) if own else (len(encoding.ids),) * 2
    before, after = tuple(encoding.ids[:first]), tuple(encoding.ids[last:])
    if pooling == "cls" and not before:
        hint = "Use mean, weighted_mean, last_token or eos"
        raise LexigraftError("the tokenizer puts no special token before a text", "pooling cls", hint)
    if pooling == "eos" and not after:
        end = vocabulary.specials.get("eos", vocabulary.specials.get("sep"))
        if end is None:
            hint = "Use mean, weighted_mean or last_token"
            raise LexigraftError("the tokenizer has no token that ends a text", "pooling eos", hint)
        after = (end,)
    return before, after


def _batches(ids: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of texts of the same number of tokens; texts without one are left out."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for n, text in enumerate(ids):
        by_length[len(text)].append(n)
    for length, group in sorted(by_length.items()):
        size = max(1, batch_tokens // max(length, 1))
        for start in range(0, len(group) if length else 0, size):
            yield group[start : start + size]


def _states(model: PreTrainedModel, batch: Sequence[Sequence[int]]) -> tuple[torch.Tensor, ...]:
    """Hidden states ``(texts, length, hidden)`` of every layer, the input of the first one first."""
    import torch

    body: Any = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    uncached = {"use_cache": False} if "use_cache" in inspect.signature(body.forward).parameters else {}
    output = body(input_ids=torch.tensor(batch, device=model.device), output_hidden_states=True, **uncached)
    states: tuple[torch.Tensor, ...] | None = getattr(output, "hidden_states", None)
    if not states:
        raise LexigraftError("this model gives no hidden states", type(model).__name__, "Use another evaluator")
    return states


def chosen_layers(count: int, layer: Layer) -> list[int]:
    """The numbers of the layers that are meant.

    Args:
        count: How many hidden states the model gives: its layers, and what the first one reads.
        layer: A layer (negative ones count from the last), the one at two thirds of the depth, or all.

    Raises:
        LexigraftError: No such layer.
    """
    if layer == "all":
        return list(range(count))
    number = round(2 * (count - 1) / 3) if layer == "two_thirds" else layer
    if not -count <= number < count:
        hint = f"Layers are 0 (what the first one reads) to {count - 1}; negative ones count from the last"
        raise LexigraftError("the model has no such layer", layer, hint)
    return [number % count]


def _weights(before: int, own: int, after: int, pooling: Pooling) -> torch.Tensor:
    """The weight of each token, ``(before + own + after,)``."""
    import torch

    length = before + own + after
    if pooling == "weighted_mean":
        return torch.arange(1, length + 1) / (length * (length + 1) / 2)
    weights = torch.zeros(length)
    if pooling == "mean":
        weights[before : before + own] = 1 / own
    else:
        weights[{"last_token": before + own - 1, "eos": length - 1, "cls": 0}[pooling]] = 1
    return weights
