"""Client of a Kubernetes cluster: the calls that the launcher `kubernetes` makes, by the package lightkube."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.plugins.launchers._kubernetes_config import configuration


class Absent(LexigraftError):
    """The cluster has no such object."""


class Cluster:
    """A namespace of a cluster; objects are plain values, as in a manifest.

    Args:
        kubeconfig: The configuration file, or several as ``KUBECONFIG`` names them; by default that variable, inside a
            cluster the pod's own account, or ``~/.kube/config``.
        context: The context in it; by default its current one.
        namespace: The namespace; by default the context's.
    """

    def __init__(self, kubeconfig: str = "", context: str = "", namespace: str = "") -> None:
        try:
            import lightkube
        except ImportError:
            what, hint = "the package that talks to Kubernetes is not installed", "pip install 'lexigraft[kubernetes]'"
            raise LexigraftError(what, "lightkube", hint) from None
        with _told("the cluster's configuration cannot be used"):
            self._client = lightkube.Client(configuration(kubeconfig, context), namespace=namespace or None)
        weakref.finalize(self, self._client.close)  # its connections, when nobody needs them any more
        self.namespace: str = self._client.namespace

    def create(self, manifest: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
        """Create an object, or only have the cluster check whether it would."""
        kind = self._kinds[manifest["kind"]]
        with _told(f"the cluster refuses the {manifest['kind']}", manifest["metadata"]["name"]):
            return _plain(self._client.create(kind.from_dict(manifest), dry_run=dry_run))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object by its name; raises `Absent` where there is none."""
        with _told(f"the cluster does not show the {kind}", name):
            return _plain(self._client.get(self._kinds[kind], name, namespace=self.namespace))

    def select(
        self, kind: str, labels: Mapping[str, str], fields: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Objects with these labels and fields."""
        with _told(f"the cluster does not list objects of the kind {kind}"):
            found = self._client.list(
                self._kinds[kind], namespace=self.namespace, labels=dict(labels) or None, fields=fields
            )
            return [_plain(one) for one in found]

    def patch(self, kind: str, name: str, change: Mapping[str, Any]) -> None:
        """Change an object."""
        with _told(f"the cluster does not change the {kind}", name):
            self._client.patch(self._kinds[kind], name, dict(change), namespace=self.namespace)

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and, in the background, what belongs to it; one that is not there is left alone."""
        from lightkube.types import CascadeType

        try:
            with _told(f"the cluster does not delete the {kind}", name):
                self._client.delete(self._kinds[kind], name, namespace=self.namespace, cascade=CascadeType.BACKGROUND)
        except Absent:
            return

    def log(self, pod: str, container: str, lines: int) -> list[str]:
        """The last lines of a container's log."""
        with _told("the cluster does not show the log of the pod", pod):
            shown = self._client.log(
                pod, namespace=self.namespace, container=container, tail_lines=lines, newlines=False
            )
            return list(shown)

    @cached_property
    def _kinds(self) -> dict[str, Any]:
        from lightkube.resources import batch_v1, core_v1

        names = ("Pod", "Secret", "Event", "PersistentVolumeClaim", "ServiceAccount")
        return {"Job": batch_v1.Job, **{name: getattr(core_v1, name) for name in names}}


def _plain(thing: Any) -> dict[str, Any]:
    values: dict[str, Any] = thing.to_dict()
    return values


@contextmanager
def _told(what: str, name: str | None = None) -> Iterator[None]:
    """Turn the client's errors into one message with the cluster's own words."""
    import httpx2
    import yaml
    from lightkube.core.exceptions import ConfigError

    # What a configuration that is no kubeconfig makes lightkube raise, before it has asked a cluster anything.
    unusable = (ConfigError, OSError, LookupError, ValueError, TypeError, AttributeError, yaml.YAMLError)

    try:
        yield
    except httpx2.HTTPStatusError as error:
        code, words = error.response.status_code, _words(error.response)
        kind = Absent if code == 404 else LexigraftError
        raise kind(what, name, f"{code}: {words}") from None
    except httpx2.HTTPError as error:
        raise LexigraftError("the cluster does not answer", None, str(error) or type(error).__name__) from None
    except (*unusable, httpx2.InvalidURL) as error:
        raise LexigraftError(what, name, f"{type(error).__name__}: {error}") from None


def _words(response: Any) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:300] or str(response.reason_phrase)
