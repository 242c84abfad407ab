"""OpenAI's tiktoken files and Mistral's tekken.json, rebuilt as byte-level BPE of ``tokenizers``."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.bounds import LONGEST_TOKEN, refuse_large_id
from lexigraft.core.tokenization.surface import to_byte_level

_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} [0-9]{1,12}")
_FIRST_BYTES = 4096


@dataclass(frozen=True)
class _Known:
    """What a published tiktoken file does not hold itself: how text is split, and the ids of special tokens."""

    pattern: str
    special: Mapping[str, int]


_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_SIGNS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_KNOWN = {
    "cl100k_base.tiktoken": _Known(
        rf"{_WORDS}\p{{N}}{{1,3}}{_SIGNS}",
        {
            "<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260, "<|endofprompt|>": 100276,
        },
    ),
    "qwen.tiktoken": _Known(
        rf"{_WORDS}\p{{N}}{_SIGNS}",
        {
            s: 151643 + n
            for n, s in enumerate(
                ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205))]
            )
        },
    ),
}  # fmt: skip
"""Published files, as the code beside them (tiktoken_ext/openai_public.py, Qwen's tokenization_qwen.py) reads them."""

_TEKKEN_SPECIAL = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]",
    "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip
"""What mistral-common takes for files that name no special tokens."""


def is_tiktoken(path: Path) -> bool:
    """Whether a file holds lines of a token in base64 and its rank."""
    with path.open("rb") as file:
        return _LINE.fullmatch(file.readline(_FIRST_BYTES).rstrip(b"\r\n")) is not None


def is_tekken(path: Path) -> bool:
    """Whether a file is a ``tekken.json``."""
    with path.open("rb") as file:
        return path.name == "tekken.json" or b'"num_vocab_tokens"' in file.read(_FIRST_BYTES)


def read_tiktoken(path: Path) -> Any:
    """Rebuild a tiktoken file; how it splits text is known of a published file, or written in the folder.

    Args:
        path: The file. ``pat_str`` in a ``tokenizer_config.json`` beside it is the regular expression, and
            ``added_tokens_decoder`` there holds the special tokens.

    Raises:
        LexigraftError: The file is damaged, or nothing says how text is split.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line:
            continue
        if not _LINE.fullmatch(line):
            raise LexigraftError("tiktoken file is damaged", f"{path}, line {number}", "Expected base64 and a rank")
        token, rank = line.split()
        _add(ranks, token, int(rank), path)
    known = _from_config(path) or _KNOWN.get(path.name)
    if known is None:
        raise LexigraftError(
            "this is a tiktoken file, which does not say how text is split",
            path,
            "Give the tokenizer.json of the same model, or write the regular expression as pat_str into a "
            "tokenizer_config.json beside it",
        )
    return _byte_level(ranks, known.pattern, known.special, path)


def _from_config(path: Path) -> _Known | None:
    config = path.with_name("tokenizer_config.json")
    if not config.is_file():
        return None
    values = json.loads(config.read_text(encoding="utf-8"))
    pattern = values.get("pat_str") if isinstance(values, dict) else None
    if not isinstance(pattern, str):
        return None
    return _Known(pattern, {str(t["content"]): int(i) for i, t in values.get("added_tokens_decoder", {}).items()})


def read_tekken(path: Path) -> Any:
    """Rebuild a ``tekken.json``: special tokens come first, then as many of the others as its vocabulary size says.

    Args:
        path: The file.

    Raises:
        LexigraftError: It is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        config, entries = content["config"], content["vocab"]
        reserved = int(config["default_num_special_tokens"])
        size = int(config["default_vocab_size"])
        refuse_large_id(max(size, reserved), path)
        named = content.get("special_tokens") or [{"rank": i, "token_str": s} for i, s in enumerate(_TEKKEN_SPECIAL)]
        special = {str(t["token_str"]): int(t["rank"]) for t in named}
        taken = set(special.values())
        special |= {f"<SPECIAL_{i}>": i for i in range(reserved) if i not in taken}
        ranks: dict[bytes, int] = {}
        for entry in sorted(entries, key=lambda entry: int(entry["rank"]))[: max(0, size - reserved)]:
            _add(ranks, entry["token_bytes"], reserved + int(entry["rank"]), path)
        pattern = str(config["pattern"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise LexigraftError("tekken.json is damaged", path, f"{type(error).__name__}: {error}") from None
    return _byte_level(ranks, pattern, special, path)


def _add(ranks: dict[bytes, int], encoded: bytes | str, rank: int, path: Path) -> None:
    refuse_large_id(rank, path)
    try:
        token = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LexigraftError("a token is not in base64", f"{path}, rank {rank}", str(error)) from None
    if not token or len(token) > LONGEST_TOKEN or token in ranks:
        raise LexigraftError(
            "a token is empty, too long or there twice", f"{path}, rank {rank}", "Fetch the file again"
        )
    ranks[token] = rank


def _byte_level(ranks: Mapping[bytes, int], pattern: str, special: Mapping[str, int], path: Path) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    ids = {to_byte_level(token): rank for token, rank in ranks.items()}
    if twice := sorted(special.keys() & ids.keys()):
        raise LexigraftError("a special token is an ordinary token too", f"{path}: {twice[0]}", "Fetch the file again")
    for i in special.values():
        refuse_large_id(i, path)
    ids |= special
    if len(set(ids.values())) != len(ids) or min(ids.values(), default=0) < 0:
        raise LexigraftError("two tokens have one id", path, "Fetch the file again")
    # A piece that is a token stays whole; others are merged by the rank of what two parts make.
    tokenizer = Tokenizer(models.BPE(ids, _merges(ranks), ignore_merges=True))
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(sorted(special, key=special.__getitem__))
    return tokenizer


def _merges(ranks: Mapping[bytes, int]) -> Sequence[tuple[str, str]]:
    """Every pair of tokens that makes a token, by its rank."""
    ranked = [
        (rank, ranks[token[:n]], ranks[token[n:]], (to_byte_level(token[:n]), to_byte_level(token[n:])))
        for token, rank in ranks.items()
        for n in range(1, len(token))
        if token[:n] in ranks and token[n:] in ranks
    ]
    return [pair for *_, pair in sorted(ranked)]
