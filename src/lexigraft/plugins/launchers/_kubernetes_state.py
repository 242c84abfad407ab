"""Evidence of the launcher `kubernetes`: what the objects of a cluster say about a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexigraft.core.remote.job_state import Evidence, State
from lexigraft.plugins.launchers._kubernetes_manifest import QUEUE

Object = Mapping[str, Any]
_DISRUPTIONS = {
    "PreemptionByScheduler": "pre-empted by a job of higher priority",
    "EvictionByEvictionAPI": "evicted by the cluster's administration or an autoscaler",
    "TerminationByKubelet": "ended by its node, which shuts down or has too little memory or disk",
    "DeletionByTaintManager": "its node no longer takes jobs",
}
_POD_REASONS = {
    "Evicted": (State.PREEMPTED, "evicted by its node"),
    "Preempting": (State.PREEMPTED, "pre-empted by a job of higher priority"),
    "Terminated": (State.PREEMPTED, "its node shuts down"),
    "NodeShutdown": (State.PREEMPTED, "its node shuts down"),
    "NodeLost": (State.LOST, "its node is lost"),
    "DeadlineExceeded": (State.TIMED_OUT, "DeadlineExceeded"),
}
_WAITING = {
    "ErrImagePull": "the image cannot be pulled",
    "ImagePullBackOff": "the image cannot be pulled",
    "InvalidImageName": "the image's name is not valid",
    "ErrImageNeverPull": "the image is not on the node",
    "ImageInspectError": "the image is damaged",
    "RegistryUnavailable": "the image's registry does not answer",
    "CreateContainerConfigError": "a Secret or another part of the pod is missing",
    "CreateContainerError": "the container cannot be made",
    "RunContainerError": "the container cannot be started",
}
_MESSAGE_CHARACTERS = 300


def evidence_of(job: Object | None, pods: Sequence[Object], events: Sequence[Object] = ()) -> Evidence:
    """What a Job and its pods say.

    Args:
        job: The Job; None where it is not there.
        pods: Its pods.
        events: The events about the pod, or about the Job where it has none, such as a quota that refuses one.
    """
    if job is None:
        return Evidence(alive=False, reason="the Job is no longer in the cluster")
    pod = max(pods, key=lambda one: str(one.get("metadata", {}).get("creationTimestamp", "")), default=None)
    if _condition(job, "Complete"):
        return Evidence(alive=False, state=State.FINISHED)
    if failed := _condition(job, "Failed"):
        if failed.get("reason") == "DeadlineExceeded":
            return Evidence(False, State.TIMED_OUT, "DeadlineExceeded")
        found = _of_failed_pod(pod) if pod is not None else None
        return found or Evidence(False, State.FAILED, _told(failed.get("reason", ""), failed.get("message")))
    if job.get("spec", {}).get("suspend"):
        queue = job.get("metadata", {}).get("labels", {}).get(QUEUE)
        return Evidence(True, State.QUEUED, f"suspended, in Kueue's queue {queue}" if queue else "suspended")
    warned = _warning(events)
    if pod is None:
        words = _told(warned.get("reason", ""), warned.get("message"))
        return Evidence(True, State.QUEUED, words, stuck=bool(warned))
    return _of_pod(pod, warned)


def _warning(events: Sequence[Object]) -> Object:
    """The last warning that says more than the name of a state."""
    told = [e for e in events if e.get("type") == "Warning" and not str(e.get("message")).startswith("Error: ")]
    return max(told, key=lambda e: str(e.get("lastTimestamp") or ""), default={})


def _of_pod(pod: Object, warned: Object) -> Evidence:
    status = pod.get("status", {})
    phase = status.get("phase")
    if phase == "Failed":
        return _of_failed_pod(pod) or Evidence(alive=True)
    if phase == "Succeeded":
        return Evidence(alive=True, state=State.RUNNING)  # the Job says so in a moment
    if phase == "Running":
        return Evidence(
            True, State.RUNNING, _DISRUPTIONS.get(_condition(pod, "DisruptionTarget").get("reason", ""), "")
        )
    if scheduled := _condition(pod, "PodScheduled", "False"):
        words = _told(scheduled.get("reason", ""), scheduled.get("message") or warned.get("message"))
        return Evidence(True, State.QUEUED, words, stuck=True)
    waiting: Object = next((c["state"]["waiting"] for c in _containers(pod) if c.get("state", {}).get("waiting")), {})
    reason = waiting.get("reason", "")
    if reason not in _WAITING:
        return Evidence(True, State.QUEUED, _told(reason, waiting.get("message")))
    words = _told(f"{_WAITING[reason]}, {reason}", warned.get("message") or waiting.get("message"))
    return Evidence(True, State.QUEUED, words, stuck=True)


def _of_failed_pod(pod: Object) -> Evidence | None:
    """Why a pod has failed; None where it has not."""
    status = pod.get("status", {})
    ended = next((c["state"]["terminated"] for c in _containers(pod) if c.get("state", {}).get("terminated")), None)
    # Memory first: a container over its limit is the job's own doing, whatever else befell its pod.
    if ended is not None and ended.get("reason") == "OOMKilled":
        return Evidence(False, State.OUT_OF_MEMORY, "OOMKilled")
    disruption = _condition(pod, "DisruptionTarget").get("reason", "")
    if disruption == "DeletionByPodGC":
        return Evidence(False, State.LOST, "its node is gone")
    reason = status.get("reason", "")
    if reason in _POD_REASONS:
        state, words = _POD_REASONS[reason]
        return Evidence(False, state, _told(words, status.get("message")))
    if disruption in _DISRUPTIONS:
        return Evidence(False, State.PREEMPTED, _DISRUPTIONS[disruption])
    if status.get("phase") != "Failed":
        return None
    if ended is None:
        return Evidence(False, State.FAILED, _told(reason, status.get("message")))
    words = f"{ended.get('reason') or 'Error'}, exit code {ended.get('exitCode')}"
    # The message is the end of the container's log.
    return Evidence(False, State.FAILED, _told(words, (ended.get("message") or "")[-_MESSAGE_CHARACTERS:]))


def _condition(thing: Object, kind: str, status: str = "True") -> Object:
    """A condition of an object, empty where the object has none of this status."""
    found = thing.get("status", {}).get("conditions") or ()
    return next((c for c in found if c["type"] == kind and c["status"] == status), {})


def _containers(pod: Object) -> Sequence[Object]:
    return pod.get("status", {}).get("containerStatuses") or ()


def _told(words: str, message: str | None) -> str:
    """Words with the cluster's own message on one line."""
    text = " ".join((message or "").split())[:_MESSAGE_CHARACTERS]
    return f"{words}: {text}" if words and text else words or text
