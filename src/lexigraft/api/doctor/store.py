"""Check that a recipe's tracking store answers."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit, urlunsplit

from lexigraft.api.doctor.findings import Findings
from lexigraft.core.config.recipe import TrackingSettings
from lexigraft.core.utils.secrets import masked, masked_uris

_PATIENCE = 3.0


def report_store(findings: Findings, settings: TrackingSettings) -> None:
    """Report where runs go; a store that does not answer fails only where the recipe requires it."""
    if not settings.enabled:
        findings.good("tracking: off")
        return
    from lexigraft.adapters.tracking.tracker import asked_for

    uri = asked_for(settings)
    error = _error(uri)
    shown = masked_uris(uri)
    silent = f"the MLflow store does not answer: {shown} ({masked(error or '', uri)})"
    if error is None:
        findings.good(f"tracking: {shown}")
    elif settings.required:
        findings.bad(f"{silent}. Start it, or set tracking.required to false")
    else:
        findings.note(f"{silent}; runs would go to mlflow.db in the output folder")


def _error(uri: str) -> str | None:
    from lexigraft.adapters.tracking.database import database_of

    if (database := database_of(uri)) is not None:
        home = database.file.parent
        while not home.exists():
            home = home.parent
        return None if os.access(home, os.W_OK) else f"{home} cannot be written"
    if not uri.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(uri)
        # urllib takes user information for a part of the host's name, and health is asked for without it.
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], f"{parts.path.rstrip('/')}/health", "", ""))
        with urllib.request.urlopen(bare, timeout=_PATIENCE):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in (401, 403) else f"HTTP {error.code}"
    except (OSError, ValueError, HTTPException) as error:
        return str(getattr(error, "reason", error))
