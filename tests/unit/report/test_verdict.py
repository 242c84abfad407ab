"""The verdict: what to use, by how much, what is level with it, what it costs, and nothing beyond error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fixtures.comparisons import made_cells, made_comparison, made_result, write_made
from lexigraft.core.evaluation.cells.cell import CellResult, Score
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.core.evaluation.item_store import items_file, save_items
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.report.cost_account import how_to_read_cost
from lexigraft.report.data import read_report
from lexigraft.report.introduction import introduction
from lexigraft.report.remarks import moved_rows_remark
from lexigraft.report.tables.cost import cost
from lexigraft.report.tables.ranking import ranking
from lexigraft.report.verdict import Verdict, verdict

LINES = 40


def said(folder: Path, bits: Callable[[str, int], np.ndarray], seconds: dict[str, float], recipe: str = "r") -> Verdict:
    """The verdict where each line has one byte and takes the given bits."""
    cells = [cell for cell in made_cells() if cell.label in seconds]
    save_comparison(folder, made_comparison(cells), recipe)
    for cell in cells:
        made = made_result(cell)
        values = bits(cell.label, cell.seed)
        cost = {"seconds": seconds[cell.label], "tokens_trained": 1000}
        scores = (Score(400, "bits_per_byte/heldout", float(values.mean())),)
        save_result(folder, dataclasses.replace(made, scores=scores, cost=cost))
        items = {"bits_per_byte/heldout": ItemScores(values, np.ones(LINES))}
        save_items(items_file(cell_folder(folder, cell), 400), items)
    return verdict(read_report(folder))


def of_label(means: dict[str, float]) -> Callable[[str, int], np.ndarray]:
    """Lines around a strategy's mean: half of them 0.1 above it, half below, the same for each strategy."""
    wave = np.where(np.arange(LINES) % 2, 0.1, -0.1)

    def bits(label: str, seed: int) -> np.ndarray:
        own = 0.002 * np.sin(np.arange(LINES) * (seed + 2) + len(label))
        return np.asarray(means[label] + wave + own - own.mean())

    return bits


def test_a_clear_winner_by_hand(tmp_path: Path) -> None:
    """focus is 2.0 and random 2.5 on every line: 0.5 lower, and 1.0 lower than keep with 3.0."""
    means = {"focus": 2.0, "random": 2.5, "keep": 3.0}
    best, sentences, opening = said(tmp_path, of_label(means), {"focus": 30.0, "random": 20.0, "keep": 10.0})
    assert (opening, best) == ("Use", "focus")
    assert sentences[0].startswith("2.000 ± 0.000 bits per byte, 0.500 ± 0.00")
    assert sentences[0].endswith("lower than random (p < 0.001).")
    assert sentences[1].startswith("keep, with the source's vocabulary, is 1.000 ± 0.00")
    assert sentences[1].endswith("higher than focus.")
    assert sentences[2:] == ("A run of focus took 30.0 s here: 1,000 tokens of adaptation.",)


def test_level_strategies_are_named_and_the_cheapest_of_them(tmp_path: Path) -> None:
    means = {"focus": 2.0, "mean": 2.0, "random": 2.5}
    best, sentences, _ = said(tmp_path, of_label(means), {"focus": 30.0, "mean": 3.0, "random": 20.0})
    other = {"focus": "mean", "mean": "focus"}[best]
    assert sentences[1].startswith(f"Not told apart from it: {other} (a difference of 0.0")
    assert ", the next that is told apart from it (p " in sentences[0], "random, and not the one that is level"
    assert sentences[2].startswith(f"The cheapest of {best}, {other} is mean: it took 3.0 s here: 1,000 tokens of")


def test_a_control_is_called_so_with_the_best_on_the_sources_body_beside(tmp_path: Path) -> None:
    """poor is 0.2 lower than focus, tema is level with it; the recipe pre-trains for 25 steps of 4,096 tokens."""
    means = {"poor": 1.8, "tema": 1.8, "focus": 2.0, "random": 2.5}
    recipe = "poor_model:\n  preset: llama-tiny\n  steps: 25\n"
    best, sentences, opening = said(tmp_path, of_label(means), dict.fromkeys(means, 10.0), recipe)
    text = " ".join(sentences)
    if best == "poor":
        assert opening == "Lowest is a control,"
    assert sentences[0].startswith("1.800 ± 0.000 bits per byte, 0.200 ± 0.00")
    assert "lower than focus, the next that is told apart from it (p < 0.001)." in sentences[0]
    assert "poor is the control with a model of target text alone and nothing of the source" in text
    assert "start from a model already trained on 102,400 tokens of target text; the rows on the source's" in text
    assert "Lowest mean on the source's body with the new vocabulary: focus, 2.000 ± 0.000, 0.500 ± 0.00" in text
    assert "All took 10.0 s to 10.0 s, so the time of a run does not decide." in text
    assert "Not counted: the pre-training (102,400 tokens, time not recorded) of the model of " in text
    comparison = read_report(tmp_path).comparison
    facts = {"pretraining_seconds": 12.25, "source_parameters": 4_300_000, "poor_model_parameters": 2_100_000}
    assert "Parameters: source model not recorded." in how_to_read_cost(read_report(tmp_path))
    save_comparison(tmp_path, dataclasses.replace(comparison, facts={**comparison.facts, **facts}), recipe)
    recorded = read_report(tmp_path)
    assert "Not counted: the pre-training (102,400 tokens, 12.2 s) of" in " ".join(verdict(recorded).sentences)
    assert how_to_read_cost(recorded).endswith("Parameters: source model 4,300,000, pre-trained model 2,100,000.")
    at = cost(recorded).columns.index("pre-training")
    assert {row[0]: row[at] for row in cost(recorded).rows} == {
        "poor": "12.2 s", "tema": "12.2 s", "focus": "–", "random": "–"
    }  # fmt: skip
    unknown = said(tmp_path, of_label(means), dict.fromkeys(means, 10.0))
    assert "a model already trained on target text, how much is not recorded" in " ".join(unknown.sentences)


