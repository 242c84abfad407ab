"""SentencePiece models rebuilt as ``tokenizers``, with SentencePiece's own ids and its own decoding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.saving import PROBES
from lexigraft.core.tokenization.surface import SPACE_MARK

_BPE, _WORD = 2, 3  # TrainerSpec.ModelType
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4  # SentencePiece.Type
_UNUSUAL = {
    "trainer_spec": {"treat_whitespace_as_suffix": True, "split_by_whitespace": False},
    "normalizer_spec": {"add_dummy_prefix": False, "remove_extra_whitespaces": False, "escape_whitespaces": False},
}


def read_sentencepiece(path: Path) -> tuple[Any, dict[str, str]]:
    """Rebuild a SentencePiece model (Unigram, BPE or characters) with its own pieces, scores and normalizer.

    Args:
        path: The ``.model`` file.

    Returns:
        A ``tokenizers.Tokenizer``, and the strings that the model itself gives to special roles.

    Raises:
        LexigraftError: The model uses an option with which ``tokenizers`` gives other ids; the options are named.
    """
    from sentencepiece import sentencepiece_model_pb2 as schema
    from tokenizers import Tokenizer

    proto = schema.ModelProto.FromString(path.read_bytes())
    if proto.trainer_spec.model_type == _WORD or proto.trainer_spec.treat_whitespace_as_suffix:
        raise _refusal(path, proto, "")
    tokenizer = Tokenizer(_model(proto))
    steps = _normalizers(proto)
    if steps:
        from tokenizers import normalizers

        tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = _pre_tokenizer(proto)
    tokenizer.decoder = _decoder(proto)
    tokenizer.add_special_tokens([p.piece for p in proto.pieces if p.type in (_UNKNOWN, _CONTROL)])
    _compare(path, proto, tokenizer)
    return tokenizer, {role: getattr(proto.trainer_spec, f"{role}_piece") for role in ("bos", "eos", "unk", "pad")}


def _model(proto: Any) -> Any:
    from tokenizers import models

    pieces = [(p.piece, p.score) for p in proto.pieces]
    fallback = bool(proto.trainer_spec.byte_fallback)
    unknown = next((i for i, p in enumerate(proto.pieces) if p.type == _UNKNOWN), None)
    if proto.trainer_spec.model_type != _BPE:
        scored = list(zip((p.piece for p in proto.pieces), _unigram_scores(proto), strict=True))
        return models.Unigram(scored, unk_id=unknown, byte_fallback=fallback)
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    return models.BPE(
        vocab=ids,
        merges=_merges(pieces, ids),
        unk_token=pieces[unknown][0] if unknown is not None else None,
        fuse_unk=True,
        byte_fallback=fallback,
        ignore_merges=bool(_user_defined(proto)),  # no merges lead to them
    )


def _unigram_scores(proto: Any) -> Iterator[float]:
    """Each piece's score; a user-defined symbol's own is 0, and SentencePiece prefers longer ones while it encodes."""
    for piece in proto.pieces:
        # As SentencePiece 0.2 cuts text, found by comparison; `_compare` refuses a model for which it does not hold.
        yield 0.1 * len(piece.piece.encode()) - 0.1 if piece.type == _USER_DEFINED else piece.score


def _normalizers(proto: Any) -> list[Any]:
    from tokenizers import Regex, normalizers

    spec = proto.normalizer_spec
    steps: list[Any] = []
    if spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(spec.precompiled_charsmap))
    if spec.remove_extra_whitespaces:  # spaces only: tabs and newlines at the edges stay
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if spec.add_dummy_prefix and not _metaspace_prepends(proto):
        steps.append(normalizers.Prepend(SPACE_MARK))
    return steps


def _metaspace_prepends(proto: Any) -> bool:
    """Whether Metaspace can add the dummy prefix: it adds none where a space or its mark comes first."""
    spec = proto.normalizer_spec
    return bool(spec.add_dummy_prefix and spec.remove_extra_whitespaces and spec.precompiled_charsmap)


def _pre_tokenizer(proto: Any) -> Any:
    from tokenizers import Regex, pre_tokenizers

    is_bpe, symbols = proto.trainer_spec.model_type == _BPE, _user_defined(proto)
    # Words are cut apart for speed where no piece reaches beyond one.
    crosses = any(SPACE_MARK in p.piece[1:] for p in proto.pieces)
    marks = pre_tokenizers.Metaspace(
        prepend_scheme="always" if _metaspace_prepends(proto) else "never",
        split=not is_bpe and not crosses,
    )
    if not (is_bpe and symbols):  # Unigram finds the symbols by their scores
        return marks
    pattern = "|".join(map(re.escape, sorted(symbols, key=len, reverse=True)))
    return pre_tokenizers.Sequence([marks, pre_tokenizers.Split(Regex(pattern), "isolated")])


def _user_defined(proto: Any) -> list[str]:
    return [p.piece for p in proto.pieces if p.type == _USER_DEFINED]


def _decoder(proto: Any) -> Any:
    from tokenizers import decoders

    parts: list[Any] = [decoders.Replace(SPACE_MARK, " ")]
    if proto.trainer_spec.byte_fallback:
        parts.append(decoders.ByteFallback())
    parts.append(decoders.Fuse())
    if proto.normalizer_spec.add_dummy_prefix or proto.normalizer_spec.remove_extra_whitespaces:
        parts.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(parts)


def _merges(pieces: list[tuple[str, float]], ids: dict[str, int]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, best-scored result first: SentencePiece BPE merges by score."""
    ranked: list[tuple[float, int, int, tuple[str, str]]] = []
    for piece, score in pieces:
        splits = ((piece[:n], piece[n:]) for n in range(1, len(piece)))
        ranked += [(-score, ids[a], ids[b], (a, b)) for a, b in splits if a in ids and b in ids]
    return [pair for *_, pair in sorted(ranked)]


