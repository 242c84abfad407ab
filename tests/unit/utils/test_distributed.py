"""Shares of a batch make the whole, its loss too; accelerate understands the shipped configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from fixtures.adapting import CORPUS, load
from lexigraft.adapters.training.run_settings import Loop
from lexigraft.adapters.training.trainer import Shares
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.registry import make
from lexigraft.core.training.objective import DEFAULT_OBJECTIVE
from lexigraft.core.training.packing import pack
from lexigraft.core.utils.distributed import Processes, processes

CONFIGS = Path(__file__).parents[3] / "examples" / "accelerate"
LOOP = Loop(2, 5, 1e-2, 0.0, "linear", 0.0, "float32", 0, 0)


@pytest.fixture(autouse=True)
def _not_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "FSDP_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("rows", "count"), [(5, 2), (7, 3), (4, 4), (1, 1)])
def test_shares_are_the_whole_batch(rows: int, count: int) -> None:
    shares = [range(rows)[Processes(i, count, i).share(rows)] for i in range(count)]
    assert [row for share in shares for row in share] == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_without_rows_is_refused() -> None:
    with pytest.raises(LexigraftError, match="fewer rows than there are processes"):
        Processes(0, 3, 0).share(2)


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied", "t5-tied"])
@torch.no_grad()
def test_weighted_losses_of_the_shares_average_to_the_loss(name: str) -> None:
    model, vocabulary = load(name)
    kind = model_kind(model.config)
    options = {"mask_share": 0.02} if kind == "masked" else {}
    objective = make("objective", DEFAULT_OBJECTIVE[kind], options)
    whole = Shares(pack(vocabulary, CORPUS.lines, 32, kind=kind), LOOP, objective, vocabulary)
    for step in range(LOOP.steps):
        expected = float(objective.loss(model, whole[step]["batch"]))
        found = 0.0
        for index in range(3):
            part = Shares(whole.packed, LOOP, objective, vocabulary)
            part.processes = Processes(index, 3, index)
            part.rows = part.processes.share(LOOP.rows_per_batch)
            given = part[step]
            found += float(objective.loss(model, given["batch"])) * given["weight"] / 3
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_batch_is_known_by_its_place() -> None:
    _, vocabulary = load("roberta-tied-bias")
    objective = make("objective", "masked")
    packed = pack(vocabulary, CORPUS.lines, 32, kind="masked")
    later = Shares(packed, replace(LOOP, first_step=1), objective, vocabulary)[0]["batch"]
    for key, value in Shares(packed, LOOP, objective, vocabulary)[1]["batch"].items():
        assert torch.equal(value, later[key])


def test_a_cluster_that_sets_world_size_has_launched_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert processes() == Processes()


def test_the_first_version_of_fsdp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(LexigraftError, match="FSDP is not supported"):
        processes()


@pytest.mark.parametrize("shipped", sorted(p.name for p in CONFIGS.iterdir()))
def test_accelerate_understands_what_is_shipped(shipped: str) -> None:
    config = str(CONFIGS / shipped)
    load_config_from_file(config)  # refuses keys that it does not know
    given = launch_command_parser().parse_args(["--config_file", config, "-m", "lexigraft"])
    arguments, _, _ = _validate_launch_command(given)
    assert arguments.num_processes == 2
    assert arguments.use_fsdp == (shipped == "fsdp.yaml")
    assert arguments.use_deepspeed == (shipped == "deepspeed.yaml")
    assert not arguments.use_fsdp or arguments.fsdp_version == 2
    assert not arguments.use_deepspeed or arguments.zero_stage == 2
