"""Differences in the report: over lines and seeds where outcomes of items were kept, and never ranked inside error."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fixtures.comparisons import RECIPE, made_cells, made_comparison, made_result, write_made
from lexigraft.core.evaluation.cells.cell import Score
from lexigraft.core.evaluation.cells.cell_store import cell_folder, load_comparison, save_comparison, save_result
from lexigraft.core.evaluation.item_store import items_file, save_items
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.paired_comparison import difference
from lexigraft.report.formats import detectable, signed
from lexigraft.report.tables.arms import arms
from lexigraft.report.tables.tasks import tasks
from lexigraft.report.writer import read_report, write_report

MEANS = {"random": 2.50, "mean": 2.30, "focus": 2.000, "tema": 2.001}
SIZES = np.random.default_rng(0).integers(40, 160, 120).astype(float)
HARD = np.random.default_rng(1).normal(0, 0.3, 120)


def outcomes(label: str, seed: int) -> dict[str, ItemScores]:
    draw = np.random.default_rng([seed, *label.encode()])
    bits = SIZES * (MEANS[label] + HARD + draw.normal(0, 0.05, 120))
    right = (np.arange(50) % 10 < {"random": 2, "mean": 3, "focus": 7, "tema": 7}[label]).astype(float)
    source = SIZES * (1.5 + HARD + draw.normal(0, 0.05, 120))
    return {
        "bits_per_byte/heldout": ItemScores.of(bits, SIZES),
        "bits_per_byte/source": ItemScores.of(source, SIZES),
        "accuracy/topics": ItemScores.of(right),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cells = [cell for cell in made_cells() if cell.label in MEANS]
    comparison = made_comparison(cells)
    facts = {**comparison.facts, "tasks": {"topics": {"evaluator": "classification", "items": 50}}}
    save_comparison(tmp_path, dataclasses.replace(comparison, facts=facts), RECIPE)
    for cell in cells:
        kept = outcomes(cell.label, cell.seed)
        scores = tuple(Score(400, name, one.ratio) for name, one in kept.items())
        save_result(tmp_path, dataclasses.replace(made_result(cell), scores=scores))
        save_items(items_file(cell_folder(tmp_path, cell), 400), kept)
    return tmp_path


def test_a_difference_is_over_lines_and_seeds(folder: Path) -> None:
    rows = {row.label: row for row in read_report(folder).rows}
    found = rows["focus"].difference
    ours, theirs = (
        [outcomes(label, seed)["bits_per_byte/heldout"] for seed in range(3)] for label in ("focus", "random")
    )
    assert found == difference(ours, theirs)
    assert (found.items, found.seeds) == (120, 3)
    assert rows["random"].difference is None
    assert (rows["focus"].p or 1) < 0.001


def test_what_is_not_told_apart_shares_a_rank_and_the_page_says_so(folder: Path) -> None:
    report = read_report(folder)
    assert {row.label: row.rank for row in report.rows} == {"focus": 1, "tema": 1, "mean": 3, "random": 4}
    paths = write_report(folder)
    best, other = [row.label for row in report.rows][:2]
    assert f"Use <strong>{best}</strong>" in paths.html.read_text()
    assert f"Not told apart from it: {other} (a difference of " in paths.html.read_text()
    apart = difference(*([outcomes(n, seed)["bits_per_byte/heldout"] for seed in range(3)] for n in (other, best)))
    assert apart.detectable < 0.02
    assert f"(a difference of {apart.detectable:.3f} would have been)" in paths.markdown.read_text()
    assert not any("To tell" in remark for remark in report.remarks), "it is said once"
    assert "± half of its interval over lines and seeds" in paths.markdown.read_text()


def test_tasks_have_their_table_with_differences(folder: Path) -> None:
    report = read_report(folder)
    table = tasks(report)
    assert table.columns == ("strategy", "accuracy/topics", "vs reference: accuracy/topics")
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells["random"] == ("0.200 ± 0.000", "–")
    assert cells["focus"][1].startswith("+0.500 ± ")
    assert cells["focus"][1].endswith(" *")
    assert "accuracy/topics" not in report.measures
    assert "Higher is better." in write_report(folder).html.read_text()


def test_a_task_that_tells_nothing_says_what_it_would_have_told(folder: Path) -> None:
    right = np.roll(outcomes("random", 0)["accuracy/topics"].numerators, 1)
    for cell in (cell for cell in made_cells() if cell.label == "tema"):
        kept = {**outcomes("tema", cell.seed), "accuracy/topics": ItemScores.of(right)}
        save_items(items_file(cell_folder(folder, cell), 400), kept)
    report = read_report(folder)
    found = report.tasks[0].against["tema"]
    shown = next(row[2] for row in tasks(report).rows if row[0] == "tema")
    assert shown == f"+0.000 ± {found.half_width:.3f} ({found.detectable:.3f})"
    for path in (write_report(folder).markdown, write_report(folder).html):
        assert "In brackets, where it was not told: a difference of this size would have been found" in path.read_text()


def test_differences_csv(folder: Path) -> None:
    with write_report(folder, resample=True).differences.open(newline="") as file:
        lines = {(line["metric"], line["strategy"]): line for line in csv.DictReader(file)}
    assert len(lines) == 2 * 3
    line = lines["bits_per_byte/heldout", "mean"]
    low, high = float(line["low"]), float(line["high"])
    assert low < float(line["difference"]) < high < 0
    assert float(line["bootstrap_low"]) == pytest.approx(low, abs=0.02)
    assert float(line["p_permutation"]) < 0.001
    plain = write_report(folder).differences.read_text()
    assert plain.splitlines()[1].endswith(",,"), "without --resample nothing is drawn"


def test_without_items_the_seeds_are_compared(tmp_path: Path) -> None:
    write_made(tmp_path)
    rows = {row.label: row for row in read_report(tmp_path).rows}
    found = rows["mean"].difference
    assert found is not None
    assert (found.items, found.seeds) == (0, 3)
    assert "± half of its interval over seeds." in write_report(tmp_path).html.read_text()
    assert detectable(found) == ("–" if found.separable else f"{found.detectable:.3f}")


def test_other_items_are_not_paired(folder: Path) -> None:
    cell = next(cell for cell in made_cells() if cell.label == "focus" and cell.seed == 1)
    shorter = {name: ItemScores(one[0][:-1], one[1][:-1]) for name, one in outcomes("focus", 1).items()}
    save_items(items_file(cell_folder(folder, cell), 400), shorter)
    found = {row.label: row for row in read_report(folder).rows}["focus"].difference
    assert found is not None
    assert (found.items, found.seeds) == (0, 3)


def test_few_lines_are_told_how_many_more_it_takes(tmp_path: Path) -> None:
    cells = [cell for cell in made_cells((0, 1)) if cell.label in ("focus", "tema")]
    save_comparison(tmp_path, made_comparison(cells, None), RECIPE)
    for cell in cells:
        bits = ItemScores.of(2 + np.random.default_rng([cell.seed, *cell.label.encode()]).normal(0, 0.5, 12))
        scores = (Score(400, "bits_per_byte/heldout", bits.ratio),)
        save_result(tmp_path, dataclasses.replace(made_result(cell), scores=scores))
        save_items(items_file(cell_folder(tmp_path, cell), 400), {"bits_per_byte/heldout": bits})
    (sentence,) = [remark for remark in read_report(tmp_path).remarks if remark.startswith("To tell ")]
    assert "A difference of 0.02" in sentence
    assert "held-out lines" in sentence


def test_arms_are_set_against_their_own_control(folder: Path) -> None:
    comparison = load_comparison(folder)
    controls = {"focus": "mean", "tema": "random"}
    facts = {**comparison.facts, "controls": controls}
    save_comparison(folder, dataclasses.replace(comparison, facts=facts), RECIPE)
    report = read_report(folder)
    shown = {row[0]: dict(zip(arms(report).columns[1:], row[1:], strict=True)) for row in arms(report).rows}
    for arm, control in controls.items():
        target, source = (
            difference(*([outcomes(n, seed)[f"bits_per_byte/{text}"] for seed in range(3)] for n in (arm, control)))
            for text in ("heldout", "source")
        )
        assert shown[arm]["control"] == control
        assert shown[arm]["difference: bits_per_byte/heldout"] == signed(target)
        # The source text tells none of them apart, and the table says what it would have told.
        assert shown[arm]["difference: bits_per_byte/source"] == f"{signed(source)} ({source.detectable:.3f})"
        # 7 of 10 right against 3 of 10 or 2 of 10.
        assert shown[arm]["difference: accuracy/topics"].startswith({"mean": "+0.400", "random": "+0.500"}[control])
    paths = write_report(folder)
    with paths.differences.open(newline="") as file:
        lines = [(line["metric"], line["strategy"], line["reference"]) for line in csv.DictReader(file)]
    assert ("accuracy/topics", "focus", "mean") in lines
    assert ("accuracy/topics", "focus", "random") in lines
    assert lines.count(("accuracy/topics", "tema", "random")) == 1
    assert "## Arms against their control" in paths.markdown.read_text()
    assert "Arms against their control" in paths.html.read_text()


def test_without_arms_no_table_of_them_is_shown(folder: Path) -> None:
    paths = write_report(folder)
    assert "Arms against" not in paths.markdown.read_text() + paths.html.read_text()
    assert "bits_per_byte/source" not in paths.differences.read_text()
