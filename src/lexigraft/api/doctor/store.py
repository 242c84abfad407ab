"""Whether the tracking store of a recipe answers."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from lexigraft.api.doctor.findings import Findings
from lexigraft.core.config.recipe import TrackingSettings

_PATIENCE = 3.0


def report_store(findings: Findings, settings: TrackingSettings) -> None:
    """Note where runs go; a store that does not answer fails only where the recipe requires it."""
    if not settings.enabled:
        findings.good("tracking: off")
        return
    from lexigraft.adapters.tracking.tracker import asked_for

    uri = asked_for(settings)
    fault = _fault(uri)
    silent = f"the MLflow store does not answer: {uri} ({fault})"
    if fault is None:
        findings.good(f"tracking: {uri}")
    elif settings.required:
        findings.bad(f"{silent}. Start it, or set tracking.required to false")
    else:
        findings.note(f"{silent}; runs would go to mlflow.db in the output folder")


def _fault(uri: str) -> str | None:
    if uri.startswith("sqlite:///"):
        home = Path(uri.removeprefix("sqlite:///")).resolve().parent
        while not home.exists():
            home = home.parent
        return None if os.access(home, os.W_OK) else f"{home} cannot be written"
    if not uri.startswith(("http://", "https://")):
        return None
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_PATIENCE):
            return None
    except urllib.error.HTTPError as fault:
        return None if fault.code in (401, 403) else f"HTTP {fault.code}"
    except (OSError, ValueError) as fault:
        return str(getattr(fault, "reason", fault))
