"""Token ids in configurations, mapped to another vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.pooled_token import name_pooled_token
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.special_tokens import ROLES, match_specials
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_GENERATION_FIELDS = (
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
    "sequence_bias",
    "forced_decoder_ids",
)
_ROLE_FIELDS = {f"{role}_{ending}": role for role in ROLES for ending in ("token_id", "index")}
_ID_FIELD = re.compile(r"token_(ids?|index|indices)$|(^|_)(start|end|newline)_id$|^vocabulary_map$|_to_id$")
_PLACEHOLDER = re.compile(r"^(image|video|audio)_token_(id|index)$")
_SHOWN = 5


def set_token_ids(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> tuple[str, ...]:
    """Set every token id in the configuration and the generation settings to the new vocabulary's.

    An id becomes the id of the token that took the old one's place, wherever a field's name says that it holds one; a
    role's id becomes the role's. Generation settings that are a file of their own get no id that they did not have.
    Nested configurations count where they have no vocabulary of their own; T5Gemma's encoder has the decoder's.

    Returns:
        A sentence for each generation setting that loses tokens, because they have no place in the new vocabulary.

    Raises:
        LexigraftError: The body itself works with a token, such as that of an image, that the new vocabulary lacks; or
            as :func:`name_pooled_token`.
    """
    if before.hash != after.hash:
        name_pooled_token(model, before, after)
    configs = list(_configurations(model.config))
    needed, steering = _NewIds(before, after), _NewIds(before, after)
    new_values = [(c, f, needed.mapped(f, getattr(c, f))) for c in configs for f in _other_fields(c)]
    if needed.lost:
        raise LexigraftError(
            f"the configuration of {type(model).__name__} names tokens that the target tokenizer lacks",
            ", ".join(f"{field} {needed.named(*old)}" for field, old in needed.lost.items()),
            "Add them to the target tokenizer as special tokens, spelled as in the source tokenizer",
        )
    for config, field, new in new_values:
        if _PLACEHOLDER.search(field) and _is_one_token(before, getattr(config, field)):
            _refuse_split(field, new, after)
    _set_in_modules(model, [(f, getattr(c, f), new) for c, f, new in new_values], after)
    for config, field, new in new_values:
        setattr(config, field, new)
    for config in configs:
        if config is model.config or getattr(config, "vocab_size", None) is not None:
            _set_roles(config, steering, fill=True)
        _set_generation_fields(config, steering)
    if (generation := getattr(model, "generation_config", None)) is not None:
        _set_roles(generation, steering, fill=getattr(generation, "_from_model_config", False))
        _set_generation_fields(generation, steering)
        for field in _other_fields(generation):
            setattr(generation, field, steering.mapped(field, getattr(generation, field)))
    return tuple(
        f"generation setting {field}: the new vocabulary has no place for {steering.named(*old)}"
        for field, old in steering.lost.items()
    )


def _is_one_token(vocabulary: Vocabulary, i: Any) -> bool:
    """Whether text that holds a token's string gives the token."""
    if not isinstance(i, int) or not 0 <= i < vocabulary.size:
        return False
    ids: list[int] = vocabulary.tokenizer.encode(vocabulary.tokens[i], add_special_tokens=False)
    return ids == [i]


def _refuse_split(field: str, new: int, after: Vocabulary) -> None:
    """Refuse a token in whose place an image stands, if the tokenizer splits its string."""
    if not _is_one_token(after, new):
        hint = "Make it a special token of that tokenizer"
        raise LexigraftError(f"the target tokenizer splits the token of {field}", after.tokens[new], hint)


class _NewIds:
    """The new ids of old tokens.

    Attributes:
        before: The old vocabulary.
        after: The new one.
        lost: By field, the old ids that were asked for and have no place in the new vocabulary, each once.
    """

    def __init__(self, before: Vocabulary, after: Vocabulary) -> None:
        self.before, self.after = before, after
        self.lost: dict[str, dict[int, None]] = {}

    @cached_property
    def _known(self) -> Mapping[int, int]:
        """By the same string, or by role."""
        known = {}
        if self.before.family is self.after.family:
            tokens, id_of = self.before.tokens, self.after.id_of
            known = {i: new for i, token in enumerate(tokens) if token and (new := id_of(token)) is not None}
        # Several new tokens may match one old token; the best match comes first.
        return known | {s: t for t, s in reversed(match_specials(self.before, self.after).items())}

    @cached_property
    def _matched(self) -> Mapping[int, int]:
        """By bytes: a longer search, only for what has neither the same string nor a role."""
        found = align(self.before, self.after)
        return {int(found.source_ids[t]): int(t) for t in found.matched[::-1]}

    def get(self, old: int) -> int | None:
        """The new id of an old one; ``None`` where the token has no place."""
        new = self._known.get(old)
        return self._matched.get(old) if new is None else new

    def of(self, field: str, old: int) -> int | None:
        """As :meth:`get`, but a loss is remembered, and an id that is no token in either vocabulary stays."""
        if old < 0 or old >= max(self.before.size, self.after.size):
            return old
        if (new := self.get(old)) is None:
            self.lost.setdefault(field, {})[old] = None
        return new

    def mapped(self, field: str, old: Any) -> Any:
        """A value with new ids for old ones: an id, or what remains of a list, or of a dictionary of them."""
        if isinstance(old, dict):
            return {key: new for key, i in old.items() if (new := self.mapped(field, i)) is not None}
        if isinstance(old, list | tuple):
            return list(dict.fromkeys(new for i in old if (new := self.mapped(field, i)) is not None))
        return self.of(field, old) if isinstance(old, int) and not isinstance(old, bool) else old

    def all_of(self, field: str, old: Iterable[int]) -> list[int] | None:
        """The new ids of a sequence, if all of its tokens have a place."""
        new = [self.of(field, i) for i in old]
        return None if None in new else [i for i in new if i is not None]

    def named(self, *old: int) -> str:
        """Old ids with their tokens, for people."""
        shown = [f"{i} ({self.before.tokens[i]})" if i < self.before.size else str(i) for i in old[:_SHOWN]]
        return ", ".join(shown) + (f" and {len(old) - _SHOWN} more" if len(old) > _SHOWN else "")


