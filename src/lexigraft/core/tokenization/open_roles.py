"""Roles of special tokens that a tokenizer's files leave open."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lexigraft.core.tokenization.special_tokens import ROLES
from lexigraft.core.tokenization.surface import component

_USUAL_STRINGS = {
    "bos": (
        "<s>", "<|begin_of_text|>", "<bos>", "<|bos|>", "[BOS]", "<BOS_TOKEN>", "<｜begin▁of▁sentence｜>",
        "<|startoftext|>", "<|endoftext|>", "<EOT>",
    ),
    "eos": (
        "</s>", "<|end_of_text|>", "<eos>", "<|eos|>", "[EOS]", "<|END_OF_TURN_TOKEN|>", "<EOS_TOKEN>",
        "<｜end▁of▁sentence｜>", "<|endoftext|>", "<EOT>",
    ),
    "unk": ("<unk>", "[UNK]", "<|unk|>", "<UNK>"),
    "sep": ("[SEP]", "<SEP>"),
    "cls": ("[CLS]", "<CLS>"),
    "mask": ("<mask>", "[MASK]", "<|mask|>", "<MASK_TOKEN>"),
    "pad": ("<pad>", "[PAD]", "<|pad|>", "<|padding|>", "<PAD>", "<｜▁pad▁｜>"),
}  # fmt: skip


def special_strings(backend: Any) -> set[str]:
    """The tokens of a ``tokenizers.Tokenizer`` that it calls special itself, its model's unknown token among them."""
    special = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    unknown = unknown_string(backend)
    return special | ({unknown} if unknown is not None else set())


def unknown_string(backend: Any) -> str | None:
    """The token that the model of a ``tokenizers.Tokenizer`` gives for what it cannot spell."""
    if type(backend.model).__name__ == "Unigram":
        unk_id = component(backend.model)["unk_id"]
        return None if unk_id is None else str(backend.id_to_token(unk_id))
    unknown = getattr(backend.model, "unk_token", None)
    return None if unknown is None else str(unknown)


def usual_roles(special: Collection[str]) -> dict[str, str]:
    """The string of each role under one of its usual names, among special tokens only: ``<s>`` may be ordinary text."""
    found = {role: next((s for s in strings if s in special), None) for role, strings in _USUAL_STRINGS.items()}
    return {role: string for role, string in found.items() if string is not None}


def unnamed_roles(folder: Path, special: Collection[str]) -> dict[str, str]:
    """The roles that the configuration of a tokenizer folder leaves open, as transformers fills them.

    The defaults of the tokenizer's class count, as far as they are special tokens of the file; where the configuration
    names no role at all and no class has a default, the usual names.

    Args:
        folder: A folder with ``tokenizer_config.json``, ``special_tokens_map.json`` or ``config.json``.
        special: The tokens that the tokenizer calls special.
    """
    names = ("config.json", "special_tokens_map.json", "tokenizer_config.json")
    model, roles_file, tokenizer = (_json_object(folder / name) for name in names)
    named = {role for role in ROLES if f"{role}_token" in roles_file | tokenizer}
    class_name = tokenizer.get("tokenizer_class") or model.get("tokenizer_class")
    defaults = _defaults_of_class(class_name, model.get("model_type"))
    found = {role: string for role, string in defaults.items() if string in special}
    if not found and not named:
        found = usual_roles(special)
    return {role: string for role, string in found.items() if role not in named}


def _json_object(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _defaults_of_class(class_name: str | None, model_type: str | None) -> dict[str, str]:
    from transformers.models.auto import tokenization_auto

    name = class_name or tokenization_auto.TOKENIZER_MAPPING_NAMES.get(model_type)
    kind = tokenization_auto.tokenizer_class_from_name(name) if name else None
    parameters = inspect.signature(kind.__init__).parameters if kind else {}
    given = {role: parameters[f"{role}_token"].default for role in ROLES if f"{role}_token" in parameters}
    return {role: str(default) for role, default in given.items() if default not in (None, inspect.Parameter.empty)}
