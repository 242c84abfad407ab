"""Anchors beside a corpus: found by the document's text as the corpus has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.annotated import annotated
from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, write_annotated
from lexigraft.core.data.annotations import read_annotations
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.errors import LexigraftError


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_anchors_are_found_by_the_line_of_the_corpus(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"text.{ending}"
    spaced = AnnotatedText("  Wien\nan der Donau \n", "", (Anchor(2, 6, "Wien", "Q1741", {"en": "Vienna"}),))
    write_annotated(path, [spaced, annotated("Graz 🙂 Graz", ("Graz", "Graz")), AnnotatedText("ohne")])
    corpus = load_corpus([path])
    found = read_annotations([path], corpus.lines)
    assert found.anchors == 2
    [wien] = found.document(corpus.lines[0]).anchors
    assert (wien.start, wien.end, wien.wikidata_id, dict(wien.surface)) == (0, 4, "Q1741", {"en": "Vienna"})
    assert found.document("ohne").anchors == ()
    assert found.document("Linz").anchors == ()


def test_lines_outside_the_corpus_leave_no_anchors(tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    write_annotated(path, [annotated("Wien", ("Wien", "Vienna")), annotated("Graz", ("Graz", "Gratz"))])
    found = read_annotations([path], Corpus.of(["Graz"]).lines)
    assert found.anchors == 1
    assert found.document("Wien").anchors == ()


def test_the_hash_is_of_the_anchors(tmp_path: Path) -> None:
    hashes = []
    for name in ("Vienna", "Vienne", "Vienna"):
        write_annotated(tmp_path / "text.jsonl", [annotated("Wien", ("Wien", name))])
        hashes.append(read_annotations([tmp_path / "text.jsonl"], ["Wien"]).hash)
    assert hashes[0] == hashes[2] != hashes[1]


def test_text_without_an_anchor_is_refused(tmp_path: Path) -> None:
    write_annotated(tmp_path / "text.jsonl", [AnnotatedText("Wien")])
    with pytest.raises(LexigraftError, match="no document of the training text has an anchor"):
        read_annotations([tmp_path / "text.jsonl"], ["Wien"])


def test_plain_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Wien\n")
    with pytest.raises(LexigraftError, match="annotated text is JSON lines or Parquet"):
        read_annotations([tmp_path / "text.txt"], ["Wien"])