def _configurations(config: Any) -> Iterator[Any]:
    """A configuration and those in it that speak of the same vocabulary: of its size, or without one of their own."""
    text = config.get_text_config()
    size = getattr(text, "vocab_size", None)
    yield config
    for inner in vars(config).values():
        if hasattr(inner, "get_text_config") and (
            inner.get_text_config() is text or getattr(inner, "vocab_size", None) in (None, size)
        ):
            yield from _configurations(inner)


def holds_ids(field: str) -> bool:
    """Whether a field of a configuration or of generation settings holds token ids."""
    return field in _ROLE_FIELDS or field in _GENERATION_FIELDS or _ID_FIELD.search(field) is not None


def _other_fields(config: Any) -> list[str]:
    """The fields that hold token ids, but for the roles' and those of generation."""
    known = {*_ROLE_FIELDS, *_GENERATION_FIELDS}
    return [field for field in vars(config) if holds_ids(field) and field not in known]


def _set_roles(config: Any, ids: _NewIds, *, fill: bool) -> None:
    old_roles, roles = ids.before.specials, ids.after.specials
    for role in ROLES:
        field = f"{role}_token_id"
        old = getattr(config, field, None)
        # Bodies reckon with the padding id and its kin in their configuration: there they are the tokenizer's own.
        if old is not None and (role in ("bos", "eos") or not fill):
            setattr(config, field, _new_role(ids, field, old, old_roles.get(role), roles.get(role)))
        elif fill and (hasattr(config, field) or role in ("bos", "eos", "pad")):
            setattr(config, field, roles.get(role))
        if hasattr(config, f"{role}_index") and role in roles:
            setattr(config, f"{role}_index", roles[role])


def _new_role(ids: _NewIds, field: str, old: Any, own: int | None, default: int | None) -> Any:
    """The role's new id for its old one, the new id for any other; lists stay lists."""
    if isinstance(old, list):
        return ids.mapped(field, old) or default
    return default if old == own and default is not None else _or(ids.get(old), default)


def _set_generation_fields(config: Any, ids: _NewIds) -> None:
    for field in _GENERATION_FIELDS:
        if (old := getattr(config, field, None)) is not None:
            try:
                new = _new_setting(ids, field, old)
            except (TypeError, ValueError) as error:
                raise LexigraftError(f"generation setting {field} is malformed", old, str(error)) from None
            setattr(config, field, new)


def _new_setting(ids: _NewIds, field: str, old: Any) -> Any:
    if field == "decoder_start_token_id":
        return _or(ids.mapped(field, old), ids.after.specials.get("pad"))
    if field == "forced_decoder_ids":
        pairs = [(place, i, None if i is None else ids.of(field, i)) for place, i in old]
        return [[place, new] for place, i, new in pairs if i is None or new is not None] or None
    if field == "bad_words_ids":
        return [word for word in (ids.all_of(field, word) for word in old) if word] or None
    if field == "sequence_bias":
        words = [(ids.all_of(field, word), bias) for word, bias in (old.items() if isinstance(old, dict) else old)]
        return [[word, bias] for word, bias in words if word] or None
    new = ids.mapped(field, old)
    return None if new == [] else new


def _or(found: int | None, default: int | None) -> int | None:
    return default if found is None else found


def _set_in_modules(model: PreTrainedModel, changes: list[tuple[str, Any, Any]], after: Vocabulary) -> None:
    """Set the ids that some modules took from the configuration when they were made (ESM, XLM, Idefics)."""
    for module in model.modules():
        own = vars(module)
        for field, role in _ROLE_FIELDS.items():
            if isinstance(own.get(field), int) and role in after.specials:
                setattr(module, field, after.specials[role])
        for field, old, new in changes:
            if field in own and own[field] == old:
                setattr(module, field, new)
