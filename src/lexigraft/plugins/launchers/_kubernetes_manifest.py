"""Manifests of the launcher `kubernetes`: a batch/v1 Job for one command, and a Secret for its variables."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from lexigraft.core.errors import LexigraftError, did_you_mean
from lexigraft.core.remote.launcher import Resources

INSTANCE = "app.kubernetes.io/instance"
"""The label that tells one submission from every other."""
QUEUE = "kueue.x-k8s.io/queue-name"
CONTAINER = "job"
_ANY_JOB = {"app.kubernetes.io/name": "lexigraft", "app.kubernetes.io/managed-by": "lexigraft"}
_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_LATE_SECONDS = 900
"""How long after the wrapper's own limit Kubernetes ends a pod: its clock runs while the image is pulled."""
_GRACE_SECONDS = 60
"""More than the wrapper gives a command between SIGTERM and SIGKILL, so that it can write down the end."""


def _known_keys(names: Sequence[str], required: Sequence[str]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"a mapping of {', '.join(names)} is expected")
        for key in value:
            if key not in names:
                raise ValueError(f"unknown key '{key}'. {did_you_mean(str(key), names)}")
        if missing := [key for key in required if key not in value]:
            raise ValueError(f"the key {missing[0]} is missing")
        return value

    return BeforeValidator(check)


@dataclass(frozen=True)
class Claim:
    """A volume that pods share, by the name of its PersistentVolumeClaim.

    Attributes:
        claim: The claim's name.
        mount: Where pods see it.
        here: Where this machine sees the same files; by default at the same path.
        read_only: Whether pods may only read it.
    """

    claim: str
    mount: str
    here: str = ""
    read_only: bool = False


Volume = Annotated[
    Claim, _known_keys([f.name for f in fields(Claim)], [f.name for f in fields(Claim) if f.default is MISSING])
]
Toleration = Annotated[
    dict[str, str | int], _known_keys(["key", "operator", "value", "effect", "tolerationSeconds"], [])
]


class PodSettings(NamedTuple):
    """What every job's pod has, as the backend configuration says."""

    image: str
    namespace: str
    queue: str
    service_account: str
    gpu_resource: str
    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, str | int]]
    volumes: Sequence[Claim]
    variables: Mapping[str, str]
    secrets: Sequence[str]
    pull_secrets: Sequence[str]
    user: int | None
    keep: float


def refuse_loose_image(image: str) -> None:
    """Refuse an image without a digest: a tag may name other code for the next cell than for this one."""
    if not _BY_DIGEST.fullmatch(image):
        hint = "Write NAME@sha256:…; `docker buildx imagetools inspect NAME:TAG` and `crane digest NAME:TAG` show it"
        raise LexigraftError("image must be named by its digest", image or "none", hint)


def path_in_pod(path: Path, volumes: Sequence[Claim]) -> str:
    """The path in a pod for one of this machine.

    Raises:
        LexigraftError: No volume holds it.
    """
    whole = path.resolve()
    for volume in volumes:
        here = Path(volume.here or volume.mount).resolve()
        if whole.is_relative_to(here):
            return str(PurePosixPath(volume.mount) / whole.relative_to(here).as_posix())
    shown = ", ".join(f"{v.here or v.mount} ({v.claim})" for v in volumes) or "none"
    raise LexigraftError("pods cannot see this path", path, f"Put it into a folder that `volumes` names: {shown}")


def job_name(workdir: Path, instance: str) -> str:
    """A name for a job that a person recognises, of at most 63 letters, digits and dashes."""
    slug = re.sub(r"[^a-z0-9]+", "-", f"{workdir.parent.name}-{workdir.name}".lower()).strip("-")[:40].strip("-")
    return "-".join(filter(None, ("lexigraft", slug, instance)))


def job_manifest(
    name: str, instance: str, command: Sequence[str], resources: Resources, secret: str, pod: PodSettings
) -> dict[str, Any]:
    """A Job that runs one command once.

    Args:
        name: Its name.
        instance: The value of the label :data:`INSTANCE`.
        command: The command in the container.
        resources: What it asks for.
        secret: The Secret with the variables of ``pass_env``; empty for none.
        pod: What every job's pod has.
    """
    labels = {**_ANY_JOB, INSTANCE: instance}
    asked = _quantities(resources, pod.gpu_resource)
    volumes: list[dict[str, Any]] = [
        {"name": f"claim-{n}", "persistentVolumeClaim": {"claimName": v.claim, **_if(v.read_only, readOnly=True)}}
        for n, v in enumerate(pod.volumes)
    ]
    mounts: list[dict[str, Any]] = [
        {"name": f"claim-{n}", "mountPath": v.mount, **_if(v.read_only, readOnly=True)}
        for n, v in enumerate(pod.volumes)
    ]
    # A container's own /dev/shm has 64 MB, too little for the processes of PyTorch and NCCL.
    volumes.append({"name": "shm", "emptyDir": {"medium": "Memory"}})
    mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    container = {
        "name": CONTAINER,
        "image": pod.image,
        "command": list(command),
        "volumeMounts": mounts,
        # The last lines of the log stay in the pod's status, where the wrapper itself cannot start.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            **_if(pod.user, capabilities={"drop": ["ALL"]}),
        },
        **_if(asked, resources={"requests": asked, "limits": asked}),
        **_if(pod.variables, env=[{"name": key, "value": value} for key, value in sorted(pod.variables.items())]),
        **_if(
            secrets := [*pod.secrets, *filter(None, [secret])],
            envFrom=[{"secretRef": {"name": one}} for one in secrets],
        ),
    }
    template = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": bool(pod.service_account),
        "securityContext": {
            "seccompProfile": {"type": "RuntimeDefault"},
            **_if(pod.user, runAsUser=pod.user, runAsNonRoot=True, fsGroup=pod.user),
        },
        "containers": [container],
        "volumes": volumes,
        # On the pod and not on the Job, whose clock runs while it waits for a machine.
        **_if(resources.seconds, activeDeadlineSeconds=math.ceil(resources.seconds or 0) + _LATE_SECONDS),
        **_if(pod.service_account, serviceAccountName=pod.service_account),
        **_if(pod.node_selector, nodeSelector=dict(pod.node_selector)),
        **_if(pod.tolerations, tolerations=[dict(one) for one in pod.tolerations]),
        **_if(pod.pull_secrets, imagePullSecrets=[{"name": one} for one in pod.pull_secrets]),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": pod.namespace,
            "labels": {**labels, **_if(pod.queue, **{QUEUE: pod.queue})},
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "ttlSecondsAfterFinished": math.ceil(pod.keep),
            **_if(pod.queue, suspend=True),  # Kueue lets it go when its turn comes
            "template": {"metadata": {"labels": labels}, "spec": template},
        },
    }


def secret_manifest(name: str, instance: str, namespace: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """A Secret with a job's variables."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {**_ANY_JOB, INSTANCE: instance}},
        "type": "Opaque",
        "stringData": dict(variables),
    }


def owned_by(job: Mapping[str, Any]) -> dict[str, Any]:
    """The change that makes a Job the owner of an object, which is then removed with it."""
    meta = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
    return {"metadata": {"ownerReferences": [owner]}}


def _quantities(resources: Resources, gpu_resource: str) -> dict[str, str]:
    """Requests that are limits too: what a job may use is there, and no more is taken from others."""
    asked = {"cpu": resources.cpus, "memory": resources.memory, gpu_resource: resources.gpus}
    return {key: str(int(value)) for key, value in asked.items() if value}


def _if(condition: object, **entries: Any) -> dict[str, Any]:
    return entries if condition else {}
