"""Scripts and settings of the launcher `slurm`, without a Slurm: what is wrong is named before it is submitted."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.job_state import MEANINGS, State
from lexigraft.core.remote.launcher import Job
from lexigraft.plugins.launchers._slurm.commands import STATES, Seen, evidence
from lexigraft.plugins.launchers.slurm import Slurm

TEMPLATE = Path(__file__).parents[3] / "src/lexigraft/plugins/launchers/_slurm/batch.sh.j2"


def slurm(**fields: Any) -> Slurm:
    launcher: Slurm = make("launcher", "slurm", fields)
    return launcher


def batch(launcher: Slurm, folders: list[str] | None = None) -> str:
    script = launcher._batch_script(folders or ["/jobs/a b"], launcher.resources)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    return script


def run_script(launcher: Slurm, **env: str) -> str:
    script = launcher._run_script(
        Job(["lexigraft", "cell", "run", "--cell", "a b"], launcher.resources, env, Path("/j"))
    )
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    return script.splitlines()[-1]


def test_every_setting_is_in_the_batch_script() -> None:
    launcher = slurm(
        partition="a100", account="lab", qos="high", constraint="nvlink&ib", gres="gpu:a100:2", nodes=2, cpus=8,
        memory="16GiB", time="90m", options=["--exclude=n7"], modules=["cuda/12.4"], before=["ulimit -n 4096"],
        notice="5m", requeues=3,
    )  # fmt: skip
    lines = batch(launcher, ["/jobs/1", "/jobs/2"]).splitlines()
    wanted = [
        "#!/bin/bash -l", "#SBATCH --partition=a100", "#SBATCH --account=lab", "#SBATCH --qos=high",
        "#SBATCH --constraint='nvlink&ib'", "#SBATCH --gres=gpu:a100:2", "#SBATCH --nodes=2",
        "#SBATCH --cpus-per-task=8", "#SBATCH --mem=16384M", "#SBATCH --time=90", "#SBATCH --exclude=n7",
        "#SBATCH --signal=B:USR1@300",
        "#SBATCH --requeue", "module load cuda/12.4 ", "ulimit -n 4096", "  /jobs/1", "  /jobs/2",
    ]  # fmt: skip
    assert [line for line in wanted if line not in lines] == []
    options = [n for n, line in enumerate(lines) if line.startswith("#SBATCH")]
    commands = [n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    assert max(options) < min(commands)  # sbatch reads no option after the first command


def test_what_is_not_set_is_left_to_the_cluster() -> None:
    options = [line for line in batch(slurm(requeues=0)).splitlines() if line.startswith("#SBATCH")]
    assert options == [
        "#SBATCH --nodes=1", "#SBATCH --ntasks-per-node=1", "#SBATCH --signal=B:USR1@120", "#SBATCH --no-requeue",
        "#SBATCH --open-mode=append",
    ]  # fmt: skip
    assert "#SBATCH --gpus-per-node=2" in batch(slurm(gpus=2))


@pytest.mark.parametrize(
    ("fields", "prefix"),
    [
        ({}, ""),
        ({"gpus": 1}, ""),
        ({"gpus": 4}, "PY -m torch.distributed.run --standalone --nproc-per-node=4 --no-python "),
        (
            {"gpus": 2, "nodes": 3, "cpus": 8},
            "srun --nodes 3 --ntasks 3 --ntasks-per-node 1 --kill-on-bad-exit=1 --cpus-per-task 8 "
            "PY -m torch.distributed.run --nnodes 3 --nproc-per-node=2 --rdzv-backend c10d "
            '--rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:$port" --no-python ',
        ),
        (
            {"gpus": 1, "container": "/images/a.sif", "mounts": ["/data"]},
            "apptainer exec --nv --bind /data /images/a.sif ",
        ),
        (
            {"gpus": 2, "nodes": 2, "container": "a.sif"},
            "srun --nodes 2 --ntasks 2 --ntasks-per-node 1 --kill-on-bad-exit=1 apptainer exec --nv a.sif "
            "PY -m torch.distributed.run --nnodes 2 --nproc-per-node=2 --rdzv-backend c10d "
            '--rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:$port" --no-python ',
        ),
    ],
)
def test_the_command_runs_in_as_many_processes_as_asked_for(fields: dict[str, Any], prefix: str) -> None:
    line = run_script(slurm(python="PY", **fields))
    assert line.endswith(f" -- {prefix}lexigraft cell run --cell 'a b'")
    assert "--requeued --grace 90 " in line


def test_enroot_is_told_names_of_variables_and_no_values() -> None:
    line = run_script(slurm(container="a.sqsh", container_program="enroot", mounts=["/data"]), HF_TOKEN="planted")
    assert "enroot start --mount /data:/data --env " in line
    assert "--env HF_TOKEN " in line
    assert "--env OMP_NUM_THREADS " in line
    assert "planted" not in line


def test_the_wrapper_of_a_container_runs_outside_of_it_in_this_python() -> None:
    assert run_script(slurm(python="/opt/python", container="a.sif")).startswith(f"exec {slurm().interpreter} -m")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"partitoin": "a100"}, r"partitoin\. Did you mean 'partition'"),
        ({"container_program": "docker"}, "'apptainer' or 'enroot'"),
        ({"nodes": 0}, "field 'nodes'"),
        ({"modules": "cuda"}, "field 'modules'"),
        ({"notice": "soon"}, "not a time"),
    ],
)
def test_a_bad_setting_is_refused_by_its_key(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(LexigraftError, match=words):
        slurm(**fields)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "template of the batch script cannot be read"),
        ("{% if partition %}", "has a mistake: .*line 1"),
        ("{{ partitoin }}", "has a mistake: .*'partitoin' is undefined"),
    ],
)
def test_a_bad_template_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    template = tmp_path / "mine.j2"
    if text is not None:
        template.write_text(text)
    with pytest.raises(LexigraftError, match=words):
        slurm(template=str(template)).check()


def test_a_template_of_ones_own_is_used(tmp_path: Path) -> None:
    template = tmp_path / "mine.j2"
    template.write_text(TEMPLATE.read_text().replace("#SBATCH --open-mode", "#SBATCH --nice\n#SBATCH --open-mode"))
    assert "#SBATCH --nice" in batch(slurm(template=str(template)))


def test_a_machine_without_slurm_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LexigraftError, match="Slurm cannot be asked: sbatch is not there"):
        slurm().check()


def test_words_of_slurm_become_states() -> None:
    assert {evidence(Seen(word)).state for word in STATES} == set(State)
    for word, state in STATES.items():
        assert evidence(Seen(word)).alive == (not MEANINGS[state].over)
    assert evidence(Seen("PENDING", "Resources")).reason == "Slurm: PENDING, Resources"
    assert evidence(Seen("NEW_WORD")).alive is None
