"""Replacement of a model's embedding tables by tables of another size."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.model_class import forward_reads, new_on_meta
from lexigraft.core.models.padding_positions import move_positions, refuse_shared_padding
from lexigraft.core.models.tables import Role, names_by_role, tables_of
from lexigraft.core.models.token_ids import set_token_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def install(model: PreTrainedModel, tables: Mapping[Role, torch.Tensor], before: Vocabulary, after: Vocabulary) -> None:
    """Give a model new tables in place; tied tables stay tied, rows are stored in the model's own dtype.

    Args:
        model: The model of the body that the rows belong to.
        tables: Finished tables by role, ``(after, hidden)``; ``(after,)`` for the bias.
        before: The model's old vocabulary.
        after: Its new vocabulary.

    Raises:
        LexigraftError: As :func:`reshape`.
    """
    import torch

    reshape(model, before, after)
    with torch.no_grad():
        for role, table in tables_of(model).by_role.items():
            if table.shape != tables[role].shape:
                raise RuntimeError(f"{role} table is {tuple(table.shape)}, rows are {tuple(tables[role].shape)}")
            table.copy_(tables[role].to(table.dtype))
        for name in second_biases(model):
            model.get_parameter(name).copy_(tables[Role.BIAS])


def reshape(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> tuple[str, ...]:
    """Resize a model's tables to another vocabulary, with undefined content, and adapt everything that depends on it.

    That is: ties, token ids, and positions that depend on the padding id. Works on the meta device too.

    Args:
        model: The model of the body that the rows belong to.
        before: The model's old vocabulary.
        after: Its new vocabulary.

    Returns:
        Sentences for the user, as :func:`set_token_ids`.

    Raises:
        LexigraftError: More than its tables changes with the vocabulary, its class cannot be resized, or the body works
            with a token that the new vocabulary lacks.
    """
    if getattr(model.config, "share_encoder_decoder_embeddings", True) is False:
        raise LexigraftError(
            f"the encoder and the decoder of {type(model).__name__} have a vocabulary of their own each",
            "share_encoder_decoder_embeddings is false",
            "Give a model whose two sides share one vocabulary",
        )
    try:
        model.config.get_text_config()
    except ValueError:  # MusicGen: the texts that it reads and the sound that it writes
        raise LexigraftError(
            "model has several vocabularies", type(model).__name__, "This architecture cannot be grafted"
        ) from None
    old = tables_of(model)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    configs = [model.config, model.config.get_text_config()]
    said = [getattr(config, "tie_word_embeddings", None) for config in configs]
    if Role.OUTPUT in old.by_role:
        for config in configs:
            config.tie_word_embeddings = False
    _resize(model, after.size)
    if any(forward_reads(module, "tie_word_embeddings") for module in model.modules()):
        # UMT5 scales its logits where the configuration says "tied", whatever the checkpoint holds.
        for config, tied in zip(configs, said, strict=True):
            config.tie_word_embeddings = tied
    if Role.OUTPUT in old.by_role:
        _split_biases(model)
    new = tables_of(model)
    if new.tied != old.tied or set(new.by_role) != set(old.by_role):
        raise LexigraftError(
            "model class changes its tables when it is resized",
            f"{type(model).__name__}: {', '.join(sorted(old.by_role))} become {', '.join(sorted(new.by_role))}",
            "This architecture cannot be grafted",
        )
    _refuse_other_changes(model, shapes, len(old.by_role[Role.INPUT]), after.size)
    refuse_shared_padding(model, before, after)
    move_positions(model, after.specials.get("pad"))
    return set_token_ids(model, before, after)


def _refuse_other_changes(model: PreTrainedModel, shapes: Mapping[str, torch.Size], before: int, after: int) -> None:
    """Refuse a resized model of which more than the tables depends on the vocabulary's size.

    Args:
        model: The model, resized.
        shapes: The shapes of its tensors before.
        before: Rows of its tables before.
        after: Rows of its tables.

    Raises:
        LexigraftError: Such a model.
    """
    known = {name: role for role, names in names_by_role(model).items() for name in names}
    known |= dict.fromkeys(second_biases(model), Role.BIAS)
    longer = _longer(model, before, after).state_dict()
    sizes = {after, after + 1}  # the first where the class takes the size from elsewhere
    changed = [
        name
        for name, tensor in model.state_dict().items()
        if (
            longer.get(name, tensor).shape[-1 if known[name] is Role.BIAS else 0] not in sizes
            if name in known
            else tensor.shape != shapes.get(name) or tensor.shape != longer.get(name, tensor).shape
        )
    ]
    if changed:
        raise LexigraftError(
            "model has other tensors whose shape depends on the vocabulary's size",
            f"{', '.join(changed)} of {type(model).__name__}",
            "This architecture cannot be grafted",
        )


_MEANS = (
    "_init_added_embeddings_weights_with_mean",
    "_init_added_lm_head_weights_with_mean",
    "_init_added_lm_head_bias_with_mean",
)


def _resize(model: PreTrainedModel, size: int) -> None:
    """Resize a model's tables with undefined content."""
    # Marian's class resizes to means whatever it is told, and on the meta device there are none.
    for name in _MEANS:
        setattr(model, name, lambda *_args: None)
    try:
        model.resize_token_embeddings(size, mean_resizing=False)
    except (TypeError, NotImplementedError) as error:  # some classes override the method
        raise LexigraftError(
            "model class does not take another vocabulary size", type(model).__name__, str(error)
        ) from error
    finally:
        for name in _MEANS:
            delattr(model, name)


def second_biases(model: PreTrainedModel) -> list[str]:
    """Names of a second bias of the head, which nothing reads: its class ties it to the first where tables are tied."""
    names = set(names_by_role(model).get(Role.BIAS, []))
    return [name for pair in (model._tied_weights_keys or {}).items() if names & set(pair) for name in {*pair} - names]


def _split_biases(model: PreTrainedModel) -> None:
    """Give an untied head's second bias a parameter of its own again, as long as the first.

    On resizing, RoBERTa's keeps the old length and BERT's becomes one with the first; a checkpoint needs both.
    """
    import torch

    head: Any = model.get_output_embeddings()
    bias = getattr(head, "bias", None)
    if bias is None:
        return
    head.bias = torch.nn.Parameter(torch.empty_like(bias), requires_grad=bias.requires_grad)
    for name in second_biases(model):
        owner, _, attribute = name.rpartition(".")
        second = torch.nn.Parameter(torch.empty_like(bias), requires_grad=bias.requires_grad)
        setattr(model.get_submodule(owner), attribute, second)


def _longer(model: PreTrainedModel, before: int, after: int) -> PreTrainedModel:
    """The model with one token more than ``after``, in every table that its configuration gives a vocabulary's size.

    Gemma 3n and 4 have tables for each layer with a size of their own, T5Gemma an encoder with a vocabulary of the
    decoder's size.
    """
    config = copy.deepcopy(model.config)
    main = (config, config.get_text_config())
    parts = [config, *(inner for inner in vars(config).values() if hasattr(inner, "get_text_config"))]
    for part in {id(part): part for part in (*main, *parts)}.values():
        own = any(part is one for one in main)
        for key in [key for key in vars(part) if key.startswith("vocab_size")]:
            if own or getattr(part, key) in (before, after):
                setattr(part, key, after + 1)
    for part in main:
        part.vocab_size = after + 1
        # The old padding id may be beyond the new tables, the new one beyond the old positions; it changes no shape.
        part.pad_token_id = 0
    return new_on_meta(model, config)
