"""Checks of this machine and its packages."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from lexigraft.api.doctor.findings import Findings
from lexigraft.core.registry import KINDS, discover

SCARCE_DISK = 2 * 10**9


def report_machine(findings: Findings, folder: Path) -> None:
    """Report versions, device, disk space under ``folder``, and every plug-in that is broken."""
    _versions(findings)
    _device(findings)
    _disk(findings, folder)
    for kind in KINDS:
        with findings.collect_errors():
            _plugins(findings, kind)


def _versions(findings: Findings) -> None:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    wanted = SpecifierSet(metadata("lexigraft")["Requires-Python"])
    python = platform.python_version()
    (findings.good if wanted.contains(python) else findings.bad)(f"Python {python} (wanted: {wanted})")
    fitting: list[str] = []
    for requirement in map(Requirement, requires("lexigraft") or []):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            findings.bad(f"{requirement.name} is not installed (wanted: {requirement.specifier})")
            continue
        if requirement.specifier.contains(installed, prereleases=True):
            fitting.append(f"{requirement.name} {installed}")
        else:
            findings.bad(f"{requirement.name} {installed} is outside {requirement.specifier}")
    findings.good(f"lexigraft {version('lexigraft')} with {', '.join(fitting)}")


def _device(findings: Findings) -> None:
    import torch

    memory = total_memory() / 1e9
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    shown = ", ".join(gpus) if gpus else "no GPU"
    findings.good(f"{len(os.sched_getaffinity(0))} cores, {memory:.1f} GB of memory, {shown}")


def total_memory() -> int:
    """Bytes of physical memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _disk(findings: Findings, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    (findings.good if free >= SCARCE_DISK else findings.note)(f"{free / 1e9:.1f} GB free on the disk of {folder}")
    if not os.access(folder, os.W_OK):
        findings.note(f"{folder} cannot be written; name another folder with --out")


def _plugins(findings: Findings, kind: str) -> None:
    plugins = discover(kind)
    working = [p.name for p in plugins.values() if p.cls is not None]
    findings.good(f"{len(working)} {KINDS[kind][0]}: {', '.join(working)}")
    for plugin in plugins.values():
        if plugin.cls is None:
            findings.note(f"{kind} '{plugin.name}' is broken: {plugin.broken} ({plugin.file})")
