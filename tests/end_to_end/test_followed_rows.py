"""Neighbors that a cell writes: those of the tables before and after adaptation, read from models by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from fixtures.commands import write_files
from fixtures.recipes import one_cell_recipe
from lexigraft.api.compare.run import compare
from lexigraft.api.graft import graft_model
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.models.loading import load_model

pytestmark = pytest.mark.slow


def nearest(table: npt.NDArray[np.float32], i: int) -> tuple[float, list[int]]:
    """Norm and the five rows of highest cosine."""
    lengths = np.linalg.norm(table, axis=1)
    cosines = table @ table[i] / lengths / lengths[i]
    cosines[i] = -2
    return float(lengths[i]), np.argsort(-cosines, kind="stable")[:5].tolist()


@pytest.mark.parametrize(("name", "embeddings"), [("roberta-tied-bias", "full"), ("llama-untied", "lora")])
def test_neighbors_are_those_of_the_grafted_and_of_the_merged_table(name: str, embeddings: str, tmp_path: Path) -> None:
    files = write_files(tmp_path / "files", name)
    adaptation = {"steps": 2, "batch_tokens": 64, "sequence_length": 32, "learning_rate": 0.1, "embeddings": embeddings}
    recipe = one_cell_recipe(
        tmp_path,
        source=str(files.source),
        target_tokenizer=str(files.target),
        keep_models=True,
        adaptation=adaptation,
        tracking={"enabled": False},
    )
    compare(recipe, tmp_path / "out")
    [cell] = (tmp_path / "out" / "cells").iterdir()
    found = pq.read_table(cell / "neighbors.parquet").to_pylist()
    values = read_recipe(recipe)
    models = {
        "before": graft_model(values.source, str(values.target_tokenizer), "random", seed=0).model,
        "after": load_model(cell / "model"),
    }
    tables = {when: model.get_input_embeddings().weight.detach().numpy() for when, model in models.items()}
    tokens = {line["target_id"]: line["token"] for line in pq.read_table(cell / "provenance.parquet").to_pylist()}
    assert len(found) > 20
    assert (tables["before"] != tables["after"]).any()
    for line in found:
        assert line["token"] == tokens[line["target_id"]]
        for when, table in tables.items():
            norm, ids = nearest(table[: len(tokens)], line["target_id"])
            assert line[f"norm_{when}"] == pytest.approx(norm, rel=1e-5)
            assert line[f"neighbors_{when}"] == [tokens[i] for i in ids]
