"""A tokenizer with some of its tokens, which are numbered anew in the same order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of, with_description
from lexigraft.core.tokenization.vocabulary import Vocabulary


def with_tokens(vocabulary: Vocabulary, kept: Sequence[int]) -> Vocabulary:
    """The vocabulary with some of its tokens; what a dropped token takes part in goes with it.

    Args:
        vocabulary: The vocabulary, which stays as it is.
        kept: Ids in ascending order, all added tokens among them.

    Returns:
        A vocabulary in which token ``n`` is token ``kept[n]`` of the other.

    Raises:
        LexigraftError: The numbers that the tokens get when the file is read are others.
    """
    described = description_of(vocabulary)
    tokens = [vocabulary.tokens[i] for i in kept]
    ids = {token: n for n, token in enumerate(tokens)}
    model = described["model"]
    if model["type"] == "Unigram":
        unknown = None if model["unk_id"] is None else model["vocab"][model["unk_id"]][0]
        model["vocab"] = [model["vocab"][i] for i in kept if i < len(model["vocab"])]
        model["unk_id"] = None if unknown is None else ids[unknown]
    else:
        model["vocab"] = {token: ids[token] for token in model["vocab"] if token in ids}
    if model["type"] == "BPE":
        prefix = model["continuing_subword_prefix"] or ""
        pairs = ((left, right, left + right.removeprefix(prefix)) for left, right in merges_of(described))
        model["merges"] = [[left, right] for left, right, both in pairs if {left, right, both} <= ids.keys()]
    for token in described["added_tokens"]:
        token["id"] = ids[token["content"]]
    renumber(described["post_processor"], ids)
    pruned = with_description(vocabulary, described)
    if list(pruned.tokens) != tokens:
        wrong = next((t for t, found in zip(tokens, pruned.tokens, strict=False) if t != found), tokens[-1])
        raise LexigraftError(
            "the tokens cannot be numbered anew in the same order", wrong, "An added token has an id among the model's"
        )
    return pruned


def renumber(processor: Any, ids: Mapping[str, int]) -> None:
    """Give the tokens that a described post-processor adds their new ids, in place."""
    kind = processor["type"] if processor else None
    if kind == "Sequence":
        for part in processor["processors"]:
            renumber(part, ids)
    elif kind == "TemplateProcessing":
        for special in processor["special_tokens"].values():
            special["ids"] = [ids[token] for token in special["tokens"]]
    elif kind in ("BertProcessing", "RobertaProcessing"):
        for end in ("cls", "sep"):
            processor[end][1] = ids[processor[end][0]]
