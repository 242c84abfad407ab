"""Unigram vocabularies extended: new pieces join pieces of the source's own segmentation."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping, Sequence

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.appending import refuse_none
from lexigraft.core.tokenization.editing.rebuilding import description_of, with_description
from lexigraft.core.tokenization.editing.token_sequences import TokenSequences, count_runs, fallback_characters
from lexigraft.core.tokenization.editing.training_like import learned_tokens
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

LENGTH_COST = 1e-6
"""What each token costs a segmentation beyond its log probability: above rounding, below the distance of any two."""

SPARE = 4
"""Pieces that are learned for each that is asked for: some are known, or not text of the source."""

_LOG = logging.getLogger("lexigraft")


def extend_by_em(vocabulary: Vocabulary, lines: Sequence[str], number: int) -> Vocabulary:
    """Add pieces to a Unigram vocabulary that expectation maximization finds (Kudo 2018).

    The text is cut by the source, and SentencePiece's trainer learns pieces of these tokens as it otherwise does of
    characters. Scores are given as for :func:`append_unigram`.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many pieces to add at most; a warning says where the text yields fewer.

    Returns:
        The larger vocabulary; its new tokens have the ids from ``vocabulary.size`` on.

    Raises:
        LexigraftError: The tokenizer is no Unigram, the number is not positive, or the text yields no piece.
    """
    refuse_other_than_unigram(vocabulary)
    refuse_none(number)
    spelled = _with_characters(vocabulary, lines, number)
    sequences = TokenSequences(spelled)
    words: dict[str, int] = {}
    for run, count in count_runs(spelled, lines).items():
        for word in sequences.letters(run).split():
            words[word] = words.get(word, 0) + count
    rest = number - (spelled.size - vocabulary.size)
    joined = (sequences.string_of(letters) for letters in _learned(words, rest) if len(letters) > 1)
    return _joined(vocabulary, spelled, joined, number)


def append_unigram(vocabulary: Vocabulary, lines: Sequence[str], number: int) -> Vocabulary:
    """Add the pieces of a Unigram vocabulary that is trained from scratch on a text, most probable first.

    A new piece scores as much as the source's best segmentation of it, and every piece :data:`LENGTH_COST` less. A best
    segmentation is then one of the source's best, pieces joined: were it any longer, the source's own would cost less.
    So no text gets longer, and each new piece is what its own spelling gives.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many pieces to add at most; a warning says where the text yields fewer.

    Returns:
        The larger vocabulary; its new tokens have the ids from ``vocabulary.size`` on.

    Raises:
        LexigraftError: The tokenizer is no Unigram, the number is not positive, or the text yields no piece.
    """
    refuse_other_than_unigram(vocabulary)
    refuse_none(number)
    fixed = len(vocabulary.special_ids) + len(vocabulary.byte_tokens) + len(set().union(*lines))
    learned = learned_tokens(vocabulary, lines, fixed + SPARE * number)
    return _joined(vocabulary, _with_characters(vocabulary, lines, number), learned, number)


def refuse_other_than_unigram(vocabulary: Vocabulary) -> None:
    """Refuse a tokenizer that is no Unigram, or one in which a character of a piece is no piece itself.

    An unknown character costs more than any piece does, so new pieces raise that cost. Where every character of a piece
    is one, all segmentations of a text have the same unknown characters and the cost decides nothing.

    Raises:
        LexigraftError: It is one of these.
    """
    kind = type(vocabulary.tokenizer.backend_tokenizer.model).__name__
    if kind != "Unigram":
        raise LexigraftError("pieces have probabilities in a Unigram vocabulary only", kind, "Extend BPE by merges")
    is_text = vocabulary.surfaces.kinds == Kind.TEXT
    pieces = [token for token, text in zip(vocabulary.tokens, is_text, strict=True) if text]
    if alone := set().union(*pieces) - {piece for piece in pieces if len(piece) == 1}:
        hint = "No text gets longer only where it is one; extend the vocabulary first and prune it afterwards"
        raise LexigraftError("a character of a piece is no piece itself", ", ".join(sorted(alone)[:3]), hint)


def _learned(words: dict[str, int], number: int) -> list[str]:
    """Pieces of words whose letters are tokens, most probable first."""
    import sentencepiece as spm

    if not words or number < 1:
        return []
    model_file = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=(f"{word}\t{count}" for word, count in words.items()),
            input_format="tsv",
            model_writer=model_file,
            model_type="unigram",
            vocab_size=len(set().union(*words)) + number + 3,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            split_by_whitespace=False,
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentence_length=1 << 24,
            num_threads=1,
            minloglevel=3,
        )
    except RuntimeError:  # no piece occurs twice
        return []
    model = spm.SentencePieceProcessor(model_proto=model_file.getvalue())
    ids = (i for i in range(model.get_piece_size()) if not (model.is_control(i) or model.is_unknown(i)))
    return [model.id_to_piece(i) for i in ids]


def _with_characters(vocabulary: Vocabulary, lines: Sequence[str], number: int) -> Vocabulary:
    """The vocabulary with the frequent characters that it spells by bytes; no other segmentation changes by them."""
    characters = fallback_characters(vocabulary, count_runs(vocabulary, lines), sum(map(len, lines)), number)
    if not characters:
        return vocabulary
    lowest = min(score for _, score in description_of(vocabulary)["model"]["vocab"])
    return _extended(vocabulary, dict.fromkeys(characters, lowest))


def _joined(vocabulary: Vocabulary, spelled: Vocabulary, candidates: Iterable[str], number: int) -> Vocabulary:
    """The vocabulary with new pieces behind the characters that it has got."""
    new = _scored(spelled, candidates, number - (spelled.size - vocabulary.size))
    extended = _extended(spelled, new) if new else spelled
    added = extended.size - vocabulary.size
    if not added:
        raise LexigraftError("the text yields no token to add", f"{number:,} asked for", "Give more text")
    if added < number:
        _LOG.warning("the text yields %d tokens, %d were asked for", added, number)
    return extended


def _extended(vocabulary: Vocabulary, new: Mapping[str, float]) -> Vocabulary:
    described = description_of(vocabulary)
    model = described["model"]
    lowest = min(score for _, score in model["vocab"])
    # An added token outside the model's vocabulary gets the next free id when the file is read, which is another now.
    outside = [(token, lowest) for token in vocabulary.tokens[len(model["vocab"]) :]]
    pieces = [*model["vocab"], *outside, *new.items()]
    model["vocab"] = [[token, score - LENGTH_COST] for token, score in pieces]
    extended = with_description(vocabulary, described)
    kept = slice(vocabulary.size)
    same = (extended.tokens[kept], extended.surfaces.texts[kept]) == (vocabulary.tokens, vocabulary.surfaces.texts)
    if not same or extended.size != len(pieces):
        hint = "Give the source without its added tokens, and add them again afterwards"
        raise LexigraftError("an added token cannot keep its id and its text", outside[0][0] if outside else None, hint)
    return extended


def _scored(vocabulary: Vocabulary, candidates: Iterable[str], number: int) -> dict[str, float]:
    """The first new pieces that the source spells by text, with the score of its best segmentation of them."""
    model = vocabulary.tokenizer.backend_tokenizer.model
    score = [score for _, score in description_of(vocabulary)["model"]["vocab"]]
    barred = {*vocabulary.special_ids, *unknown_ids(vocabulary), *vocabulary.tokenizer.added_tokens_decoder}
    barred |= set(vocabulary.byte_tokens.values())
    new: dict[str, float] = {}
    for token in candidates:
        if len(new) >= number:
            break
        if vocabulary.id_of(token) is not None:  # one that the source itself never makes
            continue
        ids = [piece.id for piece in model.tokenize(token)]
        if len(ids) > 1 and barred.isdisjoint(ids):
            new[token] = sum(score[i] for i in ids)
    return new
