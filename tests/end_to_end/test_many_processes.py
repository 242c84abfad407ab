"""Two processes on this machine (gloo) train like one: the same losses and weights, one output, also when resumed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from fixtures.commands import Files, lexigraft, write_files
from fixtures.launched import CONFIGS, TORCHRUN, accelerate_launch, launched
from fixtures.recipes import tiny_recipe
from lexigraft.adapters.tracking.client import connect
from lexigraft.core.grafting.folder import new_rows

pytestmark = [pytest.mark.remote, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]

DEEPSPEED = pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
# Five rows a step: the two shares differ.
BUDGET = ("--batch-tokens", 160, "--set", "sequence_length=32", "--learning-rate", 1e-2, "--json")
# Few tokens to guess, so that the shares hold different numbers of them, and sometimes one holds none.
FEW_MASKS = ("--set", "objective_options={mask_share: 0.02}")


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launched processes have none; the one that they are compared with, this one, does without too."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def adapt(files: Files, out: Path, *more: object) -> list[object]:
    return ["adapt", files.source, "--corpus", files.source_text, "--steps", 8, *BUDGET, "--out", out, *more]


def facts(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "lexigraft.json").read_text())
    return found


def assert_same_training(one: Path, many: Path, tolerance: float = 1e-5) -> None:
    ours, theirs = facts(one), facts(many)
    assert [step for step, _ in ours["losses"]] == [step for step, _ in theirs["losses"]]
    for (_, expected), (_, got) in zip(ours["losses"], theirs["losses"], strict=True):
        assert got == pytest.approx(expected, abs=tolerance)
    assert_same_weights(one, many, tolerance)
    assert ours["tokens_trained"] == theirs["tokens_trained"]


def assert_same_weights(one: Path, many: Path, tolerance: float = 1e-5) -> None:
    expected, got = load_file(one / "model.safetensors"), load_file(many / "model.safetensors")
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, atol=tolerance, rtol=0)


def test_torchrun_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_files(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    assert lexigraft(*adapt(files, tmp_path / "one", *FEW_MASKS)).code == 0
    measured = ("--heldout", files.text, "--export", "both", "--track")
    done = launched(TORCHRUN, *adapt(files, tmp_path / "two", *FEW_MASKS, *measured))
    assert done.returncode == 0, done.stderr
    assert_same_training(tmp_path / "one", tmp_path / "two")
    assert json.loads(done.stdout)["after/bits_per_byte/heldout"] > 0
    assert done.stderr.count("adapting on") == 1
    assert "Warning" not in done.stderr
    client = connect(f"sqlite:///{tmp_path}/mlflow.db")
    experiments = client.search_experiments(filter_string="name != 'Default'")
    assert len(client.search_runs([e.experiment_id for e in experiments])) == 1
    made = {"one", "two", "source", "target", "source.txt", "target.txt", "mlflow.db"}
    assert {p.name for p in tmp_path.iterdir()} - made <= {"mlruns", "mlartifacts"}


def test_accelerate_causal(tmp_path: Path) -> None:
    files = write_files(tmp_path, "llama-untied")
    again = ("--set", "gradient_checkpointing=true")
    assert lexigraft(*adapt(files, tmp_path / "one", *again)).code == 0
    done = launched(accelerate_launch(CONFIGS / "two-processes-cpu.yaml"), *adapt(files, tmp_path / "two", *again))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 8
    assert_same_training(tmp_path / "one", tmp_path / "two")


def test_killed_processes_go_on_where_they_were(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    resumable = ("--work", tmp_path / "work", "--checkpoint-every", 2, "--set", "lora_dropout=0.1")
    plain = ("--work", tmp_path / "other", "--checkpoint-every", 0, "--set", "lora_dropout=0.1")
    assert launched(TORCHRUN, *adapt(files, tmp_path / "whole", *plain)).returncode == 0
    assert launched(TORCHRUN, *adapt(files, tmp_path / "two", *resumable), kill_at=5).returncode != 0
    [checkpoint] = (tmp_path / "work").rglob("checkpoint-*")
    assert checkpoint.name == "checkpoint-4"
    assert {p.name for p in checkpoint.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    done = launched(TORCHRUN, *adapt(files, tmp_path / "two", *resumable))
    assert done.returncode == 0, done.stderr
    assert_same_training(tmp_path / "whole", tmp_path / "two", 1e-6)
    assert not list((tmp_path / "work").iterdir())


def test_processes_of_which_one_is_told_to_end_save_and_stop_together(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    resumable = ("--work", tmp_path / "work", "--checkpoint-every", 100, "--set", "lora_dropout=0.1")
    plain = ("--work", tmp_path / "other", "--checkpoint-every", 0, "--set", "lora_dropout=0.1")
    assert launched(TORCHRUN, *adapt(files, tmp_path / "whole", *plain)).returncode == 0
    told = launched(TORCHRUN, *adapt(files, tmp_path / "two", *resumable), kill_at=-4)
    assert told.returncode != 0
    assert "ended by SIGTERM after step 5" in told.stderr
    [checkpoint] = (tmp_path / "work").rglob("checkpoint-*")
    assert checkpoint.name == "checkpoint-5"
    done = launched(TORCHRUN, *adapt(files, tmp_path / "two", *resumable))
    assert done.returncode == 0, done.stderr
    assert_same_training(tmp_path / "whole", tmp_path / "two", 1e-6)


SHARDED = [
    ("fsdp.yaml", "roberta-tied-bias", "optimizer*/*.distcp", {}),
    pytest.param("deepspeed.yaml", "roberta-tied-bias", "global_step*/*optim_states.pt", {}, marks=DEEPSPEED),
    pytest.param("deepspeed.yaml", "llama-untied", "global_step*/*optim_states.pt", {"zero_stage": 3}, marks=DEEPSPEED),
]


@pytest.mark.parametrize(("shipped", "name", "shards", "changed"), SHARDED)
def test_weights_in_shards(shipped: str, name: str, shards: str, changed: dict[str, int], tmp_path: Path) -> None:
    files = write_files(tmp_path, name)
    settings = yaml.safe_load((CONFIGS / shipped).read_text()) | {"mixed_precision": "no"}
    settings.get("deepspeed_config", {}).update(changed)
    config = tmp_path / shipped
    config.write_text(yaml.safe_dump(settings))
    assert lexigraft(*adapt(files, tmp_path / "one")).code == 0
    resumable = ("--work", tmp_path / "work", "--checkpoint-every", 2)
    sharded = accelerate_launch(config)
    assert launched(sharded, *adapt(files, tmp_path / "two", *resumable), kill_at=5).returncode != 0
    [checkpoint] = (tmp_path / "work").rglob("checkpoint-*")
    assert len(list(checkpoint.glob(shards))) == 2
    done = launched(sharded, *adapt(files, tmp_path / "two", *resumable))
    assert done.returncode == 0, done.stderr
    assert_same_training(tmp_path / "one", tmp_path / "two")


def test_pretraining(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    start = ("pretrain", "--corpus", files.source_text, "--tokenizer", files.source, "--steps", 4, *BUDGET)
    assert lexigraft(*start, "--out", tmp_path / "one").code == 0
    done = launched(TORCHRUN, *start, "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 4
    # Adam's first steps are the sign of the gradient: where that is almost zero, rounding decides.
    assert_same_weights(tmp_path / "one", tmp_path / "two", 1e-3)


def test_a_cell_of_a_recipe(tmp_path: Path) -> None:
    recipe = tiny_recipe(
        tmp_path, strategies=["random", "auto"], seeds=[0], keep_models=True, tracking={"enabled": False}
    )
    for out in (one := tmp_path / "one", two := tmp_path / "two"):
        assert lexigraft("cell", "prepare", "--recipe", recipe, "--stage", "comparison", "--out", out).code == 0
    cell = ("cell", "run", "--recipe", recipe, "--cell", "random-s0", "--json", "--out")
    alone = lexigraft(*cell, one)
    assert alone.code == 0, alone.err
    done = launched(TORCHRUN, *cell, two)
    assert done.returncode == 0, done.stderr
    expected, got = alone.json, json.loads(done.stdout)
    assert [score[:2] for score in got["scores"]] == [score[:2] for score in expected["scores"]]
    assert [s[2] for s in got["scores"]] == pytest.approx([s[2] for s in expected["scores"]], abs=1e-4)
    assert [loss for _, loss in got["losses"]] == pytest.approx([loss for _, loss in expected["losses"]], abs=1e-4)
    assert (got["cell"]["key"], got["coverage"]) == (expected["cell"]["key"], expected["coverage"])
    folder = next((two / "cells").iterdir())
    tables = {"provenance.parquet", "neighbors.parquet"}
    assert {p.name for p in folder.iterdir()} == {"result.json", *tables, "items", "model"}
    assert_same_weights(next((one / "cells").iterdir()) / "model", folder / "model", 1e-4)
    again = launched(TORCHRUN, *cell, two)
    assert again.returncode == 0
    assert json.loads(again.stdout)["before"]
    refused = launched(TORCHRUN, *cell[:4], "--cell", "auto-s0", "--json", "--out", two)
    assert json.loads(refused.stdout)["error"] == "this strategy runs in one process"


def test_new_rows_leave_old_rows_bit_for_bit(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    grafted = tmp_path / "grafted"
    assert lexigraft(*files.graft(grafted)).code == 0
    rows = ("--embeddings", "new_rows", "--head", "new_rows", "--body", "frozen")
    command = ["adapt", grafted, "--corpus", files.text, "--steps", 3, *BUDGET, "--out", tmp_path / "two", *rows]
    done = launched(TORCHRUN, *command)
    assert done.returncode == 0, done.stderr
    name = "roberta.embeddings.word_embeddings.weight"
    before, after = (load_file(folder / "model.safetensors")[name] for folder in (grafted, tmp_path / "two"))
    changed = {int(i) for i in (before != after).any(1).nonzero()}
    assert changed
    assert changed <= set(new_rows(grafted))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adapt", "nowhere", "--corpus", "none.txt", "--out", "out"], "error: text not found"),
        (["compare", "recipe.yaml", "--out", "out"], "error: this command runs in one process"),
        (["cell", "plan", "recipe.yaml"], "error: this command runs in one process: cell plan"),
    ],
)
def test_a_mistake_is_told_once(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = launched(TORCHRUN, *arguments)
    assert done.returncode != 0
    assert done.stderr.count(message) == 1, done.stderr
    assert "exitcode  : 2" in done.stderr  # the launcher's own account; its own exit code is 1
    assert not list(tmp_path.iterdir())


def test_fewer_rows_than_processes(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    done = launched(TORCHRUN, *adapt(files, tmp_path / "two", "--batch-tokens", 32))
    told = json.loads(done.stdout)
    assert told["error"] == "a batch has fewer rows than there are processes"
    assert told["value"] == "rows 1, processes 2"
    assert "exitcode  : 2" in done.stderr
    assert not (tmp_path / "two").exists()
