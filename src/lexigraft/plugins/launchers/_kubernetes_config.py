"""Configuration of a Kubernetes cluster: a context of one or several kubeconfig files, or the pod's own account."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_EXEC_API = "client.authentication.k8s.io"
_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def configuration(kubeconfig: str, context: str) -> Any:
    """The context of a configuration file, or of what the machine offers.

    Args:
        kubeconfig: The file; by default ``KUBECONFIG``, which may name several, else the pod's account or
            ``~/.kube/config``.
        context: The context's name; by default the current one.
    """
    from lightkube import KubeConfig
    from lightkube.config.models import NameValue, User

    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    files = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if len(files) > 1:
        known = KubeConfig.from_dict(_merged([file for file in files if file.is_file()]))
    else:
        known = KubeConfig.from_file(files[0]) if files else KubeConfig.from_env()
    found = known.get(context or None)
    user = found.user or User()
    if user.exec and user.exec.apiVersion == f"{_EXEC_API}/v1":
        # lightkube runs the program as for v1beta1, whose answer has the same form; v1 wants to be told the version.
        told = f'{{"apiVersion":"{_EXEC_API}/v1","kind":"ExecCredential","spec":{{"interactive":false}}}}'
        user.exec.env = [*(user.exec.env or ()), NameValue("KUBERNETES_EXEC_INFO", told)]
        user.exec.apiVersion = f"{_EXEC_API}/v1beta1"
    return found._replace(user=user)


def _merged(files: Sequence[Path]) -> dict[str, Any]:
    """Several files as one: of entries with the same name, and of current contexts, the first counts."""
    import yaml

    merged: dict[str, Any] = {key: [] for key in _LISTS}
    for file in files:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if current := values.get("current-context"):
            merged.setdefault("current-context", current)
        for key, inner in _LISTS.items():
            names = {entry["name"] for entry in merged[key]}
            entries = [entry for entry in values.get(key) or () if entry["name"] not in names]
            merged[key] += [{**entry, inner: _whole(entry[inner] or {}, file.parent)} for entry in entries]
    return merged


def _whole(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """An entry with whole paths: relative ones start from the folder of their own file."""
    return {key: str(folder / value) if key in _FILES else value for key, value in values.items()}
