"""The report: self-contained, complete, made of the comparison's own cells, the same bytes from the same results."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from fixtures.comparisons import STRATEGIES, made_cells, made_comparison, made_result, write_made
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Score
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_failure, save_result
from lexigraft.report.tables.cost import cost
from lexigraft.report.tables.ranking import ranking
from lexigraft.report.writer import read_report, table_text, write_report


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(folder: Path, width: int = 200) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table_text(read_report(folder)))
    return console.export_text()


def test_the_page_needs_nothing_else_and_names_every_strategy(tmp_path: Path) -> None:
    write_made(tmp_path)
    text = write_report(tmp_path).html.read_text()
    page = Page(text)
    assert page.open == []
    assert {"link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in page.tags)
    assert not [a for _, attributes in page.tags for a in attributes if a in ("src", "href", "xlink:href")]
    assert not re.search(r"https?://|url\((?!#)|@import", text)
    for label in STRATEGIES:
        assert f"<strong>{label}</strong>" in text
        assert f"<figcaption>{label}</figcaption>" in text
    for drawing in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        ET.fromstring(drawing)
    assert text.count("<svg") == 9 + 2 + 9 + 9, "intervals, curves near and whole, curves and losses one by one"
    assert "nan" not in text
    assert "name: english-quechua" in text


def test_ranked_by_the_end_and_never_by_step_0(tmp_path: Path) -> None:
    write_made(tmp_path)
    report = read_report(tmp_path)
    finals = [r.final.mean for r in report.rows if r.final]
    assert finals == sorted(finals)
    starts = [r.start for r in report.rows]
    assert starts != sorted(starts, key=lambda s: s or 0)
    page = (write_report(tmp_path).html).read_text()
    assert "Use <strong>tema</strong>: 2.2" in page, "the oracle is a bound, not a contender"


def test_rows_by_hand(tmp_path: Path) -> None:
    write_made(tmp_path)
    rows = {r.label: r for r in read_report(tmp_path).rows}
    at_end = [made_result(c).value("bits_per_byte/heldout") or 0 for c in made_cells() if c.label == "focus"]
    assert rows["focus"].final is not None
    assert rows["focus"].final.mean == pytest.approx(sum(at_end) / 3)
    assert rows["focus"].final.values == tuple(at_end)
    assert (rows["random"].recovered, rows["oracle"].recovered) == (0.0, 1.0)
    assert rows["focus"].fallback_share == pytest.approx(1434 / 5120)
    assert rows["keep"].fallback_share is None
    assert rows["random"].p is None
    assert all(0 <= (r.p if r.p is not None else 0) <= 1 for r in rows.values())
    assert rows["tema"].marks == ("target body",)
    assert rows["keep"].marks == ("control", "source tokenizer")
    assert rows["random"].marks == ("reference",)
    assert rows["focus"].probe == rows["focus"].curve[50].mean


def test_a_cell_of_another_key_never_enters(tmp_path: Path) -> None:
    write_made(tmp_path)
    before = {p.name: p.read_bytes() for p in write_report(tmp_path)}
    stranger = dataclasses.replace(made_cells()[0], key="f" * 64)
    save_result(tmp_path, dataclasses.replace(made_result(made_cells()[0]), cell=stranger, notes=("intruder",)))
    unknown = dataclasses.replace(made_cells()[0], label="unlisted", key="e" * 64)
    save_result(tmp_path, dataclasses.replace(made_result(made_cells()[0]), cell=unknown))
    planted = cell_folder(tmp_path, made_cells()[1]) / "result.json"
    whole = planted.read_text()
    assert {p.name: p.read_bytes() for p in write_report(tmp_path)} == before
    planted.write_text(whole.replace(made_cells()[1].key, "d" * 64))
    text = write_report(tmp_path).markdown.read_text()
    assert "keep (seed 1) has not finished" in text
    assert "keep · control · source tokenizer · 2 of 3 seeds" in text


def test_the_csv_is_long_and_exact(tmp_path: Path) -> None:
    write_made(tmp_path)
    with write_report(tmp_path).csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["strategy", "seed", "body", "step", "metric", "value"]
    result = made_result(made_cells()[20])
    cell = result.cell
    mine = [r for r in rows if (r["strategy"], r["seed"]) == (cell.label, str(cell.seed))]
    expected = [(s.step, s.metric, s.value) for s in result.scores]
    expected += [(step, "loss/train", loss) for step, loss in result.losses]
    assert [(int(r["step"]), r["metric"], float(r["value"])) for r in mine] == sorted(expected)
    assert {r["body"] for r in mine} == {cell.body}


def test_one_seed_says_that_it_has_no_interval(tmp_path: Path) -> None:
    write_made(tmp_path, seeds=(0,))
    paths = write_report(tmp_path)
    for text in (paths.html.read_text(), paths.markdown.read_text()):
        assert "One seed: there are no intervals" in text
    assert "p vs reference" not in paths.html.read_text()
    assert "± " not in shown(tmp_path)


def test_warnings(tmp_path: Path) -> None:
    cells = made_cells()
    comparison = made_comparison(cells)
    save_comparison(tmp_path, comparison, "r")
    for cell in cells:
        result = made_result(cell)
        if cell.label == "mean":
            lossy = tuple(s for s in result.scores if not s.metric.startswith("lossless"))
            result = dataclasses.replace(result, scores=(*lossy, Score(400, "lossless_share/heldout", 0.62)))
        if cell.label == "subword_mean" and cell.seed == 2:
            result = dataclasses.replace(result, scores=(Score(400, "bits_per_byte/heldout", float("nan")),))
        if (cell.label, cell.seed) == ("random", 1):
            save_failure(tmp_path, cell, "Traceback …\nMemoryError: no room")
        elif (cell.label, cell.seed) != ("poor", 0):
            save_result(tmp_path, result)
    report = read_report(tmp_path)
    text = " ".join(report.warnings)
    assert "focus: 28% of the new tokens" in text
    assert "The tokenizer of mean changes 38.0% of the held-out lines" in text
    assert "random (seed 1) failed: MemoryError: no room" in text
    assert "poor (seed 0) has not finished" in text
    assert "subword_mean: bits per byte is not finite" in text
    assert report.rows[-1].label == "subword_mean"
    write_report(tmp_path)
    assert "2 of 3 seeds" in shown(tmp_path)


def test_notes_of_the_strategies_stand_beside_the_result_not_among_the_warnings(tmp_path: Path) -> None:
    def noted(result: CellResult) -> CellResult:
        notes = {
            "tema": (f"chose {'ab'[result.cell.seed > 0]}",),
            "focus": ("<b>rejected</b>",),
            "mean": ("<b>rejected</b>",),
        }
        return dataclasses.replace(result, notes=(*notes.get(result.cell.label, ()), "digits differ"))

    write_with(tmp_path, noted)
    report = read_report(tmp_path)
    assert report.warnings == ("focus: 28% of the new tokens were covered by no method and got fallback rows.",)
    assert sorted(report.notes) == [
        "all: digits differ",
        "focus, mean: <b>rejected</b>",
        "tema: chose a (seed 0)",
        "tema: chose b (seed 1, 2)",
    ]
    paths = write_report(tmp_path)
    assert "- tema: chose b (seed 1, 2)\n" in paths.markdown.read_text()
    assert "<li>focus, mean: &lt;b&gt;rejected&lt;/b&gt;</li>" in paths.html.read_text()


def test_what_strategies_learned_on_before_adaptation_is_counted_beside_their_figures(tmp_path: Path) -> None:
    def costed(result: CellResult) -> CellResult:
        tokens = 400_000 + 300 * result.cell.seed if result.cell.label == "focus" else 0
        cost = {**result.cost, "plan_seconds": 130.0 if tokens else 0.25, "learned_tokens": tokens}
        return dataclasses.replace(result, cost=cost)

    write_with(tmp_path, costed)
    report = read_report(tmp_path)
    table = {row[0]: dict(zip(ranking(report).columns, row, strict=True)) for row in ranking(report).rows}
    assert table["focus"]["tokens"] == "400,300 + 819,200"
    assert table["mean"]["tokens"] == "819,200"
    costs = {row[0]: dict(zip(cost(report).columns, row, strict=True)) for row in cost(report).rows}
    assert (costs["focus"]["tokens before adaptation"], costs["mean"]["tokens before adaptation"]) == ("400,300", "–")
    assert {row["tokens in adaptation"] for row in costs.values()} == {"819,200"}
    assert {row["of it plan"] for row in costs.values()} == {"2.2 min", "0.2 s"}
    assert "in tokens beyond everyone's budget: focus (400,300)." in report.remarks[-1]
    paths = write_report(tmp_path)
    assert "tokens: learned on before adaptation" in paths.markdown.read_text()
    assert '<th scope="col">tokens before adaptation</th>' in paths.html.read_text()
    assert "400,300 + 819,200" in shown(tmp_path)


def test_results_of_older_runs_say_nothing_of_what_they_did_not_measure(tmp_path: Path) -> None:
    write_with(tmp_path, lambda result: dataclasses.replace(result, cost={"seconds": 3.0}))
    report = read_report(tmp_path)
    assert cost(report).columns == ("strategy", "seconds", "pre-training", "tokens before adaptation")
    unknown = ("not recorded", "?")
    assert {row[0]: row[2:] for row in cost(report).rows if row[2] != "–"} == {"tema": unknown, "poor": unknown}
    assert "tokens" not in ranking(report).columns
    write_made(tmp_path)
    columns = cost(read_report(tmp_path)).columns
    assert "tokens in adaptation" in columns
    assert "of it plan" not in columns


def write_with(folder: Path, changed: Callable[[CellResult], CellResult]) -> None:
    """A made comparison whose results are changed."""
    write_made(folder)
    for cell in made_cells():
        save_result(folder, changed(made_result(cell)))


def test_labels_from_a_recipe_cannot_break_the_page(tmp_path: Path) -> None:
    cells = [dataclasses.replace(c, label=f"<b>&|[x]{c.label}") for c in made_cells((0,))[:2]]
    results = [dataclasses.replace(made_result(o), cell=c) for o, c in zip(made_cells((0,))[:2], cells, strict=True)]
    save_comparison(
        tmp_path, dataclasses.replace(made_comparison(cells, None), name="</title><i>"), "<script>r</script>"
    )
    for result in results:
        save_result(tmp_path, result)
    paths = write_report(tmp_path)
    page = Page(paths.html.read_text())
    assert {"b", "i"}.isdisjoint(tag for tag, _ in page.tags)
    assert [tag for tag, _ in page.tags].count("script") == 2, "the page's own"
    assert "\\|[x]keep" in paths.markdown.read_text()
    assert "<b>&|[x]keep" in shown(tmp_path)


def test_the_latex_table_is_the_ranking_and_escapes_what_latex_reads(tmp_path: Path) -> None:
    cells = [dataclasses.replace(c, label=f"{c.label}_50%") for c in made_cells((0, 1)) if c.label != "oracle"]
    save_comparison(tmp_path, made_comparison(cells, "random_50%"), "r")
    for cell in cells:
        made = made_result(dataclasses.replace(cell, label=cell.label.removesuffix("_50%")))
        save_result(tmp_path, dataclasses.replace(made, cell=cell))
    lines = write_report(tmp_path).latex.read_text().splitlines()
    assert lines[0] == "\\begin{tabular}{lrrrrrr}"
    assert lines[2].startswith("strategy & bits per byte & vs reference & ")
    assert lines[4].startswith("tema\\_50\\% & 2.2")
    assert "$\\pm$" in lines[4]
    assert len(lines) == 4 + 8 + 2


def test_a_folder_without_finished_cells_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LexigraftError, match="no comparison in this folder"):
        write_report(tmp_path)
    save_comparison(tmp_path, made_comparison(made_cells()), "r")
    with pytest.raises(LexigraftError, match="no cell of this comparison is finished"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_the_csv_does_not_depend_on_the_order_of_measuring(tmp_path: Path) -> None:
    comparison = write_made(tmp_path)
    before = write_report(tmp_path).csv.read_bytes()
    for cell in comparison.cells:
        made = made_result(cell)
        save_result(tmp_path, dataclasses.replace(made, scores=made.scores[::-1], losses=made.losses[::-1]))
    assert write_report(tmp_path).csv.read_bytes() == before


def test_figures_of_token_groups_have_a_table_of_their_own(tmp_path: Path) -> None:
    write_made(tmp_path)
    assert "Bits per byte by token frequency" not in write_report(tmp_path).markdown.read_text()
    for cell in made_cells():
        rare = Score(400, "bits_per_byte_seen_0-4/heldout", 4.25)
        elsewhere = Score(400, "bits_per_byte_seen_0-4/flores", 9.75)
        made = made_result(cell)
        save_result(tmp_path, dataclasses.replace(made, scores=(*made.scores, rare, elsewhere)))
    text = write_report(tmp_path).markdown.read_text()
    assert "| strategy | seen 0-4 |" in text
    assert "4.250" in text
    assert "9.750" not in text


def test_many_measures_make_a_long_table_and_not_a_wide_one(tmp_path: Path) -> None:
    cells = made_cells()
    tasks = {"ner": {"evaluator": "tagging", "items": 1037, "lower_is_better": False}}
    facts = dict(made_comparison(cells).facts) | {"tasks": tasks, "probe_step": 0, "measured_lines": {"heldout": 200}}
    save_comparison(tmp_path, dataclasses.replace(made_comparison(cells), facts=facts), "r")
    for cell in cells:
        result = made_result(cell)
        share = 0.5 if cell.label == "keep" else 0.25
        extra = [Score(400, "candidates/lexicon", 2338.0), Score(400, "precision_at_1/lexicon", share)]
        save_result(tmp_path, dataclasses.replace(result, scores=(*result.scores, *extra)))
    text = write_report(tmp_path).markdown.read_text()
    table = text.partition("## Other measures")[2].partition("\n## ")[0]
    assert "| measure | " in table
    assert "The same for all: candidates/lexicon 2,338." in table
    assert f"| precision_at_1/lexicon |{' 0.250 |' * (len(STRATEGIES) - 1)} 0.500 |" in table
    assert "- tasks: ner: tagging on 1,037 items" in text
    assert "- measured lines: heldout: 200" in text
    header = next(line for line in text.splitlines() if line.startswith("| strategy | bits per byte"))
    assert header.count("step 0") == 1, "the probe at step 0 is step 0"


def test_a_newcomer_reads_what_the_strategies_do_and_how_to_get_the_numbers(tmp_path: Path) -> None:
    cells = [dataclasses.replace(c, label="mine") if c.label == "poor" else c for c in made_cells((0,))]
    cells = [
        dataclasses.replace(c, parameters={"strategy": "not_installed"}) if c.label == "mine" else c for c in cells
    ]
    save_comparison(tmp_path, made_comparison(cells), "r")
    for made, cell in zip(made_cells((0,)), cells, strict=True):
        save_result(tmp_path, dataclasses.replace(made_result(made), cell=cell))
    paths = write_report(tmp_path)
    page, text = paths.html.read_text(encoding="utf-8"), paths.markdown.read_text(encoding="utf-8")
    assert "What tema does: Each rare token's row is placed relative to" in text
    assert "<dt>mean</dt><dd>Each new row is the mean of all source rows.</dd>" in page
    assert re.search(r"<dt>focus\+subword_mean</dt><dd>[^<]+ Then, for what is left: [^<]+pieces", page)
    assert "<dt>mine</dt>" not in page
    assert "A bound that knows the right rows, and no contender: oracle." in page
    tema = next(cell for cell in cells if cell.label == "tema")
    command = f"lexigraft cell run --recipe DIR/recipe.yaml --cell {tema.folder} --out NEW"
    assert f"<code>{command}</code>" in page
    assert f"such as tema (seed 0): `{command}`" in text
