"""Figures in which differences that matter fill the picture: outliers are left out of axes and named."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from fixtures.comparisons import made_cells, made_comparison, made_result, write_made
from lexigraft.core.evaluation.cells.cell import CellResult, Score
from lexigraft.core.evaluation.cells.cell_store import save_comparison, save_result
from lexigraft.report.charts.axes import outliers
from lexigraft.report.charts.cost import cost_figure
from lexigraft.report.charts.curves import curves_figure
from lexigraft.report.charts.intervals import interval_figures
from lexigraft.report.data import Report, read_report
from lexigraft.report.writer import write_report


def test_outliers_by_hand() -> None:
    """Gaps of 0.1, 0.1 and 2.0: the last is wider than the others together, and one of four lies above it."""
    assert outliers({"a": 1.0, "b": 1.1, "c": 1.2, "keep": 3.2}) == {"keep"}
    assert outliers({"a": 1.0, "b": 1.1, "keep": 3.2, "mean": 9.0, "c": 1.2}) == {"keep", "mean"}
    assert outliers({"a": 1.0, "b": 1.1, "c": 1.2, "d": 1.35}) == frozenset()
    assert outliers({"oracle": 1.0, "b": 3.0, "c": 3.1, "d": 3.2}) == frozenset(), "the best is never left out"
    assert outliers({"a": 1.0, "b": 9.0, "c": 90.0}) == frozenset(), "three say nothing of what is usual"


def with_keep_far_off(folder: Path) -> Report:
    def result(made: CellResult) -> CellResult:
        if made.cell.label != "keep":
            return dataclasses.replace(made, cost={**made.cost, "seconds": 10.0 * (1 + len(made.cell.label))})
        far = [Score(s.step, s.metric, s.value + 4) if "heldout" in s.metric else s for s in made.scores]
        return dataclasses.replace(made, scores=tuple(far))

    cells = made_cells()
    save_comparison(folder, made_comparison(cells), "r")
    for cell in cells:
        save_result(folder, result(made_result(cell)))
    return read_report(folder)


def test_an_outlier_does_not_flatten_the_others(tmp_path: Path) -> None:
    report = with_keep_far_off(tmp_path)
    figures = interval_figures(report)
    centers = [float(re.search(r'<circle cx="([\d.]+)"', f).group(1)) for n, f in figures.items() if n != "keep"]  # type: ignore[union-attr]
    assert max(centers) - min(centers) > 100, "they fill most of the 150 pixels"
    assert "<circle" not in figures["keep"]
    assert "(beyond the axis)" in figures["keep"]
    near = curves_figure(report, near=True)
    names = re.findall(r'class="name">([^<]*)<', near)
    assert [name for name in names if name.startswith("↑")] == ["↑ keep 6.63"]
    ends = [float(y) for y in re.findall(r'<circle cx="620\.0" cy="([-\d.]+)"', near)]
    inside = [y for y in ends if 14 <= y <= 360]
    assert len(inside) == 8
    assert max(inside) - min(inside) > 100


def test_there_is_one_view_where_the_end_is_everything(tmp_path: Path) -> None:
    cells = made_cells()
    save_comparison(tmp_path, made_comparison(cells), "r")
    for cell in cells:
        made = made_result(cell)
        save_result(tmp_path, dataclasses.replace(made, scores=tuple(s for s in made.scores if s.step == 400)))
    report = read_report(tmp_path)
    assert curves_figure(report, near=True) == ""
    assert curves_figure(report) != ""


def test_cost_is_of_a_whole_run_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    report = with_keep_far_off(tmp_path)
    figure = cost_figure(report)
    labels = set(re.findall(r'data-label="([^"]*)"', figure))
    assert labels == {"poor", "random", "mean", "subword_mean", "focus", "tema", "focus+subword_mean", "oracle"}
    assert re.search(r"<title>focus: 2.3\d+ bits per byte, 60.0 s</title>", figure)
    page = write_report(tmp_path).html.read_text()
    assert "Far above the others and left out: keep." in page
    assert "Not counted: the pre-training (time not recorded) of the model of tema, poor." in page, (
        "the recipe tells nothing of it"
    )


def test_times_within_a_factor_of_one_and_a_half_have_a_sentence_and_no_figure(tmp_path: Path) -> None:
    write_made(tmp_path)
    assert cost_figure(read_report(tmp_path)) == ""
    assert re.search(
        r"All took [\d.]+ min to [\d.]+ min, so the time of a run", write_report(tmp_path).html.read_text()
    )
