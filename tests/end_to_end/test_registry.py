"""The winner of a comparison in MLflow's registry: loaded by MLflow and by plain transformers, it says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.commands import lexigraft
from fixtures.recipes import tiny_recipe
from lexigraft.adapters.tracking.client import connect
from lexigraft.adapters.tracking.registry import task_of
from lexigraft.api.compare.register import winner_of
from lexigraft.core.errors import LexigraftError

TASKS = {"BertForMaskedLM": "fill-mask", "LlamaForCausalLM": "text-generation", "GPT2LMHeadModel": "text-generation"}
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_the_winner_is_registered_once_and_loads_with_the_same_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, uri = tmp_path / "out", f"sqlite:///{tmp_path}/mlflow.db"
    recipe = tiny_recipe(tmp_path, strategies=["random", "mean"], seeds=[0], poor_model=None)
    plain = lexigraft("compare", recipe, "--out", out)
    assert plain.code == 0, plain.out
    assert not list(out.glob("cells/*/model"))
    half = out / "cells" / winner_of(out).folder
    (half / "model").mkdir()
    (half / "model" / "config.json").write_text("{")
    (half / ".model.unfinished").touch()
    for _ in range(2):
        done = lexigraft("compare", recipe, "--out", out, "--set", "tracking.registered_model=quechua")
        assert done.code == 0, done.out
        assert "not registered" not in done.out
    winner = winner_of(out)
    client = connect(uri)
    [version] = client.search_model_versions("name = 'quechua'")
    assert version.tags["lexigraft.cell"] == winner.key
    assert client.get_run(version.run_id).data.tags["lexigraft.strategy"] == winner.label

    import mlflow
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        info = mlflow.models.get_model_info("models:/quechua/1")
        pipeline = mlflow.transformers.load_model("models:/quechua/1")
        fetched = Path(mlflow.artifacts.download_artifacts("models:/quechua/1", dst_path=str(tmp_path / "fetched")))
    finally:
        mlflow.set_tracking_uri(before)
    assert info.signature is not None
    assert info.signature.inputs.to_dict()[0]["type"] == "string"
    [example] = [path for path in fetched.rglob("*input_example*") if path.name == "input_example.json"]
    kept = out / "cells" / winner.folder / "model"
    text = AutoTokenizer.from_pretrained(kept)("wasi ñan mayu", return_tensors="pt")
    own = AutoModelForMaskedLM.from_pretrained(kept)(**text).logits
    [weights] = fetched.rglob("model.safetensors")
    plain_model = AutoModelForMaskedLM.from_pretrained(weights.parent)
    assert torch.equal(own, pipeline.model(**text).logits)
    assert torch.equal(own, plain_model(**text).logits)
    assert pipeline(json.loads(example.read_text()))[0]["token_str"]


@pytest.mark.parametrize("architecture", TASKS)
def test_a_model_has_the_task_of_its_class(tmp_path: Path, architecture: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    assert task_of(tmp_path) == TASKS[architecture]


@pytest.mark.parametrize("architectures", [["T5ForConditionalGeneration"], [], None])
def test_a_model_that_mlflow_has_no_task_for_is_refused(tmp_path: Path, architectures: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": architectures}))
    with pytest.raises(LexigraftError, match="MLflow has no task for such a model"):
        task_of(tmp_path)


@pytest.mark.parametrize("name", ["' '", "a/b", "a:b", "7"])
def test_a_name_that_no_registry_takes_is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    recipe = tiny_recipe(tmp_path, strategies=["random"], reference=None, poor_model=None)
    given = ["--out", tmp_path / "out", "--set", f"tracking.registered_model={name}"]
    done = lexigraft("compare", recipe, *given)
    assert done.code == 2
    assert "tracking.registered_model" in done.err
    assert not (tmp_path / "out").exists()
