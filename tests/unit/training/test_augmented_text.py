"""Augmented training text: marks on tokens, another text in every epoch, and rows at any position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.annotated import NAMES, annotated, documents
from lexigraft.core.data.annotated_text import AnnotatedText, write_annotated
from lexigraft.core.data.annotations import read_annotations
from lexigraft.core.data.augmentation import augment
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.new_tokens import with_tokens
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.augmented_text import Augmentation, AugmentedText, marked_ids, pack_augmented
from lexigraft.core.training.packing import NO_LOSS, Unmarked, pack
from lexigraft.plugins.augmenters.leia import Leia
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

LINES = SOURCE_TEXT.splitlines()
TAGS = ("<translate>", "</translate>")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return with_tokens(Vocabulary.of(tiny_tokenizer("byte_bpe")), TAGS)


@pytest.fixture(scope="module")
def augmentation(tmp_path_factory: pytest.TempPathFactory) -> Augmentation:
    path: Path = tmp_path_factory.mktemp("annotated") / "text.jsonl"
    write_annotated(path, documents())
    return Augmentation((Leia(p=0.5),), read_annotations([path], LINES))


def packed(vocabulary: Vocabulary, augmentation: Augmentation, seed: int = 0) -> AugmentedText:
    return pack_augmented(vocabulary, LINES, 32, augmentation, seed=seed, kind="causal")


def test_tokens_of_a_name_carry_the_mark_and_those_beside_it_do_not(vocabulary: Vocabulary) -> None:
    document = annotated("The river runs.", ("river", "Mayu"))
    done = augment(document, [Leia(p=1, loss_on_names=False)], 0, 0)
    [marked] = marked_ids(vocabulary, [done])
    hidden = [vocabulary.tokenizer.decode([i & ~NO_LOSS]) for i in marked if i & NO_LOSS]
    assert "".join(hidden) == "<translate>Mayu</translate>"
    assert [i & ~NO_LOSS for i in marked] == vocabulary.encode(["The river<translate>Mayu</translate> runs."])[0]
    done = augment(document, [Leia(p=1, tags=False, loss_on_names=False)], 0, 0)
    [marked] = marked_ids(vocabulary, [done])
    hidden = [vocabulary.tokenizer.decode([i & ~NO_LOSS]) for i in marked if i & NO_LOSS]
    assert "".join(hidden).strip() == "Mayu"


def test_marks_come_off_again() -> None:
    marked = np.array([[5, 7 | NO_LOSS, 11 | 1 << 29, 13 | NO_LOSS | 1 << 29]], np.int32)
    text = Unmarked.of(marked)
    assert text.ids.tolist() == [[5, 7, 11, 13]]
    assert text.loss.tolist() == [[True, False, True, False]]
    assert text.starts.tolist() == [[False, False, True, True]]


def test_with_p_0_the_rows_are_those_of_the_plain_text(vocabulary: Vocabulary, augmentation: Augmentation) -> None:
    plain = pack(vocabulary, LINES, 32, kind="causal")
    unchanged = packed(vocabulary, Augmentation((Leia(p=0),), augmentation.annotations))
    for position in range(2 * len(plain) + 3):
        assert unchanged.at(position, 5).tolist() == plain.at(position, 5).tolist()


def test_every_epoch_draws_anew_and_any_position_can_be_entered(
    vocabulary: Vocabulary, augmentation: Augmentation
) -> None:
    text = packed(vocabulary, augmentation)
    rows = [text.at(n, 3).tolist() for n in range(90)]
    again = packed(vocabulary, augmentation)
    assert [again.at(n, 3).tolist() for n in (89, 0, 45)] == [rows[89], rows[0], rows[45]]
    assert packed(vocabulary, augmentation, seed=1).at(0, 3).tolist() != rows[0]
    opening = vocabulary.id_of(TAGS[0])
    counts = []
    for epoch in range(3):  # more epochs than the 90 rows hold would be needed to see all; these are counted whole
        inner = text._pack_epoch(epoch)
        counts.append(int((Unmarked.of(inner.rows).ids == opening).sum()))
    assert len(set(counts)) > 1
    assert 0 < max(counts) < sum(word in line for line in LINES for word in NAMES)


def test_text_in_which_nothing_has_a_name_is_refused(vocabulary: Vocabulary, augmentation: Augmentation) -> None:
    other = Augmentation((Leia(language="sw"),), augmentation.annotations)
    with pytest.raises(LexigraftError, match=r"augmenter finds nothing to do .*: leia\. With .*language="):
        packed(vocabulary, other)
    packed(vocabulary, Augmentation((Leia(language="sw", p=0),), augmentation.annotations)).at(0, 0)


def test_a_vocabulary_without_the_tags_is_refused(augmentation: Augmentation) -> None:
    with pytest.raises(LexigraftError, match=r"lacks tokens of the augmenters.*<translate>"):
        packed(Vocabulary.of(tiny_tokenizer("byte_bpe")), augmentation)


def test_documents_joined_have_no_special_token_between_them(vocabulary: Vocabulary) -> None:
    whole = [i for line in vocabulary.encode(LINES) for i in line]
    rows = pack(vocabulary, LINES, 32, kind="causal", documents="joined").rows
    assert rows.ravel().tolist() == whole[: rows.size]


def test_documents_to_reset_are_marked_where_they_begin(vocabulary: Vocabulary) -> None:
    plain = pack(vocabulary, LINES, 32, kind="causal").rows
    text = Unmarked.of(pack(vocabulary, LINES, 32, kind="causal", documents="reset").rows)
    assert text.ids.tolist() == plain.tolist()
    assert text.loss.all()
    # Each line begins with bos, and nothing else is bos.
    assert (text.starts == (plain == vocabulary.specials["bos"])).all()


def test_a_line_that_is_no_document_has_no_anchor(augmentation: Augmentation) -> None:
    assert list(augmentation.documents(["Nothing here"])) == [AnnotatedText("Nothing here")]
