"""The launcher `kubernetes`: Jobs (batch/v1) of a cluster, each one pod with an image named by its digest."""

from __future__ import annotations

import contextlib
import secrets as random_names
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.job_files import last_lines, read_json, write_json
from lexigraft.core.remote.job_state import Evidence, State
from lexigraft.core.remote.launcher import NETWORK_FILES_SECONDS, Handle, Launcher, Number, Resources, Seconds
from lexigraft.plugins.launchers._kubernetes_client import Absent, Cluster
from lexigraft.plugins.launchers._kubernetes_manifest import (
    CONTAINER,
    INSTANCE,
    PodSettings,
    Toleration,
    Volume,
    job_manifest,
    job_name,
    owned_by,
    path_in_pod,
    refuse_loose_image,
    secret_manifest,
)
from lexigraft.plugins.launchers._kubernetes_state import evidence_of

_SUBMISSION = "kubernetes.json"
"""In a job's folder: the value of the label by which its Job is found; written before anything is created."""
_DAY = 86400.0


@dataclass(frozen=True)
class Kubernetes(Launcher):
    """Jobs of a Kubernetes cluster. A pod runs the command once; what it shares with this machine is on named volumes.

    Attributes:
        image: The image, as ``NAME@sha256:…``.
        volumes: Claims that pods mount: ``claim``, ``mount``, ``here`` (where this machine sees the same files; by
            default the same path), ``read_only``. The comparison's folder, the recipe and its files must be on them.
        namespace: The namespace; by default that of the kubeconfig's context.
        kubeconfig: The cluster's configuration file; by default ``KUBECONFIG``, the pod's account, ``~/.kube/config``.
        context: The context in it; by default the current one.
        service_account: The pods' account; by default they get no access to the cluster.
        queue: Kueue's LocalQueue: jobs are created suspended, and Kueue starts them.
        gpu_resource: What the cluster calls a GPU.
        node_selector: Labels that a node must have.
        tolerations: Taints of nodes that pods accept, as in a pod's specification.
        variables: Variables for the job, which anybody may read in its Job: no secrets.
        secrets: Names of Secrets in the cluster whose entries become the job's variables.
        pull_secrets: Names of Secrets for the image's registry.
        user: Number of the user and the group that pods run as; by default the image's user.
        keep: How long the cluster keeps a Job that is over.
        start_within: How long the check before a comparison waits for its image and for a node that is fit.
    """

    name: ClassVar[str] = "kubernetes"
    shares_files: ClassVar[bool] = False  # only those on the volumes: every path of a recipe is looked up on them
    late_seconds: ClassVar[float] = NETWORK_FILES_SECONDS

    image: str = ""
    volumes: tuple[Volume, ...] = ()
    namespace: str = ""
    kubeconfig: str = ""
    context: str = ""
    service_account: str = ""
    queue: str = ""
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    user: Number | None = None
    keep: Seconds = _DAY
    start_within: Seconds = 600.0

    def submit(self, command: Sequence[str], resources: Resources, env: Mapping[str, str], workdir: Path) -> Handle:
        """Create the job's Secret and its Job, which then owns the Secret."""
        manifest, secret = self.manifests(command, resources, env, workdir, instance := random_names.token_hex(4))
        write_json(workdir / _SUBMISSION, {"instance": instance, "namespace": self._cluster.namespace})
        if secret:
            self._cluster.create(secret)
        try:
            job = self._cluster.create(manifest)
        except LexigraftError:
            for left in filter(None, (manifest, secret)):  # the cluster may have made the Job and not said so
                with contextlib.suppress(LexigraftError):
                    self._cluster.delete(left["kind"], left["metadata"]["name"])
            raise
        if secret:
            self._cluster.patch("Secret", secret["metadata"]["name"], owned_by(job))
        return self._handle(job, workdir)

    def manifests(
        self,
        command: Sequence[str],
        resources: Resources,
        env: Mapping[str, str],
        workdir: Path,
        instance: str,
        namespace: str = "",
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The Job for a command and the Secret for its variables, None without variables.

        Args:
            command: The command, with paths of the pod.
            resources: What it asks for.
            env: The variables.
            workdir: The job's folder on this machine.
            instance: The value of the label that tells this submission from others.
            namespace: The namespace; by default the launcher's, for which the cluster's configuration is read.
        """
        refuse_loose_image(self.image)
        if resources.nodes != 1:
            raise LexigraftError("a job of the launcher kubernetes runs on one machine", f"{resources.nodes} machines")
        name = job_name(workdir, instance)
        where = namespace or self._cluster.namespace
        limit = ["--time-limit", f"{resources.seconds:g}"] if resources.seconds else []
        wrapped = self.wrapped(self.by_torchrun(command, resources.gpus), self.there(workdir), "--echo", *limit)
        job = job_manifest(name, instance, wrapped, resources, name if env else "", self._pod(where))
        return job, secret_manifest(name, instance, where, env) if env else None

    def evidence(self, handle: Handle) -> Evidence:
        """What the Job's and its pod's conditions say; nothing while the cluster does not answer."""
        labels = {INSTANCE: handle.data["instance"]}
        cluster = self._cluster_of(handle)
        try:
            job = cluster.get("Job", handle.id)
            pods = cluster.select("Pod", labels)
            events = [] if pods else cluster.select("Event", {}, {"involvedObject.name": handle.id})
            found = evidence_of(job, pods, events)
            if found.stuck and pods:
                about = {"involvedObject.name": pods[-1]["metadata"]["name"]}
                found = evidence_of(job, pods, cluster.select("Event", {}, about))
        except Absent:
            return evidence_of(None, ())
        except LexigraftError as error:
            return Evidence(alive=None, reason=str(error))
        # A job that has written its end needs no second account of it.
        return replace(found, reason="") if found.state is State.FAILED and self.files(handle).ended else found

    def stop(self, handle: Handle) -> None:
        """Delete the Job, its pod and its Secret."""
        self._cluster_of(handle).delete("Job", handle.id)

    def tail(self, handle: Handle, lines: int) -> list[str]:
        """The last lines of the job's log, or of its pod's where the wrapper has not started."""
        if written := last_lines(Path(handle.workdir), lines):
            return written
        cluster = self._cluster_of(handle)
        try:
            pods = cluster.select("Pod", {INSTANCE: handle.data["instance"]})
            return cluster.log(pods[-1]["metadata"]["name"], CONTAINER, lines) if pods else []
        except LexigraftError:  # the pod is waiting, or gone
            return []

    def find(self, workdir: Path) -> Handle | None:
        """The Job with the label of the folder's submission; a Secret that was left without its Job is removed."""
        known = read_json(workdir / _SUBMISSION)
        if known is None:
            return None
        cluster = Cluster(self.kubeconfig, self.context, known["namespace"])
        labels = {INSTANCE: known["instance"]}
        jobs = cluster.select("Job", labels)
        for secret in cluster.select("Secret", labels) if self.pass_env else ():
            name = secret["metadata"]["name"]
            cluster.patch("Secret", name, owned_by(jobs[0])) if jobs else cluster.delete("Secret", name)
        return self._handle(jobs[0], workdir) if jobs else None

    def there(self, path: Path) -> str:
        """The path in a pod for one of this machine; refused where no volume holds it."""
        return path_in_pod(path, self.volumes)

    def check(self) -> None:
        """Check that the claims are there, and have the cluster check a Job without creating it."""
        refuse_loose_image(self.image)
        wanted = [("PersistentVolumeClaim", one.claim) for one in self.volumes]
        wanted += [("ServiceAccount", self.service_account)] if self.service_account else []
        for kind, name in wanted:
            try:
                self._cluster.get(kind, name)
            except Absent:
                where = f"namespace {self._cluster.namespace}"
                raise LexigraftError(f"the cluster has no such {kind}", name, f"It must be in {where}") from None
            except LexigraftError as error:
                if not error.hint.startswith("403"):  # not every account may read what its pods may use
                    raise
        instance = random_names.token_hex(4)
        pod = self._pod(self._cluster.namespace)
        job = job_manifest(f"lexigraft-check-{instance}", instance, ["true"], self.resources, "", pod)
        self._cluster.create(job, dry_run=True)

    @property
    def start_seconds(self) -> float:
        """How long the check before a comparison may be stuck, by the field."""
        return self.start_within

    @property
    def interpreter(self) -> str:
        """Python in the image."""
        return self.python or "python"

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self.kubeconfig, self.context, self.namespace)

    def _cluster_of(self, handle: Handle) -> Cluster:
        """The cluster with the namespace that a job is in, whatever is the default by now."""
        same = self._cluster.namespace == handle.data["namespace"]
        return self._cluster if same else Cluster(self.kubeconfig, self.context, handle.data["namespace"])

    def _handle(self, job: Mapping[str, Any], workdir: Path) -> Handle:
        meta = job["metadata"]
        known = {"namespace": meta["namespace"], "instance": meta["labels"][INSTANCE]}
        return Handle(self.name, meta["name"], str(workdir), known)

    def _pod(self, namespace: str) -> PodSettings:
        return PodSettings(
            image=self.image,
            namespace=namespace,
            queue=self.queue,
            service_account=self.service_account,
            gpu_resource=self.gpu_resource,
            node_selector=self.node_selector,
            tolerations=self.tolerations,
            volumes=self.volumes,
            variables=self.variables,
            secrets=self.secrets,
            pull_secrets=self.pull_secrets,
            user=self.user,
            keep=self.keep,
        )