def test_what_rows_made_anew_change_is_said_for_rare_tokens_beside_all_text(tmp_path: Path) -> None:
    """tema less poor, over seeds 0 and 1: (3.0 − 3.2 + 3.2 − 3.2) / 2 = −0.1 at step 0, +0.25 for all text."""
    rare, text = "bits_per_byte_seen_5-14/heldout", "bits_per_byte/heldout"
    measured = {
        "poor": {(0, rare): (3.2, 3.2), (0, text): (2.0, 2.0), (40, rare): (3.0, 3.0), (40, text): (1.5, 1.5)},
        "tema": {(0, rare): (3.0, 3.2), (0, text): (2.2, 2.3), (40, rare): (3.0, 3.1), (40, text): (1.5, 1.5)},
    }
    cells = [cell for cell in made_cells((0, 1)) if cell.label in measured]
    save_comparison(tmp_path, made_comparison(cells), "r")
    for cell in cells:
        scores = tuple(Score(*at, values[cell.seed]) for at, values in measured[cell.label].items())
        save_result(tmp_path, dataclasses.replace(made_result(cell), scores=scores, coverage={"covered": 803}))
    assert (
        "tema replaces 803 rows of poor. Its bits per byte minus poor's (means, not tested): at step 0 "
        "tokens seen 5-14 times −0.100, all text +0.250; at step 40 tokens seen 5-14 times +0.050, all text +0.000."
    ) in verdict(read_report(tmp_path)).sentences


def test_nothing_is_said_of_new_rows_where_rare_tokens_or_the_poor_model_were_not_measured(tmp_path: Path) -> None:
    write_made(tmp_path)
    report = read_report(tmp_path)
    assert moved_rows_remark(report.rows, report.results) == "", "there are no figures of groups"
    assert moved_rows_remark([row for row in report.rows if not row.is_poor], report.results) == ""


def test_without_a_reference_or_controls_the_verdict_is_against_the_next(tmp_path: Path) -> None:
    means = {"focus": 2.0, "mean": 2.5}
    said(tmp_path, of_label(means), {"focus": 30.0, "mean": 10.0})
    cells = [cell for cell in made_cells() if cell.label in means]
    save_comparison(tmp_path, made_comparison(cells, None), "r")
    report = read_report(tmp_path)
    assert verdict(report).sentences[0].endswith("lower than mean (p < 0.001).")
    columns = ranking(report).columns
    assert "vs best" in columns
    assert "vs reference" not in columns
    assert "Controls do without" not in introduction(report)


def test_nothing_is_claimed_against_a_reference_within_error(tmp_path: Path) -> None:
    def bits(label: str, seed: int) -> np.ndarray:
        return np.random.default_rng([len(label), seed]).normal(2.0, 0.5, LINES)

    _, sentences, _ = said(tmp_path, bits, {"focus": 30.0, "random": 20.0})
    assert sentences[0].endswith("the lowest mean, but not told apart from any other.")
    assert "lower than" not in " ".join(sentences)


def test_tasks_name_the_best_where_one_is_told(tmp_path: Path) -> None:
    cells = [cell for cell in made_cells() if cell.label in {"focus", "random"}]
    tasks = {name: {"evaluator": "sib200", "lower_is_better": False} for name in ("topics", "coin")}
    made = made_comparison(cells)
    save_comparison(tmp_path, dataclasses.replace(made, facts={**made.facts, "tasks": tasks}), "r")
    for cell in cells:
        right = np.arange(LINES) < (30 if cell.label == "focus" else 10)
        coin = (np.arange(LINES) + cell.seed + (cell.label == "focus")) % 2
        items = {"accuracy/topics": ItemScores(right * 1.0, np.ones(LINES))}
        items["accuracy/coin"] = ItemScores(coin * 1.0, np.ones(LINES))
        result: CellResult = made_result(cell)
        scores = [Score(400, name, float(found.numerators.mean())) for name, found in items.items()]
        save_result(tmp_path, dataclasses.replace(result, scores=(*result.scores, *scores)))
        save_items(items_file(cell_folder(tmp_path, cell), 400), items)
    assert verdict(read_report(tmp_path)).sentences[-1] == "Best in tasks: focus in topics."
