"""Saving of tokenizers so that plain ``AutoTokenizer`` reads the ids that were meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.special_tokens import roles_of

PROBES = (
    "The house by the river, 12345 miles away. Don't stop!",
    "  two  spaces and the end ",
    "\tif x == 10:\n        return 'naïve ﬁ Ünïcödé'\n\n",
    "wasi runakuna llaqtamanta 3.14 puñuy ñawi ŋ ɓaa",
    "Быстрая лиса прыгает 2024 раза.",
    "中文和日本語のテキスト、한국어 문장",
    "नमस्ते दुनिया कर्मभूमि १२३",
    "مرحبا بالعالم שלום עולם ሰላም",
    "👩‍🚀 e\u0301 \u200bx\u00a0y",
)
"""Lines of several scripts, with digits, white space at the edges, code, marks and emoji."""

_CONFIG, _MODULE = "tokenizer_config.json", "plain_tokenizer"
_HOW_READ = ("is_local", "local_files_only")
"""What transformers notes about how it read a tokenizer: the same one, read offline, would be another content."""
_CODE = '''"""The class of this folder's tokenizer: tokenizer.json as it stands."""

from transformers import PreTrainedTokenizerFast


class PlainTokenizer(PreTrainedTokenizerFast):
    pass
'''


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save a tokenizer; what ``AutoTokenizer`` needs to read it as it stands is written with it.

    The name of a class is one that transformers 4 knows too. Where the configuration of a model in the folder makes
    transformers rebuild the tokenizer by rules of its own, which gives other ids, the folder names its own class
    (``auto_map``); transformers then reads ``tokenizer.json`` whether or not it may run the folder's code.

    Args:
        tokenizer: The transformers tokenizer.
        folder: The folder, with the model's ``config.json`` in it, if there is a model.

    Raises:
        LexigraftError: The folder gives other ids or other text whatever is written.
    """
    tokenizer.save_pretrained(folder)
    found = ""
    for write in (_name_class, _name_plain_class, _name_own_class):
        _rewrite_config(folder, write)
        found = _difference(tokenizer, folder)
        if not found:
            return
        if write is _name_plain_class:
            (folder / f"{_MODULE}.py").write_text(_CODE, encoding="utf-8")
    raise LexigraftError(
        "the saved tokenizer is not read as it was meant",
        found,
        "transformers reads it by other rules than its tokenizer.json; save it as PreTrainedTokenizerFast",
    )


def _rewrite_config(folder: Path, write: Callable[[dict[str, Any]], None]) -> None:
    path = folder / _CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    # The key of transformers 4, which 5 reads too; 4 expects a dictionary under the new one.
    if isinstance(config.get("extra_special_tokens"), list):
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    for name in _HOW_READ:
        config.pop(name, None)
    write(config)
    path.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _name_class(config: dict[str, Any]) -> None:
    if config.get("tokenizer_class") == "TokenizersBackend":  # unknown to transformers 4
        _name_plain_class(config)


def _name_plain_class(config: dict[str, Any]) -> None:
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("auto_map", None)


def _name_own_class(config: dict[str, Any]) -> None:
    _name_plain_class(config)
    config["auto_map"] = {"AutoTokenizer": [None, f"{_MODULE}.PlainTokenizer"]}


def _difference(tokenizer: Any, folder: Path) -> str:
    """The first probe that plain ``AutoTokenizer`` or ``tokenizers`` encodes or decodes otherwise; else nothing."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    try:
        plain = AutoTokenizer.from_pretrained(str(folder))
    except Exception as error:  # a class that rebuilds the tokenizer may fail on it in any way
        return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
    bare = Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend = tokenizer.backend_tokenizer
    if (roles_of(plain), len(plain)) != (roles_of(tokenizer), len(tokenizer)):
        return f"{len(tokenizer):,} tokens become {len(plain):,}, roles {roles_of(tokenizer)} become {roles_of(plain)}"
    for text in PROBES:
        for special in (False, True):
            wanted = backend.encode(text, add_special_tokens=special).ids
            read = plain.backend_tokenizer.encode(text, add_special_tokens=special).ids
            if read != wanted or bare.encode(text, add_special_tokens=special).ids != wanted:
                return f"{text!r} has the ids {wanted[:8]} and is read as {read[:8]} by {type(plain).__name__}"
            if plain.decode(wanted) != tokenizer.decode(wanted):
                return f"{tokenizer.decode(wanted)!r} is decoded to {plain.decode(wanted)!r}"
    return ""
