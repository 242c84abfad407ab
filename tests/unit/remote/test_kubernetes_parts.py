"""The launcher `kubernetes` without a cluster and a client: configuration, paths, names, what conditions mean."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.backend import read_backend
from lexigraft.core.remote.job_files import JobFiles
from lexigraft.core.remote.job_state import State, decide
from lexigraft.core.remote.launcher import Resources
from lexigraft.plugins.launchers._kubernetes_manifest import Claim, job_name, path_in_pod
from lexigraft.plugins.launchers._kubernetes_state import evidence_of
from lexigraft.plugins.launchers.kubernetes import Kubernetes

IMAGE = f"registry.example/lexigraft@sha256:{'0123456789abcdef' * 4}"


def config(folder: Path, text: str) -> Path:
    path = folder / "kubernetes.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("imgae: x", r"unknown field of launcher 'kubernetes': imgae. Did you mean 'image'"),
        ("volumes: [{claim: c, mont: /w}]", "unknown key 'mont'. Did you mean 'mount'"),
        ("volumes: [{claim: c}]", "the key mount is missing"),
        ("volumes: [c]", "a mapping of claim, mount, here, read_only is expected"),
        ("tolerations: [{kye: gpu}]", "unknown key 'kye'. Did you mean 'key'"),
        ("keep: long", "not a time"),
    ],
)
def test_a_bad_configuration_is_refused_by_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(LexigraftError, match=words):
        read_backend("kubernetes", config(tmp_path, text))


@pytest.mark.parametrize("image", ["", "lexigraft:latest", IMAGE[:-1], "registry.example/a b" + IMAGE[26:]])
def test_an_image_without_a_digest_is_refused(tmp_path: Path, image: str) -> None:
    launcher = Kubernetes(image=image, volumes=(Claim("work", str(tmp_path)),))
    with pytest.raises(LexigraftError, match="image must be named by its digest"):
        launcher.submit(["true"], Resources(), {}, tmp_path)
    with pytest.raises(LexigraftError, match="image must be named by its digest"):
        launcher.check()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_client_is_one_error_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightkube", None)
    launcher = Kubernetes(image=IMAGE, volumes=(Claim("work", str(tmp_path)),))
    with pytest.raises(LexigraftError, match=r"lightkube\. pip install 'lexigraft\[kubernetes\]'"):
        launcher.submit(["true"], Resources(), {}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_where_the_pod_sees_it_and_one_that_no_volume_holds_is_refused(tmp_path: Path) -> None:
    claims = (Claim("work", "/work", here=str(tmp_path / "share")), Claim("data", str(tmp_path / "data")))
    assert path_in_pod(tmp_path / "share" / "runs" / "a", claims) == "/work/runs/a"
    assert path_in_pod(tmp_path / "data", claims) == str(tmp_path / "data")
    for outside in (tmp_path / "shared", tmp_path / "share" / ".." / "other"):
        with pytest.raises(LexigraftError, match=r"pods cannot see this path: .*`volumes` names: .*share \(work\)"):
            path_in_pod(outside, claims)


def test_a_job_runs_on_one_machine(tmp_path: Path) -> None:
    launcher = Kubernetes(image=IMAGE, volumes=(Claim("work", str(tmp_path)),))
    with pytest.raises(LexigraftError, match="runs on one machine: 2 machines"):
        launcher.submit(["true"], Resources(nodes=2), {}, tmp_path)


@pytest.mark.parametrize("folder", ["cell-focus_s0/1", "Überlänge " * 20 + "/12", "___/1", "a/b.c"])
def test_a_job_s_name_is_one_that_kubernetes_takes(folder: str) -> None:
    name = job_name(Path("/work/results/remote") / folder, "0a1b2c3d")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    assert name.endswith("0a1b2c3d")


def test_the_guide_s_configuration_is_read_and_its_table_has_every_key(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/kubernetes.md").read_text(encoding="utf-8")
    text = next(block for block in re.findall(r"```yaml\n(.*?)```", guide, re.S) if block.startswith("image:"))
    read = read_backend("kubernetes", config(tmp_path, text))
    assert (read.resources.gpus, read.resources.seconds) == (1, 4 * 3600)
    own = {field.name for field in dataclasses.fields(Kubernetes)} - {"heartbeat"}
    assert sorted(name for name in own if f"`{name}`" not in guide) == []


def condition(kind: str, reason: str = "", message: str = "", status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def job(*conditions: dict[str, str], **spec: Any) -> dict[str, Any]:
    labels = {"kueue.x-k8s.io/queue-name": "gpus"} if spec.get("suspend") == "kueue" else {}
    return {"metadata": {"labels": labels}, "spec": spec, "status": {"conditions": list(conditions)}}


def pod(phase: str, *conditions: dict[str, str], reason: str = "", **state: Any) -> dict[str, Any]:
    status = {"phase": phase, "conditions": list(conditions), "containerStatuses": [{"state": state}]}
    return {"status": {**status, **({"reason": reason} if reason else {})}}


FAILED = job(condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
OOM = {"reason": "OOMKilled", "exitCode": 137}
FULL = {"type": "Warning", "reason": "FailedCreate", "message": "pods is forbidden: exceeded quota: gpus"}


@pytest.mark.parametrize(
    ("found", "pods", "state", "words"),
    [
        (None, [], State.LOST, "no longer in the cluster"),
        (job(condition("Complete")), [], State.LOST, ""),
        (job(suspend=True), [], State.QUEUED, "(suspended)"),
        (job(suspend="kueue"), [], State.QUEUED, "(suspended, in Kueue's queue gpus)"),
        (job(), [], State.QUEUED, "(FailedCreate: pods is forbidden: exceeded quota: gpus)"),
        (
            job(),
            [
                pod(
                    "Pending",
                    condition("PodScheduled", "Unschedulable", "0/3 nodes: no nvidia.com/gpu", "False"),
                )
            ],
            State.QUEUED,
            "(Unschedulable: 0/3 nodes: no nvidia.com/gpu)",
        ),
        (
            job(),
            [pod("Pending", waiting={"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'})],
            State.QUEUED,
            '(the image cannot be pulled, ImagePullBackOff: Back-off pulling image "x")',
        ),
        (job(), [pod("Pending", waiting={"reason": "ContainerCreating"})], State.QUEUED, "(ContainerCreating)"),
        (job(), [pod("Running", running={})], State.QUEUED, ""),
        (
            FAILED,
            [pod("Failed", terminated=OOM)],
            State.OUT_OF_MEMORY,
            "OOMKilled",
        ),
        (FAILED, [pod("Failed", reason="Evicted")], State.PREEMPTED, "evicted by its node"),
        (
            FAILED,
            [pod("Failed", condition("DisruptionTarget", "PreemptionByScheduler"))],
            State.PREEMPTED,
            "pre-empted by a job of higher priority",
        ),
        (FAILED, [pod("Failed", condition("DisruptionTarget", "DeletionByPodGC"))], State.LOST, "its node is gone"),
        (job(condition("Failed", "DeadlineExceeded")), [], State.TIMED_OUT, "DeadlineExceeded"),
        (FAILED, [pod("Failed", reason="DeadlineExceeded")], State.TIMED_OUT, "DeadlineExceeded"),
        (FAILED, [], State.FAILED, "BackoffLimitExceeded: Job has reached the specified backoff limit"),
        (
            FAILED,
            [pod("Failed", terminated={"reason": "Error", "exitCode": 1, "message": "No module named lexigraft\n"})],
            State.FAILED,
            "Error, exit code 1: No module named lexigraft",
        ),
    ],
)
def test_a_cluster_s_conditions_become_a_state_in_words(
    found: dict[str, Any] | None, pods: list[dict[str, Any]], state: State, words: str
) -> None:
    told = decide(JobFiles(), evidence_of(found, pods, [] if pods else [FULL]))
    assert told.state is state
    assert words in told.sentence()
    assert told.stuck == any(sign in words for sign in ("FailedCreate", "Unschedulable", "ImagePullBackOff"))


def test_an_image_that_cannot_be_pulled_is_told_in_the_words_of_the_event() -> None:
    waiting = pod("Pending", waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling image"})
    events = [
        {"type": "Normal", "reason": "Scheduled", "message": "assigned", "lastTimestamp": "2026-01-01T00:00:00Z"},
        {"type": "Warning", "reason": "Failed", "message": "no such digest", "lastTimestamp": "2026-01-01T00:00:01Z"},
        {"type": "Warning", "reason": "Failed", "message": "Error: x", "lastTimestamp": "2026-01-01T00:00:02Z"},
    ]
    told = evidence_of(job(), [waiting], events)
    assert told.reason == "the image cannot be pulled, ImagePullBackOff: no such digest"


def test_the_newest_pod_counts_and_the_job_s_own_files_come_first() -> None:
    old = pod("Failed", terminated=OOM)
    old["metadata"] = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    new = pod("Running", running={})
    new["metadata"] = {"creationTimestamp": "2026-01-01T00:01:00Z"}
    assert evidence_of(job(), [new, old]).state is State.RUNNING
    finished = JobFiles(ended={"exit_code": 0})
    assert decide(finished, evidence_of(None, [])).state is State.FINISHED
    stopped = JobFiles(ended={"exit_code": 143, "received": "SIGTERM"})
    assert decide(stopped, evidence_of(job(suspend="kueue"), [])).state is State.QUEUED, "Kueue took it back"
    assert decide(JobFiles(cancelled=True), evidence_of(None, [])).state is State.CANCELLED
