"""Tiny tokenizers of every family, made from the sample text, offline and the same every time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from lexigraft.core.errors import UnknownName
from lexigraft.testing.sample_text import SAMPLE

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

Family = Literal["byte_bpe", "unigram", "unigram_byte_fallback", "bpe_byte_fallback", "wordpiece", "unigram_sentinels"]
Variant = Literal["source", "target"]

SIZES: dict[str, int] = {"source": 430, "target": 490}
BYTE_PIECES = [f"<0x{b:02X}>" for b in range(256)]
SENTINELS = 20
_XLMR = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
_ROLES: dict[str, dict[str, str]] = {
    "byte_bpe": _XLMR,
    "unigram": _XLMR,
    "unigram_byte_fallback": {"pad": "<pad>", "eos": "<eos>", "bos": "<bos>", "unk": "<unk>", "mask": "<mask>"},
    "bpe_byte_fallback": {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "pad": "<pad>"},
    "wordpiece": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    "unigram_sentinels": {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"},
}


def tiny_tokenizer(family: Family, variant: Variant = "source") -> PreTrainedTokenizerFast:
    """Make a tokenizer of about 450 tokens.

    The two variants of a family share part of their words; apart from the T5-like family, whose padding must stay id 0,
    they number their special tokens differently.

    Args:
        family: The tokenizer's family; "unigram_sentinels" is T5's (``<extra_id_N>``, no mask, no bos).
        variant: "source" is English-like, "target" agglutinative with other scripts, accents and digits.

    Returns:
        A fresh tokenizer with its special roles set and a template for special tokens.

    Raises:
        UnknownName: There is no such family.
    """
    from transformers import PreTrainedTokenizerFast

    if family not in _ROLES:
        raise UnknownName("tokenizer family", family, get_args(Family))
    extra = [f"<extra_id_{i}>" for i in range(SENTINELS)] if family == "unigram_sentinels" else []
    roles = {f"{role}_token": token for role, token in _ROLES[family].items()}
    return PreTrainedTokenizerFast(
        tokenizer_object=_built(family, variant),
        **roles,
        **({"additional_special_tokens": extra} if extra else {}),
        clean_up_tokenization_spaces=False,
    )


def _built(family: Family, variant: Variant) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(_serialized(family, variant))


@cache
def _serialized(family: Family, variant: Variant) -> str:
    from tokenizers import processors

    specials = list(dict.fromkeys(_ROLES[family].values()))
    if variant == "target" and family != "unigram_sentinels":
        specials.reverse()
    if family == "unigram_sentinels":
        specials += [f"<extra_id_{i}>" for i in range(SENTINELS)]
    size = SIZES[variant]
    if family == "byte_bpe":
        tokenizer = _byte_bpe(SAMPLE[variant], specials, size)
    elif family == "bpe_byte_fallback":
        tokenizer = _sentencepiece_bpe(SAMPLE[variant], specials, size + 60)
    elif family == "wordpiece":
        tokenizer = _wordpiece(SAMPLE[variant], specials, size)
    else:
        byte_pieces = BYTE_PIECES if family == "unigram_byte_fallback" else []
        tokenizer = _unigram(SAMPLE[variant], specials, byte_pieces, size + (60 if byte_pieces else 0))
    tokenizer.add_special_tokens([_special(token) for token in specials])
    roles = _ROLES[family]
    left, right = roles.get("cls", roles.get("bos")), roles.get("sep")
    if family in ("unigram_byte_fallback", "bpe_byte_fallback"):
        right = None
    if family == "unigram_sentinels":
        left, right = None, roles["eos"]
    single = " ".join(part for part in (left, "$A", right) if part)
    used = [(t, tokenizer.token_to_id(t)) for t in dict.fromkeys((left, right)) if t]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} {single.replace('$A', '$B:1')}", special_tokens=used
    )
    return str(tokenizer.to_str())


def _special(token: str) -> Any:
    from tokenizers import AddedToken

    return AddedToken(token, special=True, normalized=False, lstrip=token in ("<mask>", "[MASK]"))


def _byte_bpe(text: str, specials: list[str], size: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=specials, initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    return tokenizer


def _sentencepiece_bpe(text: str, specials: list[str], size: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    letters = ["▁", *sorted(c for c, count in Counter("".join(text.split())).items() if count > 2)]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[*specials, *BYTE_PIECES],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    return _without_special_flags(tokenizer)


def _without_special_flags(tokenizer: Tokenizer) -> Tokenizer:
    import json

    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(state))


def _unigram(text: str, specials: list[str], byte_pieces: list[str], size: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = Counter("▁" + word for line in text.splitlines() for word in line.split())
    pieces = _pieces(words, size - len(specials) - len(byte_pieces))
    total = sum(pieces.values())
    vocabulary = [(token, 0.0) for token in specials] + [(token, -20.0) for token in byte_pieces]
    vocabulary += [(piece, math.log(count / total)) for piece, count in pieces.items()]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=specials.index("<unk>"), byte_fallback=bool(byte_pieces)))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = (
        decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        if byte_pieces
        else decoders.Metaspace()
    )
    return tokenizer


def _wordpiece(text: str, specials: list[str], size: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    splitter = pre_tokenizers.BertPreTokenizer()
    words = Counter(w for line in text.splitlines() for w, _ in splitter.pre_tokenize_str(line))
    marked: Counter[str] = Counter()
    for piece, count in _pieces(Counter({f"▁{w}": c for w, c in words.items()}), size).items():
        if piece != "▁":
            marked[piece.removeprefix("▁") if piece.startswith("▁") else f"##{piece}"] += count
    letters = sorted({c for w in words for c in w})
    required = [*specials, *letters, *(f"##{c}" for c in letters if c.isalnum())]
    tokens = list(dict.fromkeys([*required, *marked]))[:size]
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _pieces(words: Counter[str], size: int) -> dict[str, int]:
    """Every character, then the substrings that save the most characters, with their counts."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for piece in _substrings(word):
            counts[piece] += count
    letters = sorted((p for p in counts if len(p) == 1), key=lambda p: (-counts[p], p))
    longer = sorted((p for p in counts if len(p) > 1), key=lambda p: (-counts[p] * (len(p) - 1), p))
    return {p: counts[p] for p in (letters + longer)[:size]}


def _substrings(word: str) -> Iterator[str]:
    longest = 12
    for start in range(len(word)):
        for end in range(start + 1, min(len(word), start + longest) + 1):
            yield word[start:end]
