"""Token spellings as bytes, word starts included."""

from __future__ import annotations

from lexigraft.core.tokenization.surface import SPACE_MARK, UNMARKED, Family, Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary


def spelling(vocabulary: Vocabulary, text: bytes, starts: bool) -> bytes:
    """A text as the spellings of a vocabulary's tokens would join to it.

    Normalized as its tokenizer does; a word start is a space in front, also where BERT's pre-tokenizer begins a new
    word inside the text. Tokenizers that do not mark word starts get none.

    Args:
        vocabulary: The vocabulary.
        text: The bytes, without the word-start space.
        starts: Whether they start a word.
    """
    marked = b" " * (starts and vocabulary.family not in UNMARKED)
    try:
        words = vocabulary.normalized(text.decode())
    except UnicodeDecodeError:
        return marked + text
    if vocabulary.family is Family.WORDPIECE:
        pre = vocabulary.tokenizer.backend_tokenizer.pre_tokenizer
        words = " ".join(w for w, _ in pre.pre_tokenize_str(words)) if pre is not None else words
    return marked + words.replace(SPACE_MARK, " ").encode()


def spelled(vocabulary: Vocabulary) -> dict[int, bytes]:
    """The spelling of each usable token (no special, no unknown one), by id; text before byte pieces."""
    surfaces, unknown = vocabulary.surfaces, vocabulary.specials.get("unk")
    marks = surfaces.starts & (vocabulary.family not in UNMARKED)
    ids = [i for kind in (Kind.TEXT, Kind.BYTE) for i in (surfaces.kinds == kind).nonzero()[0].tolist() if i != unknown]
    return {i: b" " * bool(marks[i]) + surfaces.texts[i] for i in ids}


def tokens_by_spelling(vocabulary: Vocabulary) -> dict[bytes, int]:
    """The first token of each spelling; one that is always split off spells itself with and without a word start."""
    tokens: dict[bytes, int] = {}
    for i, data in spelled(vocabulary).items():
        tokens.setdefault(data, i)
    for i in vocabulary.surfaces.isolated.nonzero()[0].tolist():
        tokens.setdefault(vocabulary.surfaces.texts[i], i)
    return tokens
