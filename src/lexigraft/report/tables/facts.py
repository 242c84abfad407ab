"""Facts of a comparison: what was compared on what, and how to make every number again."""

from __future__ import annotations

from lexigraft.core.evaluation.cells.cost_metadata import PRETRAINED_PARAMETERS, PRETRAINING_SECONDS, SOURCE_PARAMETERS
from lexigraft.report.data import Report
from lexigraft.report.formats import NOTHING, count, size
from lexigraft.report.rows import Row
from lexigraft.report.segmentation import FACT


def facts(report: Report) -> list[tuple[str, str]]:
    """What was compared on what, as name and value."""
    known = dict(report.comparison.facts)
    versions = known.pop("versions", None)
    for shown_elsewhere in ("controls", FACT, SOURCE_PARAMETERS, PRETRAINED_PARAMETERS, PRETRAINING_SECONDS):
        known.pop(shown_elsewhere, None)
    pairs = [("strategies", str(len(report.comparison.labels)))]
    pairs.append(("seeds", ", ".join(map(str, report.comparison.seeds))))
    pairs += [(name.replace("_", " "), _fact(name, value)) for name, value in known.items() if value not in (None, {})]
    if isinstance(versions, dict):
        pairs.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return pairs


def reproduction(report: Report, best: str) -> list[tuple[str, str]]:
    """What there is to reproduce, with the command that does it in the comparison's folder ``DIR``.

    Args:
        report: The report.
        best: The label whose cell is the example.
    """
    cell = next(cell for cell in report.comparison.cells if cell.label == best)
    return [
        ("Every number", "lexigraft compare DIR/recipe.yaml --out NEW"),
        (
            f"The figures of one strategy and seed, such as {cell.title}",
            f"lexigraft cell run --recipe DIR/recipe.yaml --cell {cell.folder} --out NEW",
        ),
        ("Means, intervals and tests, and these pages, from the finished cells", "lexigraft report DIR"),
        ("Bootstrap intervals and permutation tests beside them", "lexigraft report DIR --resample"),
    ]


def standing(row: Row, report: Report) -> str:
    """How many of the comparison's seeds the row has, where it is not all of them."""
    wanted = len(report.comparison.seeds)
    return "" if len(row.seeds) == wanted else f"{len(row.seeds)} of {wanted} seeds"


def _fact(name: str, value: object) -> str:
    if name.endswith("_hash") or name == "hash":
        return str(value)[:12]
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_about(part)}" for key, part in value.items()) or NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name.endswith("_bytes"):
        return size(value) if value >= 2**20 else f"{value:,.0f} B"
    return count(value) if isinstance(value, int) else f"{value:g}"


def _about(part: object) -> str:
    """One entry of a fact: a task's evaluator and size, or a plain value."""
    if isinstance(part, dict) and {"evaluator", "items"} <= part.keys():
        return f"{part['evaluator']} on {count(part['items'])} items"
    return count(part) if isinstance(part, int) else str(part)
