"""Model surgery: new tables, head bias, special ids, and positions that depend on the padding id."""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.tables import Role, names_of, tables_of
from lexigraft.core.tokenization.encodable import check_encodes
from lexigraft.core.tokenization.post_processing import check_post_processor
from lexigraft.core.tokenization.special_tokens import match_specials
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


def reshape(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> None:
    """Resize a model's tables to another vocabulary, with undefined content, and adapt everything that depends on it.

    That is: ties, special ids, and positions that depend on the padding id. Works on the meta device too.

    Args:
        model: The model of the body that the rows belong to.
        before: The model's old vocabulary.
        after: Its new vocabulary.

    Raises:
        LexigraftError: More than its tables changes with the vocabulary, or its class cannot be resized.
    """
    old = tables_of(model)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if Role.OUTPUT in old.by_role:
        model.config.tie_word_embeddings = False
        model.config.get_text_config().tie_word_embeddings = False
    try:
        model.resize_token_embeddings(after.size, mean_resizing=False)
    except (TypeError, NotImplementedError) as error:  # some classes override the method
        raise LexigraftError(
            "model class does not take another vocabulary size", type(model).__name__, str(error)
        ) from error
    new = tables_of(model)
    if new.tied != old.tied or set(new.by_role) != set(old.by_role):
        raise RuntimeError(
            f"{type(model).__name__} changed its tables on resizing: {set(old.by_role)} to {set(new.by_role)}"
        )
    known = {name for table in new.by_role.values() for name in names_of(model, table)}
    # The old padding id may be beyond the new tables, the new one beyond the old positions; no shape hangs on it.
    longer = _rebuilt(model, vocab_size=after.size + 1, pad_token_id=0).state_dict()
    sizes = {after.size, after.size + 1}  # the first where the class takes the size from elsewhere
    changed = [
        name
        for name, tensor in model.state_dict().items()
        if (
            len(longer.get(name, tensor)) not in sizes
            if name in known
            else tensor.shape != shapes.get(name) or tensor.shape != longer.get(name, tensor).shape
        )
    ]
    if changed:
        raise LexigraftError(
            "model has tensors that hang on the vocabulary's size in a way of its own",
            f"{', '.join(changed)} of {type(model).__name__}",
            "This architecture cannot be grafted",
        )
    _move_positions(model, after.specials.get("pad"))
    set_special_ids(model, before, after)


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
                f"{type(module).__name__} with padding at {module.padding_idx}, {pad} in the target tokenizer",
                f"Give a target tokenizer whose padding token has id {module.padding_idx}",
            )
        if stored:
            moving[f"{place}.weight"] = MovingPositions(module, table, int(module.padding_idx), pad)
    return moving


def _readers(model: PreTrainedModel, pad: int) -> dict[str, Any]:
    """Modules by name that read another padding id than the new one in their forward pass."""
    return {name: m for name, m in model.named_modules() if _reads_padding(m) and m.padding_idx not in (None, pad)}


def _reads_padding(module: torch.nn.Module) -> bool:
    """Whether a module's own forward pass, not that of one of torch's, reads ``self.padding_idx``."""
    forward = inspect.unwrap(type(module).forward)
    own = not forward.__module__.startswith("torch.")
    return own and hasattr(module, "padding_idx") and "padding_idx" in forward.__code__.co_names


def _rebuilt(model: PreTrainedModel, **changes: int) -> PreTrainedModel:
    """A new model of the same class on the meta device, whose configuration has other values."""
    import torch

    config = copy.deepcopy(model.config)
    for part in (config, config.get_text_config()):
        for key, value in changes.items():
            setattr(part, key, value)
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


_ID_FIELDS = ("bos", "eos", "pad", "unk", "sep", "cls", "mask")
_MAPPED_FIELDS = ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id")
_LIST_FIELDS = ("suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "forced_decoder_ids")


def set_special_ids(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> None:
    """Set every special id in the configuration and the generation configuration to the new vocabulary's.

    An id, or a list of ids, becomes the id of the token that took the old one's place. Generation settings that are a
    file of their own get no id that they did not have.
    """
    new_of = _new_ids(before, after)
    configs: list[Any] = [model.config, model.config.get_text_config()]
    if (generation := getattr(model, "generation_config", None)) is not None:
        configs.append(generation)
    for config in {id(config): config for config in configs}.values():
        own_file = config is generation and not getattr(config, "_from_model_config", False)
        _set_ids(config, before, after, new_of, fill=not own_file)
    for module in model.modules():
        # Some modules keep ids that they took from the configuration when they were made (ESM, XLM).
        for role in _ID_FIELDS:
            for field in (f"{role}_token_id", f"{role}_index"):
                if isinstance(vars(module).get(field), int) and role in after.specials:
                    setattr(module, field, after.specials[role])


def _new_ids(before: Vocabulary, after: Vocabulary) -> dict[int, int]:
    """The new id of every old token that keeps its string or its special role."""
    new_of = {}
    if before.family is after.family:
        new_of = {i: new for i, token in enumerate(before.tokens) if token and (new := after.id_of(token)) is not None}
    # Several new tokens may match one old token; the best match comes first.
    return new_of | {s: t for t, s in reversed(match_specials(before, after).items())}


def _set_ids(config: Any, before: Vocabulary, after: Vocabulary, new_of: dict[int, int], *, fill: bool) -> None:
    for role in _ID_FIELDS:
        field = f"{role}_token_id"
        old = getattr(config, field, None)
        # Bodies reckon with the padding id and its kin in their configuration: there they are the tokenizer's own.
        if old is not None and (role in ("bos", "eos") or not fill):
            setattr(config, field, _mapped(old, before.specials.get(role), after.specials.get(role), new_of))
        elif fill and (hasattr(config, field) or role in ("bos", "eos", "pad")):
            setattr(config, field, after.specials.get(role))
        if hasattr(config, f"{role}_index") and role in after.specials:
            setattr(config, f"{role}_index", after.specials[role])
    for field in _MAPPED_FIELDS:
        old = getattr(config, field, None)
        if old is not None:
            role = "pad" if field.startswith("decoder") else field.split("_")[1]
            setattr(config, field, _mapped(old, None, after.specials.get(role), new_of))
    for field in _LIST_FIELDS:
        old = getattr(config, field, None)
        if old is not None:
            setattr(config, field, _all_mapped(field, old, new_of) or None)


def _mapped(old: Any, own: int | None, default: int | None, new_of: Mapping[int, int]) -> Any:
    """The new id for an old one, the role's new id for the role's old one; lists stay lists."""
    if isinstance(old, list):
        ids = [_mapped(i, own, None, new_of) for i in old]
        return list(dict.fromkeys(i for i in ids if i is not None)) or default
    if old == own and default is not None:
        return default
    return new_of.get(old, default)


def _all_mapped(field: str, old: list[Any], new_of: Mapping[int, int]) -> list[Any]:
    """The entries all of whose tokens are in the new vocabulary, with their new ids."""
    if field == "bad_words_ids":
        return [[new_of[i] for i in word] for word in old if all(i in new_of for i in word)]
    if field == "forced_decoder_ids":
        return [[place, new_of.get(i)] for place, i in old if i is None or i in new_of]
    return [new_of[i] for i in old if i in new_of]


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
            "Add unk_token, or train it with byte fallback",
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
