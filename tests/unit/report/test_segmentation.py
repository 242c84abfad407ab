"""Segmentation of held-out lines before and after, in the page and in Markdown, made of the folder alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from fixtures.comparisons import made_cells, made_comparison, made_result, write_made
from lexigraft.core.evaluation.cells.cell_store import save_comparison, save_result
from lexigraft.core.tokenization.measures.segmentation import Piece
from lexigraft.core.tokenization.measures.segmentation_samples import Sample, Segmentation
from lexigraft.report.writer import write_report

BEFORE = (Piece("E2", "byte"), Piece("80 93", "byte"), Piece(" wa", "text"), Piece("<si>|", "unknown"))
AFTER = (Piece("–", "text"), Piece(" ", "between"), Piece("wasi", "text"))


def test_pieces_are_parted_and_counted(tmp_path: Path) -> None:
    """12 bytes in 4 tokens before are 3.0 a token; in 2 after, 6.0. The text: 2,400 bytes in 1,000 and 600 tokens."""
    cuts = {"source tokenizer": BEFORE, "target tokenizer": AFTER}
    found = Segmentation((Sample(12, cuts),), 2400, {"source tokenizer": 1000, "target tokenizer": 600})
    cells = made_cells((0,))
    made = made_comparison(cells)
    save_comparison(tmp_path, dataclasses.replace(made, facts={**made.facts, "segmentation": found.as_json()}), "r")
    for cell in cells:
        save_result(tmp_path, made_result(cell))
    paths = write_report(tmp_path)
    page, text = paths.html.read_text(encoding="utf-8"), paths.markdown.read_text(encoding="utf-8")
    whole = "source tokenizer 1,000 tokens, 2.4 bytes per token; target tokenizer 600 tokens, 4.0 bytes per token."
    assert f"The whole held-out text: {whole}" in page
    assert f"The whole held-out text: {whole}" in text
    assert "source tokenizer: 4 tokens, 3.0 bytes per token" in page
    assert "target tokenizer: 2 tokens, 6.0 bytes per token" in page
    assert '<b class="byte">E2</b><b class="byte">80 93</b><b class="text0"> wa</b><b class="unknown">&lt;si' in page
    assert '<b class="text0">–</b><b class="between"> </b><b class="text1">wasi</b>' in page, "neighbors differ"
    assert "    source tokenizer, 4 tokens, 3.0 bytes per token\n    <E2>|<80 93>| wa|⟦<si>|⟧\n" in text
    assert "    –| |wasi\n" in text
    assert "\n- segmentation" not in text, "not among the facts"


def test_a_folder_without_samples_has_no_such_part(tmp_path: Path) -> None:
    write_made(tmp_path, (0,))
    paths = write_report(tmp_path)
    for path in (paths.html, paths.markdown):
        assert "Segmentation before and after" not in path.read_text(encoding="utf-8")
