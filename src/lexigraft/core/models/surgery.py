"""Model surgery: new tables, head bias, and positions that depend on the padding id."""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.tables import Role, names_by_role, tables_of
from lexigraft.core.models.token_ids import set_token_ids
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.unknown_token_check import check_encodes
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
    if any(_reads(module, "tie_word_embeddings") for module in model.modules()):
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
    known = {name: role for role, names in names_by_role(model).items() for name in names}
    known |= dict.fromkeys(second_biases(model), Role.BIAS)
    longer = _longer(model, len(old.by_role[Role.INPUT]), after.size).state_dict()
    sizes = {after.size, after.size + 1}  # the first where the class takes the size from elsewhere
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
    _refuse_shared_padding(model, before, after)
    _move_positions(model, after.specials.get("pad"))
    return set_token_ids(model, before, after)


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


@dataclass(frozen=True)
class MovingPositions:
    """A table of positions that follows the padding id, which changes.

    Attributes:
        reader: The module that counts positions from its ``padding_idx``.
        table: The module with the table: an embedding of the reader, or the reader itself.
        old: The old padding id.
        new: The new one.
    """

    reader: Any
    table: Any
    old: int
    new: int


def positions_that_move(model: PreTrainedModel, pad: int | None) -> dict[str, MovingPositions]:
    """Position tables that must move because they depend on the padding id, which changes.

    RoBERTa-like bodies number positions from ``padding id + 1``; with another padding id every token would silently
    read another position's embedding, so the position table moves along. A body is found by what its class does: a
    forward pass reads ``self.padding_idx``.

    Args:
        model: The model.
        pad: The new padding id.

    Returns:
        What moves, by name of the position table's weight.

    Raises:
        LexigraftError: A position table depends on the padding id and cannot move: the class makes its values itself,
            or counts from an id of its own.
    """
    if pad is None or not (readers := _readers(model, pad)):
        return {}
    # An id beyond the tables of tokens and of positions would be refused.
    long_enough = {
        field: max(size, pad + 2)
        for field in ("vocab_size", "max_position_embeddings")
        if (size := getattr(model.config, field, None)) is not None
    }
    rebuilt = _rebuilt(model, pad_token_id=pad, **long_enough)
    fresh = {name: getattr(module, "padding_idx", None) for name, module in rebuilt.named_modules()}
    made = re.compile("|".join(model._keys_to_ignore_on_load_missing or ()) or r"(?!)")
    moving = {}
    for name, module in readers.items():
        inner = getattr(module, "position_embeddings", None)
        table, place = (module, name) if inner is None else (inner, f"{name}.position_embeddings")
        stored = f"{place}.weight" in dict(model.named_parameters(remove_duplicate=False))
        own_values = not stored and any(b.is_floating_point() for b in module.buffers(recurse=False))
        if own_values or (stored and made.search(f"{place}.weight")) or fresh[name] != pad:
            raise LexigraftError(
                "this body's positions hang on the id of its padding token",
                f"{type(model).__name__} ({type(module).__name__}) with padding at {module.padding_idx}, "
                f"{pad} in the target tokenizer",
                f"Give a target tokenizer whose padding token has id {module.padding_idx}",
            )
        if stored:
            moving[f"{place}.weight"] = MovingPositions(module, table, int(module.padding_idx), pad)
    return moving


