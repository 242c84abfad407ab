"""Heat maps: how far from the best, within noise no color, readable on light and dark pages, a table for readers."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from lexigraft.core.evaluation.benchmark.leaderboard import Block, Entry, Leaderboard, leaderboard
from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, ComparisonRecord, MetricRecord
from lexigraft.core.evaluation.statistics.ranking import Rank
from lexigraft.report.benchmark.heat_map import heat_map, seed_noise
from lexigraft.report.benchmark.leaderboard import lead, write_benchmark_report
from lexigraft.report.charts.heat_cell import ground, shades

BITS = MetricRecord(True, {"random": {"0": 2.9, "1": 3.1}, "focus": {"0": 1.9, "1": 2.1}, "keep": {"0": 3.9, "1": 4.1}})
TOPICS = MetricRecord(False, {"random": {"0": 0.2, "1": 0.4}, "focus": {"0": 0.4, "1": 0.6}})
RECORD = BenchmarkRecord(
    "small",
    {
        "quechua": ComparisonRecord({}, "random", {"bits_per_byte/heldout": BITS, "accuracy/topics": TOPICS}, {}),
        "guarani": ComparisonRecord({}, "random", {"bits_per_byte/heldout": BITS}, {}),
    },
)


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    return leaderboard(RECORD)


def test_shades_by_hand() -> None:
    values = {"a": 2.0, "b": 2.5, "c": 3.0, "d": 3.0}
    assert shades(values, lower_is_better=True) == {"a": 1.0, "b": 0.5, "c": 0.0, "d": 0.0}
    assert shades(values, lower_is_better=False) == {"a": 0.0, "b": 0.5, "c": 1.0, "d": 1.0}
    assert shades(values | {"keep": 9.0}, lower_is_better=True)["b"] == 0.5, "an outlier does not take the color"
    assert shades(values, lower_is_better=True, noise=2.0) == {"a": 1.0, "b": 0.75, "c": 0.5, "d": 0.5}
    assert shades({"a": 2.0, "b": 2.0}, lower_is_better=True) == {"a": 1.0, "b": 1.0}


def test_the_noise_of_seeds_by_hand() -> None:
    """Three strategies, each with 2 · 0.1² = 0.02 and one degree of freedom: s² = 0.02; t(0.975, 3) = 3.1824, n = 2.

    3.1824 · √(0.02 · 2 / 2) = 0.4501. One seed has no noise to tell.
    """
    assert seed_noise(BITS) == pytest.approx(0.4501, abs=1e-4)
    assert seed_noise(MetricRecord(True, {"a": {"0": 1.0}, "b": {"0": 2.0}})) == 0.0


def test_the_map_of_a_suite_by_hand(board: Leaderboard) -> None:
    """Bits: 2, 3, 4 are 1, 0.5 and 0. Topics: 0.5 and 0.3 lie within the noise 4.3027 · √0.02 = 0.6085, both near."""
    bits, topics = heat_map(board, RECORD)
    assert list(bits.rows) == ["quechua", "guarani"]
    focus, random, keep = (cell for cell in bits.rows["guarani"] if cell is not None)
    assert (focus.text, focus.strong, focus.ground) == ("2.000", True, ground(1))
    assert (random.text, random.strong, random.ground) == ("3.000", False, ground(0.5))
    assert (keep.text, keep.strong, keep.ground) == ("4.000", False, ground(0))
    near, far, missing = topics.rows["quechua"]
    assert near is not None
    assert far is not None
    assert missing is None
    assert (near.ground, far.ground) == (ground(1), ground(1 - 0.2 / 0.6085))
    assert near.strong
    assert far.strong


def test_the_first_sentences_claim_nothing_within_error() -> None:
    blocks = [Block(name, "bits_per_byte/heldout", True) for name in ("x", "y")]
    ranks = {"a": Rank(1.5, 1.0, 2.0), "b": Rank(2.0, 1.5, 2.5), "c": Rank(3.0, 2.5, 3.0)}
    figures = {"a": (1.0, 2.0), "b": (2.0, 1.0), "c": (3.0, 3.0)}
    entries = [
        Entry(label, rank, rank, None, None, dict(zip(blocks, figures[label], strict=True)))
        for label, rank in ranks.items()
    ]
    assert lead(Leaderboard("small", tuple(blocks), tuple(entries))) == [
        "Lowest mean rank: a, 1.50 of 3.",
        "Its interval overlaps that of b: not told apart.",
        "Best mean in bits_per_byte/heldout: a in 1 of 2, b in 1 of 2.",
    ]
    assert lead(Leaderboard("small", tuple(blocks), tuple(entries[:2])))[1].endswith(
        "of every other one: not told apart."
    )
    assert lead(Leaderboard("small", tuple(blocks), tuple(entries[2:]))) == [
        "Best mean in bits_per_byte/heldout: c in 2 of 2."
    ]


def test_the_map_is_a_table_with_headings(board: Leaderboard, tmp_path: Path) -> None:
    page = write_benchmark_report(board, RECORD, tmp_path).html.read_text(encoding="utf-8")
    table = page[page.index('<table class="matrix">') :].partition("</table>")[0]
    assert table.count('scope="rowgroup" rowspan="2">bits_per_byte/heldout') == 1
    assert re.findall(r'scope="row">(\w+)<', table) == ["quechua", "guarani", "quechua"]
    assert re.findall(r"<span>(\w+)</span></th>", table) == ["focus", "random", "keep"]
    assert "<strong>2.000</strong></td>" in table


@pytest.mark.parametrize("strength", [-1.0, -0.5, 0.5, 1.0])
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_figures_can_be_read_on_every_ground(strength: float, scheme: int) -> None:
    """The contrast of WCAG 2, AA: 4.5 to 1."""
    style = (resources.files("lexigraft.report") / "templates" / "style.html.j2").read_text(encoding="utf-8")
    ink, page = (_rgb(re.findall(rf"--{name}: (#\w+)", style)[scheme]) for name in ("ink", "ground"))
    *hue, opacity = map(float, re.findall(r"[\d.]+", ground(strength)))
    mixed = [opacity * one + (1 - opacity) * under for one, under in zip(hue, page, strict=True)]
    light, dark = sorted((_luminance(ink), _luminance(mixed)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def _rgb(color: str) -> list[float]:
    digits = color[1:] if len(color) == 7 else "".join(2 * c for c in color[1:])
    return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]


def _luminance(rgb: list[float]) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (one / 255 for one in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
