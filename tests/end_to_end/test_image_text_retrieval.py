"""A CLIP that was trained here finds pictures by captions in a new language once it has that language's tokens."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoProcessor

from fixtures.shape_pictures import SCENES, World, adapted, grafted, make_world, retrieval

GUIDE = Path(__file__).parents[2] / "docs/guides/vision-language.md"
ALL = range(len(SCENES))
CHANCE = 1 / len(SCENES)
SEED, STEPS, ADAPTATION = 0, 200, 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"), SEED, STEPS)


def test_with_the_right_rows_it_finds_as_many_pictures_as_before(world: World, tmp_path: Path) -> None:
    before = retrieval(world.source, [scene.caption for scene in SCENES], ALL)
    assert before > 0.5
    assert retrieval(world.source, world.translated, ALL) <= 2 * CHANCE
    assert retrieval(grafted(world, "oracle", tmp_path / "oracle", SEED), world.translated, ALL) == before


def test_the_python_of_the_guide_runs(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grafted(world, "mean", tmp_path / "grafted", SEED)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(SEED)
    scenes = range(0, len(SCENES), 4)
    batches = [([world.translated[i] for i in scenes], [SCENES[i].picture(rng) for i in scenes])] * 2
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    exec(compile("".join(code), "vision-language.md", "exec"), {"batches": batches})
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("grafted", "adapted"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"text_model.embeddings.token_embedding.weight"}
    assert AutoProcessor.from_pretrained("adapted").tokenizer.eos_token == "<|endoftext|>"


def test_token_rows_alone_learn_captions_that_they_have_not_seen(world: World, tmp_path: Path) -> None:
    """Only the table trains, on 36 scenes; the 12 others are new combinations of their words."""
    folder = grafted(world, "subword_mean", tmp_path / "mean", SEED)
    before = retrieval(folder, world.translated, world.heldout)
    after = retrieval(folder, world.translated, world.heldout, adapted(folder, world, SEED, ADAPTATION))
    assert before < 0.3
    assert after > 0.5
