"""Both ways of scoring the pieces of a word on the models that a comparison of masked models kept.

    lexigraft compare examples/quechua.yaml --out results-quechua --set keep_models=true
    python benchmarks/comparison/within_word.py results-quechua …

For each strategy: bits per byte on the held-out text with words hidden whole and from left to right, mean over the
seeds (± half of the 95% interval), their difference, and the bits per byte by a token's frequency in the training text,
from left to right. Cells without a kept model are left out.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from lexigraft.api.compare.inputs import load_texts
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.evaluation.cells.cell import Cell
from lexigraft.core.evaluation.cells.cell_store import cell_folder, load_comparison
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData
from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate
from lexigraft.core.evaluation.token_groups import FREQUENCIES
from lexigraft.core.models.loading import load_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.token_counts import stored_counts
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.report.formats import interval, number

GROUPS = [f"bits_per_byte_seen_{name}" for name in FREQUENCIES]


def main(folders: list[str]) -> int:
    """Print a Markdown table for each comparison; 2 without one."""
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    for folder in map(Path, folders):
        comparison = load_comparison(folder)
        figures: dict[str, list[dict[str, float]]] = {}
        for cell in comparison.cells:
            if (cell_folder(folder, cell) / "model").is_dir():
                figures.setdefault(cell.label, []).append(measured(folder, cell))
                print(f"{cell.title}: {figures[cell.label][-1]}", file=sys.stderr, flush=True)
        print(f"\n{comparison.name}\n\n| strategy | whole | left to right | difference | {' | '.join(FREQUENCIES)} |")
        print("|---|" + "--:|" * (3 + len(GROUPS)))
        for label, found in figures.items():
            means = [_mean(found, name) for name in ("whole", "bits_per_byte", "difference", *GROUPS)]
            cells = [interval(means[0]), interval(means[1]), *(number(mean and mean.mean) for mean in means[2:])]
            print(f"| {label} | {' | '.join(cells)} |")
    return 0


def _mean(found: list[dict[str, float]], name: str) -> Estimate | None:
    """The mean over the seeds that have a figure; None where none has it."""
    values = [figures[name] for figures in found if name in figures]
    return estimate(values) if values else None


def measured(folder: Path, cell: Cell) -> dict[str, float]:
    """The figures of a kept model, and ``whole`` beside them."""
    recipe = read_recipe(folder / "recipe.yaml")
    texts = load_texts(recipe)
    path = str(cell_folder(folder, cell) / "model")
    model, vocabulary = load_model(path), load_vocabulary(path)
    chosen = dict(recipe.evaluation.options.get("bits_per_byte", {})) | {"within_word": "left_to_right"}
    context = EvaluationContext(token_counts=stored_counts(vocabulary, texts.train, folder / "prepared" / "counts"))
    left_to_right = BitsPerByte(**chosen)
    found = dict(left_to_right.evaluate(model, vocabulary, TextData.of(texts.heldout.lines), context).figures)
    whole = dataclasses.replace(left_to_right, within_word="whole").line_bits(model, vocabulary, texts.heldout.lines)
    found["whole"] = float(whole.sum()) / sum(len(line.encode()) for line in texts.heldout.lines)
    return found | {"difference": found["bits_per_byte"] - found["whole"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
