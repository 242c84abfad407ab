"""Pictures found by captions in a new language: a tiny CLIP, trained here, before and after grafts, by strategy.

    python benchmarks/vision/clip_retrieval.py

48 scenes of shapes; 36 are for training and 12, new combinations of the same words, are held out. The language of the
captions is cloned, so that the right row of every new token is known. "Adapted" models trained their token rows alone,
on the 36 scenes with translated captions. Shares of captions whose own picture is the nearest; chance is 1 of 48 and
1 of 12. Each seed makes another split, another language and another model. Takes a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from fixtures.shape_pictures import SCENES, World, adapted, grafted, make_world, retrieval

STRATEGIES = ("random", "subword_mean", "oracle")
ALL = range(len(SCENES))


def main() -> int:
    """Print a Markdown table of means over seeds with their 95% intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("seeds", 5), ("steps", 250), ("adaptation", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines: dict[str, list[tuple[float, float]]] = {}
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as name:
            world = make_world(Path(name), seed, given.steps)
            for label, found in _shares(world, Path(name), seed, given.adaptation):
                lines.setdefault(label, []).append(found)
    print(f"{given.seeds} seeds, {given.steps} steps of training, {given.adaptation} of adaptation\n")
    print("| | all 48 scenes | 12 held-out scenes |\n|---|--:|--:|")
    for label, found in lines.items():
        print(f"| {label} | " + " | ".join(_mean(column) for column in zip(*found, strict=True)) + " |")
    return 0


def _shares(world: World, folder: Path, seed: int, steps: int) -> list[tuple[str, tuple[float, float]]]:
    captions = [scene.caption for scene in SCENES]

    def both(model_folder: Path, texts: list[str], model: object = None) -> tuple[float, float]:
        return retrieval(model_folder, texts, ALL, model), retrieval(model_folder, texts, world.heldout, model)

    found = [
        ("source model, its own language", both(world.source, captions)),
        ("source model, new language", both(world.source, world.translated)),
    ]
    grafts = {strategy: grafted(world, strategy, folder / strategy, seed) for strategy in STRATEGIES}
    found += [(f"`{name}`", both(graft, world.translated)) for name, graft in grafts.items()]
    for name, graft in grafts.items():
        found.append((f"`{name}`, adapted", both(graft, world.translated, adapted(graft, world, seed, steps))))
    return found


def _mean(values: tuple[float, ...]) -> str:
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.3f} ± {half:.3f}"


if __name__ == "__main__":
    sys.exit(main())
