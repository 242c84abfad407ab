"""The launcher `slurm` on a real cluster with a database of jobs and accounts (slurmdbd)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.slurm_cluster import DATABASE_PROGRAMS, PROGRAMS, Cluster, skip_unless, started_cluster, wait_until
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.remote.job_state import State
from lexigraft.core.remote.launcher import Handle, Launcher

pytestmark = [pytest.mark.remote, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    skip_unless(*PROGRAMS, *DATABASE_PROGRAMS)
    with started_cluster(Cluster(tmp_path_factory.mktemp("cluster"), forgets_after=2, accounts=True)) as one:
        yield one


def slurm(**fields: Any) -> Launcher:
    launcher: Launcher = make("launcher", "slurm", {"cpus": 1, "memory": "200MiB", **fields})
    return launcher


def submitted(launcher: Launcher, folder: Path) -> Handle:
    folder.mkdir()
    return launcher.submit(["echo", "here"], launcher.resources, {}, folder)


def test_an_account_that_does_not_exist_is_refused_in_the_words_of_sbatch(cluster: Cluster) -> None:
    slurm(account="lab").check()
    with pytest.raises(LexigraftError, match=r"sbatch refuses such jobs: .*Invalid account"):
        slurm(account="nobody").check()


def test_jobs_that_the_controller_has_forgotten_are_known_by_the_database(cluster: Cluster, tmp_path: Path) -> None:
    cancelled = submitted(slurm(options=["--hold"]), tmp_path / "cancelled")
    cluster.run("scancel", cancelled.id)  # not by Lexigraft, so that no file tells
    failed = submitted(slurm(python="/nowhere/python"), tmp_path / "failed")
    done = submitted(slurm(), tmp_path / "done")
    wait_until(lambda: not _known(cluster), "the controller forgets its jobs", 300)
    launcher = slurm()
    assert launcher.poll(cancelled).state is State.CANCELLED
    found = launcher.poll(failed)
    assert (found.state, found.reason) == (State.FAILED, "Slurm: FAILED, exit code 127")
    assert launcher.poll(done).state is State.FINISHED
    (tmp_path / "done" / "slurm_job").unlink()
    assert launcher.find(tmp_path / "done") == done
    stranger = Handle("slurm", "4000000_0", str(tmp_path / "stranger"), {"log": str(tmp_path / "stranger" / "log")})
    found = launcher.poll(stranger)
    assert (found.state, found.reason) == (State.LOST, "Slurm no longer knows the job")


def _known(cluster: Cluster) -> str:
    return cluster.run("squeue", "--noheader", "--states=all")
