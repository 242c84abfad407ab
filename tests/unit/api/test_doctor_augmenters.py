"""What the doctor says of augmenters: anchors with names, and how many tokens the names take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.annotated import annotated
from fixtures.vocabularies import unigram_vocabulary
from lexigraft.api.doctor.augmenters import report_augmenters
from lexigraft.api.doctor.findings import Finding, Findings, Mark
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.data.annotated_text import write_annotated

PLACES = "augmenter leia: 2 places in 1 documents"


def found(folder: Path, name: str, arms: dict[str, Any]) -> list[Finding]:
    """The findings for a document with two mentions of an entity of this name."""
    write_annotated(folder / "text.jsonl", [annotated("to Lima from Lima", ("Lima", name), ("Lima", name))])
    recipe = CompareSettings(
        source="s", target_tokenizer="t", corpus={"train": [str(folder / "text.jsonl")]}, strategies=["mean"], arms=arms
    )
    findings = Findings()
    report_augmenters(findings, recipe, unigram_vocabulary(), unigram_vocabulary(byte_pieces=True))
    return findings.findings


def test_names_that_both_vocabularies_cut_alike(tmp_path: Path) -> None:
    # "aa" is ▁, a, a for both.
    tokens = "augmenter leia puts in 3.0 tokens with the target, 3.0 with the source"
    right, left = ({"augment": [{"leia": {"side": side}}]} for side in ("right", "left"))
    said = [Finding(Mark.GOOD, PLACES), Finding(Mark.GOOD, tokens)]
    assert found(tmp_path, "aa", {"right": right, "left": left}) == said


def test_names_that_the_target_cuts_into_more_pieces(tmp_path: Path) -> None:
    # "bb" is ▁ and the unknown token for the source, ▁ and two bytes for the target.
    [places, tokens] = found(tmp_path, "bb", {"right": {"augment": ["leia"]}})
    assert places == Finding(Mark.GOOD, PLACES)
    assert tokens.mark is Mark.NOTE
    assert "3.0 tokens with the target, 2.0 with the source: pieces that the source may not know" in tokens.what


@pytest.mark.parametrize("options", [{"language": "qu"}, {"p": 0.0}, {"side": "none"}])
def test_an_augmenter_that_finds_no_name_fails_and_an_idle_one_does_not(tmp_path: Path, options: Any) -> None:
    said = found(tmp_path, "aa", {"arm": {"augment": [{"leia": options}]}})
    assert [(finding.mark, finding.what[:39]) for finding in said] == (
        [(Mark.BAD, PLACES.replace("2 places", "0 places"))] if "language" in options else []
    )


def test_text_without_anchors_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Lima\n")
    corpus = {"train": [str(tmp_path / "text.txt")]}
    adaptation = {"augment": ["leia"]}
    recipe = CompareSettings(
        source="s", target_tokenizer="t", corpus=corpus, strategies=["mean"], adaptation=adaptation
    )
    findings = Findings()
    report_augmenters(findings, recipe, None, None)
    assert [finding.mark for finding in findings.findings] == [Mark.BAD]
    assert "annotated text is JSON lines or Parquet" in findings.findings[0].what
