"""A CLIP that was trained here finds pictures by captions in a new language once it has that language's tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.shape_pictures import SCENES, World, adapted, grafted, make_world, retrieval

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


def test_token_rows_alone_learn_captions_that_they_have_not_seen(world: World, tmp_path: Path) -> None:
    """Only the table trains, on 36 scenes; the 12 others are new combinations of their words."""
    folder = grafted(world, "subword_mean", tmp_path / "mean", SEED)
    before = retrieval(folder, world.translated, world.heldout)
    after = retrieval(folder, world.translated, world.heldout, adapted(folder, world, SEED, ADAPTATION))
    assert before < 0.3
    assert after > 0.5
