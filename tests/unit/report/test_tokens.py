"""The table of what rows are made of: weights, effective numbers, what the page can search."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.comparisons import made_cells, made_comparison, made_result
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.core.tokenization.token_counts import counts_file
from lexigraft.report.data import read_report
from lexigraft.report.neighbors import AdaptedRow, Neighbors
from lexigraft.report.tables.adapted_rows import adapted_rows, how_to_read_adapted_rows
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
    assert "token-neighbors" not in page.partition("<script>")[0], "cells of before followed no rows"


def follow(folder: Path) -> None:
    """``▁kanchik`` and ``</script>`` are followed: focus keeps two of five neighbors of the one, random all."""
    for cell in read_report(folder).comparison.cells:
        kept = cell.label == "random"
        columns = {
            "target_id": [2, 0],
            "token": ["▁kanchik", "</script>"],
            "norm_before": [1.0, 3.0],
            "norm_after": [1.25, 4.0],
            "neighbors_before": [list("abcde"), list("fghij")],
            "neighbors_after": [list("abcde" if kept else "xbayz"), list("fghij")],
            "cosines_before": [[0.5] * 5, [0.75] * 5],
            "cosines_after": [[0.9] * 5, [0.7] * 5],
        }
        pq.write_table(pa.table(columns), cell_folder(folder, cell) / "neighbors.parquet")


def test_rows_before_and_after_by_hand(tmp_path: Path) -> None:
    """Focus keeps 2 and 5 of 5 neighbors: 70%. Norms of 1 and 3 have the median 2, 1.25 and 4 have 2.625."""
    made(tmp_path)
    follow(tmp_path)
    report = read_report(tmp_path)
    found = {row[0]: row[1:] for row in adapted_rows(report).rows}
    assert found["focus"] == ("2.000", "2.625", "0.625", "0.800", "70.0%")
    assert found["random"][-1] == "100.0%"
    assert "tema" in found, "its rows are in the same table, whatever they were made of"
    text = (paths := write_report(tmp_path)).html.read_text()
    assert "<caption><strong>▁kanchik</strong>, occurrences: <span>3</span></caption>" in text
    assert "<td>1.000 → 1.250</td>" in text
    assert "<td>2 of 5</td>" in text
    carried = re.search(r'<script type="application/json" id="token-neighbors">(.*?)</script>', text, re.S)
    assert carried is not None
    values = json.loads(carried.group(1))
    norm, *ids = values["rows"]["focus"][0]
    assert (norm, "".join(values["names"][i] for i in ids)) == ("1.000 → 1.250", "abcdexbayz")
    assert "| focus | 2.000 | 2.625 | 0.625 | 0.800 | 70.0% |" in paths.markdown.read_text()


def test_followed_tokens_are_shown_even_if_they_are_rare(tmp_path: Path) -> None:
    made(tmp_path)
    comparison = read_report(tmp_path).comparison
    found = read_token_rows(tmp_path, comparison, [0, 3])
    assert found is not None
    assert (found.followed, found.tokens[found.examples[0]]) == (("</script>",), "</script>"), "▁a is a copy"


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.2, 0.4, 0.6, 0.8, 1.0), "Strategies that keep more have more bits per byte (Spearman +1.00 over 5"),
        ((0.4, 0.2, 0.6, 0.4, 0.6), "The share kept tells nothing of bits per byte (Spearman"),
        ((0.4, 0.4, 0.4, 0.4, 0.4), "how good it is."),
    ],
)
def test_whether_neighbors_say_anything_of_quality(shares: tuple[float, ...], said: str, tmp_path: Path) -> None:
    cells = [cell for cell in made_cells((0,)) if cell.label in {"random", "mean", "focus", "tema", "oracle"}]
    save_comparison(tmp_path, made_comparison(cells), "r")
    for cell in cells:
        save_result(tmp_path, made_result(cell))
    report = read_report(tmp_path)
    rows = {}
    for row, kept in zip(report.rows, shares, strict=True):
        after = tuple("abcde"[: round(5 * kept)].ljust(5, "x"))
        rows[row.label] = (AdaptedRow((1, 1), tuple("abcde"), after, (1, 1)),)
    assert said in how_to_read_adapted_rows(dataclasses.replace(report, neighbors=Neighbors((0,), ("a",), rows)))


def test_folders_of_before_have_no_such_table(tmp_path: Path) -> None:
    made(tmp_path)
    for path in tmp_path.glob("cells/*/provenance.parquet"):
        pq.write_table(pq.read_table(path).drop(["source_tokens"]), path)
    assert read_token_rows(tmp_path, read_report(tmp_path).comparison) is None
    assert "token-rows" not in write_report(tmp_path).html.read_text().partition("<script>")[0]
