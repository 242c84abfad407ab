"""Tagged text: CoNLL-U and word-label lines are read as sentences, and what is neither is refused with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lexigraft.core.data.bio import Entity, count_entities, entities, repaired
from lexigraft.core.data.tagged_text import TaggedSentence, read_tagged
from lexigraft.core.errors import LexigraftError

CONLLU = """# sent_id = 1
# text = del mar 20 000
1-2\tdel\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tE\t_\t4\tcase\t_\t_
2\tel\tel\tDET\tD\t_\t4\tdet\t_\t_
2.1\tgran\tgran\tADJ\tA\t_\t_\t_\t_\t_
3\tmar\tmar\tNOUN\tN\t_\t0\troot\t_\t_
4\t20 000\t20000\tNUM\tM\t_\t3\tnum\t_\t_

1\tsí\tsí\tINTJ\t_\t_\t0\troot\t_\t_
"""


def test_conllu_gives_syntactic_words_with_their_universal_tags(tmp_path: Path) -> None:
    path = tmp_path / "es.conllu.gz"
    path.write_bytes(gzip.compress(CONLLU.encode()))
    assert read_tagged([path]) == [
        TaggedSentence(("de", "el", "mar", "20 000"), ("ADP", "DET", "NOUN", "NUM"), "del mar 20 000"),
        TaggedSentence(("sí",), ("INTJ",), "sí"),
    ]


@pytest.mark.parametrize("content", [
    "Tiñiqi\tB-ORG\n(\tO\n\nChile\tB-LOC\n",
    "-DOCSTART- -X- O\n\nTiñiqi NNP B-ORG\r\n( P O\r\n\r\n\r\nChile NNP B-LOC",
])  # fmt: skip
def test_lines_of_words_and_labels_are_sentences_between_empty_lines(tmp_path: Path, content: str) -> None:
    (tmp_path / "ner.tsv").write_text(content, encoding="utf-8")
    read = read_tagged([tmp_path / "ner.tsv"])
    assert [s.words for s in read] == [("Tiñiqi", "("), ("Chile",)]
    assert [s.labels for s in read] == [("B-ORG", "O"), ("B-LOC",)]
    assert read[0].text == "Tiñiqi ("


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.tsv", "wasi\tn\nqam\n", "line is no word with a label.*line 2"),
    ("a.tsv", "wasi\tn\n\tn\n", "line is no word with a label.*line 2"),
    ("a.tsv", "\n\n", "there is no tagged sentence"),
    ("a.conllu", "1\twasi\tn\n", "line is no CoNLL-U.*line 1"),
    ("a.conllu", "1\twasi\t_\t_\t_\t_\t_\t_\t_\t_\n", "word has no form or no tag.*line 1"),
])  # fmt: skip
def test_what_is_no_tagged_text_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(LexigraftError, match=message):
        read_tagged([tmp_path / name])


def test_entities_follow_strict_iob2() -> None:
    labels = ["B-PER", "I-PER", "I-LOC", "O", "I-ORG", "B-LOC", "B-LOC", "I-LOC"]
    assert entities(labels) == [Entity("PER", 0, 2), Entity("LOC", 5, 6), Entity("LOC", 6, 8)]


def test_an_entity_that_never_began_begins_after_repair() -> None:
    assert repaired(["I-PER", "I-PER", "O", "B-LOC", "I-ORG"]) == (("B-PER", "I-PER", "O", "B-LOC", "B-ORG"), 2)


def test_an_entity_counts_where_type_and_span_agree() -> None:
    gold = ["B-PER", "I-PER", "O", "B-LOC", "B-ORG"]
    predicted = ["B-PER", "I-PER", "B-LOC", "B-ORG", "I-ORG"]
    # PER agrees; LOC (2,3) and ORG (3,5) are invented; LOC (3,4) and ORG (4,5) are missed.
    assert count_entities(gold, predicted) == (1, 2, 2)
