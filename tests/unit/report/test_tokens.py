"""The table of what rows are made of: weights, effective numbers, what the page can search."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fixtures.comparisons import made_cells, made_comparison, made_result
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.core.tokenization.token_counts import counts_file
from lexigraft.report.data import read_report
from lexigraft.report.tokens import TokenRow, read_token_rows
from lexigraft.report.writer import write_report

TOKENS = ["</script>", "▁wasi", "▁kanchik", "▁a"]


def write(folder: Path, cell: Cell) -> None:
    """``▁a`` is a copy everywhere; focus mixes two and four source rows, random has none."""
    focus = cell.label == "focus"
    rules = [cell.label, cell.label, cell.label, "bytes"]
    sources = [["<b>"], ["▁house", "▁home"], ["a", "b", "c", "d"], ["▁a"]] if focus else [[], [], [], ["▁a"]]
    weights = [[1.0], [0.25, 0.75], [0.25] * 4, [1.0]] if focus else [[], [], [], [1.0]]
    columns = {"token": TOKENS, "rule": rules, "source_tokens": sources, "weights": weights}
    path = cell_folder(folder, cell) / "provenance.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def made(folder: Path) -> None:
    cells = [
        dataclasses.replace(cell, parameters={**cell.parameters, "train": "text", "tokenizer": "vocabulary"})
        for cell in made_cells()
        if cell.label in {"random", "focus", "tema"}
    ]
    save_comparison(folder, made_comparison(cells), "r")
    for cell in cells:
        save_result(folder, made_result(cell))
        write(folder, cell)
    path = counts_file(folder / "prepared" / "counts", "text", "vocabulary")
    path.parent.mkdir(parents=True)
    np.save(path, np.array([1, 7, 3, 100]))


def test_rows_by_hand(tmp_path: Path) -> None:
    """Weights of 0.25 and 0.75: 1 / (0.0625 + 0.5625) = 1.6 rows count; four of 0.25: 1 / (4 · 0.0625) = 4."""
    made(tmp_path)
    found = read_token_rows(tmp_path, read_report(tmp_path).comparison)
    assert found is not None
    assert found.tokens == ("▁wasi", "▁kanchik", "</script>"), "the most frequent first, and no copies"
    assert found.occurrences == (7, 3, 1)
    assert list(found.rows) == ["random", "focus"], "tema's sources are rows of the poor model"
    wasi, kanchik, _ = found.rows["focus"]
    assert wasi == TokenRow("focus", (("▁home", 0.75), ("▁house", 0.25)), 1.6)
    assert kanchik.effective == 4.0
    plain = str(kanchik).replace("\u2068", "").replace("\u2069", "")
    assert plain == "0.25 a + 0.25 b + 0.25 c + …; effectively 4"
    assert str(found.rows["random"][0]) == "random"


def test_the_page_searches_what_it_carries_and_tokens_cannot_break_it(tmp_path: Path) -> None:
    made(tmp_path)
    page = write_report(tmp_path).html.read_text()
    carried = re.search(r'<script type="application/json" id="token-rows">(.*?)</script>', page, re.S)
    assert carried is not None
    assert json.loads(carried.group(1))["tokens"] == ["▁wasi", "▁kanchik", "</script>"]
    assert page.count("<script") == 3, "the rows, and the page's own two"


def test_folders_of_before_have_no_such_table(tmp_path: Path) -> None:
    made(tmp_path)
    for path in tmp_path.glob("cells/*/provenance.parquet"):
        pq.write_table(pq.read_table(path).drop(["source_tokens"]), path)
    assert read_token_rows(tmp_path, read_report(tmp_path).comparison) is None
    assert "token-rows" not in write_report(tmp_path).html.read_text().partition("<script>")[0]
