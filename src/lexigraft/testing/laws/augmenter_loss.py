"""Laws of what augmentation adds: learned as the options say, tokens where they are said to be, on tiny tokenizers."""

from __future__ import annotations

from lexigraft.core.data.augmentation import Augmented, augment
from lexigraft.core.tokenization.editing.new_tokens import with_tokens
from lexigraft.core.tokenization.offsets import token_characters
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.augmented_text import marked_ids
from lexigraft.core.training.packing import NO_LOSS
from lexigraft.testing.augmenter_trial import SEED, AugmenterTrial
from lexigraft.testing.law import Law, require, skip_unless
from lexigraft.testing.tiny_tokenizers import Family, tiny_tokenizer

FAMILIES: tuple[Family, ...] = ("byte_bpe", "unigram", "bpe_byte_fallback", "wordpiece")


def _options_decide_the_loss(trial: AugmenterTrial) -> None:
    skip_unless(bool(trial.switches), "no option is about the loss")
    for kind, option, value in trial.switches:
        pieces = [p for edits in trial.edits(trial.make(p=1.0, **{option: value})) for e in edits for p in e.pieces]
        wrong = [piece.text for piece in pieces if piece.kind == kind and piece.loss is not value]
        said = {True: "learned", False: "not learned"}
        require(not wrong, f"{option} is {value}, but '{wrong[:1]}' of kind '{kind}' is {said[not value]}")


def _tokens_are_declared(trial: AugmenterTrial) -> None:
    declared = set(trial.augmenter.added_tokens())
    used = {p.text for edits in trial.always for e in edits for p in e.pieces if p.token}
    require(used <= declared, f"added_tokens() lacks {', '.join(sorted(used - declared))}")


def _mask_covers_what_it_says(trial: AugmenterTrial) -> None:
    """Every token that touches text without loss is out of the loss, every other one is in it, and tags are tokens."""
    variants = [trial.make(p=1.0), *(trial.make(p=1.0, **{option: value}) for _, option, value in trial.switches)]
    for family in FAMILIES:
        plain = Vocabulary.of(tiny_tokenizer(family, "target"))
        for augmenter in variants:
            vocabulary = with_tokens(plain, list(augmenter.added_tokens()))
            done = [augment(document, [augmenter], SEED, 0) for document in trial.documents[:9]]
            for one, ids in zip(done, marked_ids(vocabulary, done), strict=True):
                _check_mask(vocabulary, one, ids)


def _check_mask(vocabulary: Vocabulary, done: Augmented, marked: list[int]) -> None:
    text = done.document.text
    silent = {at for start, end in done.without_loss() for at in range(start, end)}
    [(_, ids, spans)] = token_characters(vocabulary, [text])
    require([i & ~NO_LOSS for i in marked] == ids.tolist(), "the text is tokenized otherwise with the mask")
    for token, (start, end) in zip(marked, spans.tolist(), strict=True):
        touches = bool(silent & set(range(start, max(end, start + 1))))
        require(bool(token & NO_LOSS) == touches, f"the mask is wrong at '{text[start:end]}' of '{text[:60]}'")
    places = {(start, end): int(i) for i, (start, end) in zip(ids, spans.tolist(), strict=True)}
    for span in (one for one in done.added if one.token):
        found = places.get((span.start, span.end))
        require(
            found is not None and found == vocabulary.id_of(text[span.start : span.end]),
            f"'{text[span.start : span.end]}' is not one token",
        )


LAWS = tuple(
    Law(name, "loss", check, on_fixtures=False)
    for name, check in {
        "the options decide what is learned": _options_decide_the_loss,
        "tokens that it uses are declared": _tokens_are_declared,
        "the loss mask covers what it says": _mask_covers_what_it_says,
    }.items()
)
