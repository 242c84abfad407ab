"""The report in a real browser: the search, names that switch lines off, no errors, nothing wider than the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.comparisons import made_cells, made_comparison, made_result
from lexigraft.core.evaluation.cells.cell_store import cell_folder, save_comparison, save_result
from lexigraft.report.writer import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]
USE = """<script>
const found = document.body.dataset;
const box = document.querySelector("#token-search input");
box.value = "WAS";
box.dispatchEvent(new Event("input"));
found.rows = [...document.querySelectorAll("table.tokens tbody tr")].map((row) => row.cells[0].textContent).join(" ");
found.status = document.querySelector("#token-search [role=status]").textContent;
const name = document.querySelector('svg.curves .series[data-label="focus"] .name');
name.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
found.off = [...new Set([...document.querySelectorAll(".series.off")].map((one) => one.dataset.label))].join(" ");
found.wide = document.documentElement.scrollWidth > window.innerWidth;
</script>"""


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
    page = tmp_path / "used.html"
    text = write_report(tmp_path).html.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", f"{USE}</body>"), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    body = re.search(r"<body[^>]*>", done.stdout)
    assert body is not None
    found = dict(re.findall(r'data-(\w+)="([^"]*)"', body.group()))
    assert found == {"rows": "▁wasi ▁wasikuna", "status": "2 tokens", "off": "focus", "wide": "false"}
    assert "CONSOLE" not in done.stderr
