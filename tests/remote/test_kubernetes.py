"""The launcher `kubernetes`: its manifests by Kubernetes' own schemas, its client against kmock on loopback.

No cluster runs these jobs: the test itself plays the node, and sets the conditions that a cluster would set.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.kubernetes import IMAGE, KUBECONFIG, Api, node, run_container, served
from fixtures.recipes import tiny_recipe
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results
from lexigraft.core.remote.backend import read_backend
from lexigraft.core.remote.job_state import State
from lexigraft.core.remote.launcher import Handle, Resources
from lexigraft.plugins.launchers._kubernetes_manifest import INSTANCE, Claim
from lexigraft.plugins.launchers.kubernetes import Kubernetes

ROOT = Path(__file__).parents[2]
PACKAGES = ("lightkube", "kmock", "kubernetes_validate")
MISSING = [name for name in PACKAGES if find_spec(name) is None]
pytestmark = [
    pytest.mark.remote,
    pytest.mark.skipif(bool(MISSING), reason=f"NOT TESTED: {', '.join(MISSING)} not installed"),
]
VERSIONS = ("1.30", "1.33", "1.37")
RESOURCES = Resources(cpus=4, gpus=1, memory=64 * 2**30, seconds=5400)
FULL = f"""
image: {IMAGE}
namespace: team
queue: gpus
service_account: trainer
node_selector: {{gpu: a100}}
tolerations: [{{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}}]
volumes: [{{claim: work, mount: /work, here: HERE}}, {{claim: data, mount: /data, read_only: true}}]
variables: {{HF_HOME: /work/cache}}
secrets: [tracking]
pull_secrets: [registry]
user: 1000
keep: 2h
"""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (found := tmp_path / "results" / "remote" / "cell-mean-s0" / "1").mkdir(parents=True)
    return found


@pytest.fixture
def launcher(api: Api, tmp_path: Path) -> Kubernetes:
    volumes = (Claim("work", str(tmp_path)),)
    return Kubernetes(image=IMAGE, kubeconfig=str(api.kubeconfig), volumes=volumes, python=sys.executable)


def assert_valid(manifest: Any) -> None:
    from kubernetes_validate import validate

    for version in VERSIONS:
        validate(manifest, version, strict=True)


def manifests(launcher: Kubernetes, folder: Path, env: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    return launcher.manifests(["lexigraft", "cell", "run"], RESOURCES, env, folder, "0a1b2c3d", "team")


def test_manifests_are_valid_by_kubernetes_own_schemas(tmp_path: Path, folder: Path) -> None:
    (config := tmp_path / "k.yaml").write_text(FULL.replace("HERE", str(tmp_path)), encoding="utf-8")
    full = read_backend("kubernetes", config)
    assert isinstance(full, Kubernetes)
    job, secret = manifests(full, folder, {"HF_TOKEN": "hf_planted"})
    assert_valid(job)
    assert_valid(secret)
    plain, none = manifests(Kubernetes(image=IMAGE, volumes=(Claim("w", str(tmp_path)),)), folder, {})
    assert_valid(plain)
    assert none is None
    from kubernetes_validate import ValidationError

    with pytest.raises(ValidationError):
        assert_valid({**plain, "spec": {**plain["spec"], "backofLimit": 0}})


def test_a_job_says_what_the_configuration_says(tmp_path: Path, folder: Path) -> None:
    (config := tmp_path / "k.yaml").write_text(FULL.replace("HERE", str(tmp_path)), encoding="utf-8")
    launcher = read_backend("kubernetes", config)
    assert isinstance(launcher, Kubernetes)
    job, secret = manifests(launcher, folder, {"HF_TOKEN": "hf_planted"})
    pod = job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert (job["spec"]["backoffLimit"], job["spec"]["ttlSecondsAfterFinished"], job["spec"]["suspend"]) == (
        0,
        7200,
        True,
    )
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    asked = {"cpu": "4", "memory": str(64 * 2**30), "nvidia.com/gpu": "1"}
    assert container["resources"] == {"requests": asked, "limits": asked}
    assert container["image"] == IMAGE
    assert pod["activeDeadlineSeconds"] == 5400 + 900
    assert container["command"][container["command"].index("--time-limit") + 1] == "5400"
    assert container["command"][:4] == [
        "python",
        "-m",
        "lexigraft.core.remote.wrapper",
        f"/work/{folder.relative_to(tmp_path)}",
    ]
    assert container["envFrom"] == [
        {"secretRef": {"name": "tracking"}},
        {"secretRef": {"name": job["metadata"]["name"]}},
    ]
    assert (pod["nodeSelector"], pod["serviceAccountName"]) == ({"gpu": "a100"}, "trainer")
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "hf_planted" not in json.dumps(job), "a Job can be read by more people than a Secret"
    assert secret is not None
    assert secret["stringData"] == {"HF_TOKEN": "hf_planted"}


def test_several_gpus_take_torchrun(launcher: Kubernetes, tmp_path: Path) -> None:
    job, _ = launcher.manifests(["lexigraft", "cell"], Resources(gpus=4), {}, tmp_path, "abcd")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert "--nproc-per-node=4" in container["command"] + container.get("args", [])


def test_a_job_is_created_watched_and_read(api: Api, launcher: Kubernetes, folder: Path) -> None:
    command = [sys.executable, "-c", "import os; print('has', os.environ['TOKEN']); raise SystemExit(3)"]
    handle = launcher.submit(command, Resources(gpus=1), {"TOKEN": "planted"}, folder)
    handle = Handle(**json.loads(json.dumps(handle.as_json())))
    job = api.cluster.get("Job", handle.id)
    secret = api.cluster.get("Secret", handle.id)
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": handle.id, "uid": f"uid-of-{handle.id}"}
    assert secret["metadata"]["ownerReferences"] == [owner]
    assert_valid({"apiVersion": "batch/v1", "kind": "Job", **job})
    assert all("planted" not in r.text for r in api.mock if "secrets" not in str(r.url))
    assert all(r.headers["Authorization"] == "Bearer letmein" for r in api.mock)
    assert launcher.poll(handle).state is State.QUEUED

    labels = {INSTANCE: handle.data["instance"]}
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    api.add_pod("pod-1", labels, {"phase": "Pending", "containerStatuses": [waiting]})
    assert launcher.poll(handle).sentence() == (
        "waits for its turn (the image cannot be pulled, ImagePullBackOff: not found)"
    )
    listed = api.requests("GET", "/pods")[-1]
    assert listed.params["labelSelector"] == f"{INSTANCE}={handle.data['instance']}"

    ran = run_container(api, handle.id, ROOT / "src")
    assert (ran.returncode, ran.stdout) == (3, "has planted\n"), "the log is on the container's output too"
    api.cluster.patch("Pod", "pod-1", {"status": {"phase": "Failed"}})
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit"}
    api.cluster.patch("Job", handle.id, {"status": {"conditions": [failed]}})
    found = launcher.poll(handle)
    assert (found.state, found.exit_code, found.reason) == (State.FAILED, 3, "")
    assert launcher.tail(handle, 5) == ["has planted"]


def test_the_log_of_a_pod_whose_wrapper_does_not_start_is_the_pod_s(
    api: Api, launcher: Kubernetes, folder: Path
) -> None:
    import kmock

    handle = launcher.submit(["true"], Resources(), {}, folder)
    assert launcher.tail(handle, 5) == []
    words = "/usr/bin/python: No module named lexigraft"
    ended = {"state": {"terminated": {"reason": "Error", "exitCode": 1, "message": words}}}
    api.add_pod("pod-1", {INSTANCE: handle.data["instance"]}, {"phase": "Failed", "containerStatuses": [ended]})
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    api.cluster.patch("Job", handle.id, {"status": {"conditions": [failed]}})
    api.mock[kmock.resource("v1/pods"), kmock.subresource("log")] << f"{words}\n".encode()
    assert launcher.tail(handle, 5) == [words]
    asked = api.requests("GET", "/log")[-1].params
    assert (asked["tailLines"], asked["container"]) == ("5", "job")
    found = launcher.poll(handle)
    assert found.state is State.FAILED
    assert words in found.sentence()


def test_a_cancelled_job_is_deleted_with_its_pod_and_may_be_cancelled_twice(
    api: Api, launcher: Kubernetes, folder: Path
) -> None:
    handle = launcher.submit(["true"], Resources(), {}, folder)
    launcher.cancel(handle)
    assert api.requests("DELETE", "/jobs")[-1].params["propagationPolicy"] == "Background"
    assert launcher.poll(handle).state is State.CANCELLED
    launcher.cancel(handle)


def test_a_job_whose_handle_was_lost_is_found_by_its_label(
    api: Api, launcher: Kubernetes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launcher.find(folder) is None
    launcher = dataclasses.replace(launcher, pass_env=("TOKEN",))
    handle = launcher.submit(["true"], Resources(), {"TOKEN": "planted"}, folder)
    assert launcher.find(folder) == handle
    assert api.requests("GET", "/jobs")[-1].params["labelSelector"] == f"{INSTANCE}={handle.data['instance']}"
    api.cluster.delete("Job", handle.id)
    assert launcher.find(folder) is None
    assert api.cluster.select("Secret", {}) == [], "a Secret without its Job is removed"


def test_a_refused_job_leaves_no_secret_and_the_cluster_s_words_are_shown(
    api: Api, launcher: Kubernetes, folder: Path
) -> None:
    api.refusal = words = 'jobs.batch is forbidden: User "me" cannot create resource "jobs"'
    with pytest.raises(LexigraftError, match=f"the cluster refuses the Job: lexigraft-.*403: {re.escape(words)}"):
        launcher.submit(["true"], Resources(), {"TOKEN": "planted"}, folder)
    assert api.cluster.select("Secret", {}) == []


def test_the_check_asks_the_cluster_and_creates_nothing(api: Api, launcher: Kubernetes) -> None:
    with pytest.raises(LexigraftError, match=r"no such PersistentVolumeClaim: work\. It must be in namespace team"):
        launcher.check()
    meta = {"name": "work", "namespace": "team"}
    api.cluster.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})
    launcher.check()
    assert api.requests("POST", "/jobs")[-1].params["dryRun"] == "All"


def test_a_cluster_that_does_not_answer_is_no_evidence(launcher: Kubernetes, folder: Path, tmp_path: Path) -> None:
    handle = launcher.submit(["true"], Resources(), {}, folder)
    text = Path(launcher.kubeconfig).read_text(encoding="utf-8")
    (gone := tmp_path / "gone.yaml").write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", text), encoding="utf-8")
    away = dataclasses.replace(launcher, kubeconfig=str(gone))
    evidence = away.evidence(handle)
    assert (evidence.alive, evidence.state) == (None, None)
    assert away.poll(handle).state is State.QUEUED
    with pytest.raises(LexigraftError, match="the cluster does not answer"):
        away.submit(["true"], Resources(), {}, folder)


def test_the_kubeconfig_of_the_environment_and_programs_that_give_tokens_are_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (program := tmp_path / "token").write_text(
        '#!/bin/sh\ncase "$KUBERNETES_EXEC_INFO" in *client.authentication.k8s.io/v1*) '
        'echo \'{"status": {"token": "given"}}\';; *) exit 1;; esac\n'
    )
    program.chmod(0o755)
    user = f"{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {program}, interactiveMode: Never}}}}"
    with served(tmp_path, user) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
        launcher = Kubernetes(image=IMAGE, volumes=(Claim("work", str(tmp_path)),))
        launcher.submit(["true"], Resources(), {}, folder)
        assert {r.headers["Authorization"] for r in api.mock} == {"Bearer given"}
        with pytest.raises(LexigraftError, match=r"configuration cannot be used.*Context 'other' not found"):
            dataclasses.replace(launcher, context="other").submit(["true"], Resources(), {}, folder)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(LexigraftError, match=r"configuration cannot be used.*none not found"):
        dataclasses.replace(launcher).submit(["true"], Resources(), {}, folder)


@pytest.mark.slow
def test_a_comparison_on_the_backend_has_the_same_figures_as_here(api: Api, tmp_path: Path) -> None:
    (sources := tmp_path / "recipe").mkdir()
    recipe = tiny_recipe(sources, strategies=["random"], seeds=[0])
    settings = {"image": IMAGE, "kubeconfig": str(api.kubeconfig), "python": sys.executable, "heartbeat": "1s"}
    settings |= {"volumes": [{"claim": "work", "mount": str(tmp_path)}], "variables": {"OMP_NUM_THREADS": "1"}}
    (config := tmp_path / "k.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    meta = {"name": "work", "namespace": "team"}
    api.cluster.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})
    more = [f"--set={one}" for one in ("reference=null", "poor_model=null", "tracking.enabled=false")]
    words = [sys.executable, "-m", "lexigraft", "compare", str(recipe), *more, "--out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    there, here = tmp_path / "there", tmp_path / "here"
    backend = ["--backend", "kubernetes", "--backend-config", str(config)]
    with node(api, ROOT / "src") as ran:
        done = subprocess.run([*words, str(there), *backend], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len([name for name in ran if "random-s0" in name]) == 1
    subprocess.run([*words, str(here)], env=environment, check=True, capture_output=True)
    first, second = (
        [(r.cell.key, r.scores, r.losses, r.coverage) for r in load_results(out, load_comparison(out))]
        for out in (there, here)
    )
    assert [one[1:] for one in first] == [one[1:] for one in second]
    assert len(first) == 1


def test_several_kubeconfig_files_are_merged_as_kubectl_does(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_text("from the file")
    cluster = yaml.safe_load(api.kubeconfig.read_text(encoding="utf-8"))
    first = {"contexts": [{"name": "mine", "context": {"cluster": "loopback", "user": "ana", "namespace": "team"}}]}
    second = {"current-context": "mine", "users": [{"name": "ana", "user": {"tokenFile": "token"}}]}
    third = {**cluster, "contexts": [{"name": "mine", "context": {"cluster": "none", "user": "me"}}]}
    files = [tmp_path / "first", tmp_path / "not there", tmp_path / "secrets" / "second", tmp_path / "third"]
    for file, values in zip((files[0], *files[2:]), (first, second, third), strict=True):
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    launcher = Kubernetes(image=IMAGE, volumes=(Claim("work", str(tmp_path)),))
    # The first file's context `mine` and the second one's current context count, not those of the third.
    launcher.submit(["true"], Resources(), {}, folder)
    assert {r.headers["Authorization"] for r in api.mock} == {"Bearer from the file"}
    files[2].write_text("users: 3")
    with pytest.raises(LexigraftError, match="the cluster's configuration cannot be used"):
        dataclasses.replace(launcher).submit(["true"], Resources(), {}, folder)


def test_a_check_whose_image_cannot_be_pulled_ends_with_the_event_s_words(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fixtures.commands import lexigraft

    (sources := tmp_path / "recipe").mkdir()
    recipe = tiny_recipe(sources, strategies=["random"], seeds=[0], reference=None, poor_model=None)
    settings = {"image": IMAGE, "kubeconfig": str(api.kubeconfig), "start_within": "1s"}
    settings |= {"volumes": [{"claim": "work", "mount": str(tmp_path)}]}
    (config := tmp_path / "k.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    meta = {"name": "work", "namespace": "team"}
    api.cluster.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}
    monkeypatch.setattr("secrets.token_hex", lambda size: "0a1b2c3d")
    api.add_pod("pod-1", {INSTANCE: "0a1b2c3d"}, {"phase": "Pending", "containerStatuses": [waiting]})
    about = {"kind": "Pod", "name": "pod-1", "namespace": "team"}
    words = 'Failed to pull image "registry.example/lexigraft": not found'
    event = {"involvedObject": about, "type": "Warning", "reason": "Failed", "message": words}
    meta = {"name": "pod-1.1", "namespace": "team"}
    api.cluster.create({"apiVersion": "v1", "kind": "Event", "metadata": meta, **event})
    backend = ("--backend", "kubernetes", "--backend-config", config, "--set", "execution.poll_seconds=0.2")
    done = lexigraft("compare", recipe, "--out", tmp_path / "out", *backend, "--set", "tracking.enabled=false")
    assert done.code == 2
    told = f"It waits for its turn (the image cannot be pulled, ImagePullBackOff: {words}). Mend that"
    assert f"the check of the machine did not start: within 1 s. {told}" in done.err
    assert "`start_within`" in done.err
    assert api.requests("GET", "/events")[-1].params["fieldSelector"] == "involvedObject.name=pod-1"
    left = [job["metadata"]["name"] for job in api.cluster.select("Job", {})]
    assert left == ["lexigraft-check-0a1b2c3d"], "the job does not wait on; kmock has kept the one that was a dry run"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "clusters: 3",
        "clusters: []\ncontexts: []\ncurrent-context: none",
        "SERVER https://a b:c",
        "SERVER x",
    ],
)
def test_a_damaged_kubeconfig_is_one_error(tmp_path: Path, folder: Path, text: str) -> None:
    if text.startswith("SERVER"):
        text = KUBECONFIG.format(url=text.removeprefix("SERVER "), user="{}")
    (config := tmp_path / "kubeconfig.yaml").write_text(text, encoding="utf-8")
    launcher = Kubernetes(image=IMAGE, kubeconfig=str(config), volumes=(Claim("work", str(tmp_path)),))
    with pytest.raises(LexigraftError, match="the cluster"):
        launcher.submit(["true"], Resources(), {}, folder)


@pytest.mark.parametrize("page", ["docs/guides/kubernetes.md"])
def test_the_guide_s_manifests_are_valid(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    objects = [one for block in blocks for one in yaml.safe_load_all(block) if "apiVersion" in one]
    assert {one["kind"] for one in objects} >= {"PersistentVolumeClaim", "Role", "RoleBinding", "Job"}
    for one in objects:
        assert_valid(one)