def _compare(path: Path, proto: Any, tokenizer: Any) -> None:
    """Refuse a model whose ids differ from SentencePiece's own on a varied text."""
    from sentencepiece import SentencePieceProcessor

    theirs = SentencePieceProcessor(model_file=str(path))
    for text in _probes(proto):
        expected, got = theirs.encode(text), tokenizer.encode(text, add_special_tokens=False).ids
        if expected != got and not _tied(proto, expected, got):
            raise _refusal(path, proto, f"{text!r} would get the ids {got[:12]} instead of {expected[:12]}. ")


def _probes(proto: Any) -> Iterator[str]:
    yield from PROBES
    yield from ("", " ", "   ", "\n", "x\n", " \t x")
    for symbol in _user_defined(proto)[:20]:
        text = symbol.replace(SPACE_MARK, " ")
        yield from (text, f"a{text}b", f"  a {text} {text}b {text}")
    ordinary = [p.piece for p in proto.pieces if p.type == _NORMAL]
    for start in range(16):  # text of the model's own pieces
        some = ordinary[start :: max(16, len(ordinary) // 12)]
        yield "".join(some).replace(SPACE_MARK, " ")


def _tied(proto: Any, one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two segmentations by a Unigram model are equally likely, up to rounding, as with long runs of spaces."""
    if proto.trainer_spec.model_type == _BPE:
        return False
    first, second = (sum(proto.pieces[i].score for i in ids) for ids in (one, other))
    return abs(first - second) <= 1e-5 * abs(first)


def _refusal(path: Path, proto: Any, example: str) -> LexigraftError:
    options = [
        f"{name}={str(value).lower()}"
        for part, values in _UNUSUAL.items()
        for name, value in values.items()
        if getattr(getattr(proto, part), name) is value
    ]
    if proto.trainer_spec.model_type == _WORD:
        options.insert(0, "model_type=word")
    if _user_defined(proto):
        options.append("user_defined_symbols")
    return LexigraftError(
        "SentencePiece model cannot be rebuilt with its own ids",
        path,
        f"{example}Unusual options: {', '.join(options) or 'none'}; train it without them, or give a tokenizer.json",
    )
