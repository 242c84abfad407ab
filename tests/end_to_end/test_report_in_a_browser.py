"""The report in a real browser and a sandbox: search, lines off, zoom, no errors, nothing wider than the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.comparisons import made_cells, made_comparison, made_result
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.report.writer import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]
USE = r"""<script>
const found = {};
const box = document.querySelector("#token-search input");
box.value = "WAS";
box.dispatchEvent(new Event("input"));
found.rows = [...document.querySelector("#token-list tbody").rows].map((row) => row.cells[0].textContent).join(" ");
const chosen = () => {
  const lines = [...document.querySelector("#token-row tbody").rows];
  const line = lines.find((row) => row.cells[0].textContent === "focus");
  const cells = [...line.cells].slice(1).map((one) => one.textContent.replaceAll(/[\u2068\u2069]/g, ""));
  return [document.querySelector("#token-row caption strong").textContent, ...cells].join("; ");
};
found.searched = chosen();
found.status = document.querySelector("#token-search [role=status]").textContent;
document.querySelectorAll("#token-list button")[1].click();
found.clicked = chosen();
box.value = "";
box.dispatchEvent(new Event("input"));
found.examples = [...document.querySelectorAll("#token-list button")].map((one) => one.textContent).join(" ");
const name = document.querySelector('svg.curves .series[data-label="focus"] .name');
name.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
found.off = [...new Set([...document.querySelectorAll(".series.off")].map((one) => one.dataset.label))].join(" ");
found.wide = document.documentElement.scrollWidth > window.innerWidth;

const chart = document.querySelector("svg.curves[data-box]");
const [left, top_, right, bottom] = chart.dataset.box.split(" ").map(Number);
const last = [...chart.querySelectorAll('.series[data-label="tema"] circle')].at(-1);
const at = () => last.getAttribute("cx") + "," + last.getAttribute("cy");
const labels = () => [...chart.querySelectorAll(".ticks text")].map((one) => one.textContent).join(" ");
const mouse = (type, x, y) => {
  const {x: clientX, y: clientY} = new DOMPoint(x, y).matrixTransform(chart.getScreenCTM());
  const values = {clientX, clientY, button: 0, pointerType: "mouse", bubbles: true};
  chart.dispatchEvent(type === "dblclick" ? new MouseEvent(type, values) : new PointerEvent(type, values));
};
const drag = (x, y, toX, toY) => {
  mouse("pointerdown", x, y);
  mouse("pointermove", toX, toY);
  mouse("pointerup", toX, toY);
};
const press = (key) => chart.dispatchEvent(new KeyboardEvent("keydown", {key}));
const before = [at(), labels()];
drag((left + right) / 2, top_ + 100, right, top_ + 101);
found.steps = at();
mouse("dblclick", right - 9, bottom - 9);
found.reset = String(at() === before[0] && labels() === before[1]);
drag(left, (top_ + bottom) / 2, right, bottom);
found.values = at();
found.relabelled = labels() !== before[1];
press("Escape");
found.escaped = String(at() === before[0]);
chart.parentElement.querySelector(".zoom button").click();
found.closer = at() !== before[0];
press("ArrowRight");
window.dispatchEvent(new Event("beforeprint"));
found.printed = String(at() === before[0] && labels() === before[1]);
found.before = before[0];
parent.postMessage(found, "*");
</script>"""
LEFT, TOP, RIGHT, BOTTOM = 46, 14, 624, 360
MIDDLE = (LEFT + RIGHT) / 2
"""Of the chart."""
FRAME = """<body><iframe sandbox="allow-scripts" width="1280" height="900" srcdoc="{}"></iframe><script>
addEventListener("message", ({{ data }}) => Object.assign(document.body.dataset, data));
</script></body>"""
"""As MLflow shows artifacts: scripts run, but without an origin there is no storage."""


def test_the_page_works_in_a_browser(tmp_path: Path) -> None:
    cells = made_cells()
    save_comparison(tmp_path, made_comparison(cells), "r")
    for cell in cells:
        save_result(tmp_path, made_result(cell))
        tokens = ["▁wasi", "▁wasikuna", "▁inti"]
        rows = {
            "token": tokens,
            "rule": [cell.label] * 3,
            "source_tokens": [["a", "b"]] * 3,
            "weights": [[0.5, 0.5]] * 3,
        }
        pq.write_table(pa.table(rows), cell_folder(tmp_path, cell) / "provenance.parquet")
        after = [["x", "y"], ["y", "▁inti"], ["x", "y"]] if cell.label == "focus" else [["x", "y"]] * 3
        followed = {
            "target_id": [0, 1, 2],
            "token": tokens,
            "neighbors_before": [["x", "y"]] * 3,
            "neighbors_after": after,
        }
        followed |= {f"norm_{when}": [1.5] * 3 for when in ("before", "after")}
        followed |= {f"cosines_{when}": [[0.5, 0.25]] * 3 for when in ("before", "after")}
        pq.write_table(pa.table(followed), cell_folder(tmp_path, cell) / "neighbors.parquet")
    page = tmp_path / "used.html"
    text = write_report(tmp_path).html.read_text(encoding="utf-8")
    page.write_text(FRAME.format(escape(text.replace("</body>", f"{USE}</body>"))), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1300,1000", "--virtual-time-budget=3000"]
    command += ["--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    body = re.search(r"<body[^>]*>", done.stdout)
    assert body is not None
    found = dict(re.findall(r'data-(\w+)="([^"]*)"', body.group()))
    (x, y), steps, values = ([float(v) for v in found.pop(of).split(",")] for of in ("before", "steps", "values"))
    assert found == {
        "rows": "▁wasi ▁wasikuna",
        "status": "2 tokens",
        "searched": "▁wasi; 0.50 a + 0.50 b; 1.500 → 1.500; x · y; x · y; 2 of 2",
        "clicked": "▁wasikuna; 0.50 a + 0.50 b; 1.500 → 1.500; x · y; y · ▁inti; 1 of 2",
        "examples": "▁wasi ▁wasikuna ▁inti",
        "off": "focus",
        "wide": "false",
        **dict.fromkeys(("reset", "relabelled", "escaped", "closer", "printed"), "true"),
    }
    assert steps == pytest.approx([LEFT + (x - MIDDLE) / (RIGHT - MIDDLE) * (RIGHT - LEFT), y], abs=0.06)
    assert values == pytest.approx([x, TOP + 2 * (y - (TOP + BOTTOM) / 2)], abs=0.06), "the lower half fills the chart"
    assert "CONSOLE" not in done.stderr