def _refuse_shared_padding(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> None:
    """Refuse a padding token that is another role's too, where the body gives padding no position.

    The other role's token, such as the end of every text, would lose its position.
    """
    shared = _roles_of_padding(after) - _roles_of_padding(before)
    reader = next((m for m in model.modules() if _reads_padding(m) and m.padding_idx is not None), None)
    if shared and reader is not None:
        raise LexigraftError(
            "this body's positions hang on the id of its padding token, which is another token too",
            f"{type(model).__name__} ({type(reader).__name__}): pad is {', '.join(sorted(shared))}",
            "Give the target tokenizer a padding token of its own",
        )


def _roles_of_padding(vocabulary: Vocabulary) -> set[str]:
    """The other roles of the padding token."""
    pad = vocabulary.specials.get("pad")
    return {role for role, i in vocabulary.specials.items() if i == pad and role != "pad"}


def _readers(model: PreTrainedModel, pad: int) -> dict[str, Any]:
    """Modules by name that read another padding id than the new one in their forward pass."""
    return {name: m for name, m in model.named_modules() if _reads_padding(m) and m.padding_idx not in (None, pad)}


def _reads_padding(module: torch.nn.Module) -> bool:
    return hasattr(module, "padding_idx") and _reads(module, "padding_idx")


def _reads(module: torch.nn.Module, attribute: str) -> bool:
    """Whether a module's own forward pass, not that of one of torch's, reads an attribute of this name."""
    forward = inspect.unwrap(type(module).forward)
    return not forward.__module__.startswith("torch.") and attribute in forward.__code__.co_names


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
    return _made(model, config)


def _rebuilt(model: PreTrainedModel, **changes: int) -> PreTrainedModel:
    """A new model of the same class on the meta device, whose configuration has other values."""
    config = copy.deepcopy(model.config)
    for part in (config, config.get_text_config()):
        for key, value in changes.items():
            setattr(part, key, value)
    return _made(model, config)


def _made(model: PreTrainedModel, config: Any) -> PreTrainedModel:
    """A model of the same class on the meta device."""
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the class gave them when the model itself was made
        fresh: PreTrainedModel = type(model)(config)
    return fresh


def moved_positions(table: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """A position table whose used rows, the padding token's first, begin at another id: ``(new + used, hidden)``."""
    import torch

    return torch.cat([table.new_zeros(new, table.shape[1]), table[old:]])


def _move_positions(model: PreTrainedModel, pad: int | None) -> None:
    import torch

    for moving in positions_that_move(model, pad).values():
        module, table = moving.reader, moving.table
        weight = moved_positions(table.weight.detach(), moving.old, moving.new)
        table.weight = torch.nn.Parameter(weight, requires_grad=table.weight.requires_grad)
        table.num_embeddings = length = len(weight)
        table.padding_idx = module.padding_idx = moving.new
        model.config.max_position_embeddings = length
        if hasattr(module, "max_length"):
            module.max_length = length
        for name in ("position_ids", "token_type_ids"):
            buffer = getattr(module, name, None)
            if buffer is not None:
                content = torch.arange(length).expand(1, -1) if name == "position_ids" else buffer.new_zeros(1, length)
                module.register_buffer(name, content.clone(), persistent=False)
    # Those without a table of positions, such as a rotary body's.
    for module in _readers(model, pad).values() if pad is not None else ():
        module.padding_idx = pad


def check_usable(vocabulary: Vocabulary) -> None:
    """Refuse a target tokenizer that cannot encode every text, cannot pad, or adds ids of another vocabulary.

    Raises:
        LexigraftError: No unknown token although some bytes have no token, or none that its model knows; no padding
            token; a stale post-processor.
    """
    check_encodes(vocabulary)
    check_post_processor(vocabulary)
    if "unk" not in vocabulary.specials and not vocabulary.byte_complete:
        raise LexigraftError(
            "target tokenizer has no unknown token",
            vocabulary.family.value,
            "Add unk_token, or train it with a token for each of the 256 bytes",
        )
    if "pad" not in vocabulary.specials:
        if "eos" not in vocabulary.specials:
            raise LexigraftError(
                "target tokenizer has no padding token", vocabulary.family.value, "Add pad_token to it"
            )
        raise LexigraftError(
            "target tokenizer has no padding token",
            f"eos is {vocabulary.tokens[vocabulary.specials['eos']]}",
            "Set pad_token (its end token will do: tokenizer.pad_token = tokenizer.eos_token) and save it again",
        )
