"""Check of a machine before it runs cells: what one job finds out there, so that not every cell fails on its own."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lexigraft.api.compare.setup import check_comparison
from lexigraft.api.doctor.sizes import cell_bytes
from lexigraft.core.config.recipe import CompareSettings, TokenizerSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.disk_model import read_header
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.versions import versions

_TRIED_BYTES = 2**24
_SPARE_BYTES = 2**28
_CONNECT_SECONDS = 15.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class MachineCheck:
    """What was found out about a machine.

    Attributes:
        host: Its name.
        versions: Versions of Python and packages.
        gpus: Names of its GPUs with their bytes of memory.
        free_bytes: Free space where results are written; None where nothing can be written.
        time: Its clock, in seconds since 1970.
        problems: What keeps the recipe from running there, one sentence each.
        warnings: What is worth knowing.
    """

    host: str
    versions: Mapping[str, str]
    gpus: tuple[tuple[str, int], ...]
    free_bytes: int | None
    time: float
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_machine(recipe: str | Path, out: str | Path, *, gpus: int = 0, tracking: str = "") -> MachineCheck:
    """Look whether this machine can run a recipe's cells.

    Args:
        recipe: A YAML recipe.
        out: The comparison's folder.
        gpus: How many GPUs there must be.
        tracking: A tracking server's address that must be reachable; empty for none.
    """
    folder, problems, warnings = Path(out), list[str](), list[str]()
    found = _gpus()
    if len(found) < gpus:
        problems.append(f"GPUs asked for: {gpus}, seen by PyTorch: {len(found)}")
    settings = None
    try:
        settings = read_recipe(Path(recipe))
        check_comparison(settings)
    except LexigraftError as error:
        problems.append(str(error))
    if settings is not None:
        problems += _memory(settings, found if gpus else ())
    free = _free(folder, problems)
    if settings is not None and free is not None and free < (needed := _needed(settings)):
        problems.append(f"{free / 1e9:.2f} GB are free in {folder}, and about {needed / 1e9:.2f} GB are needed")
    if unreachable := _unreachable(tracking):
        required = settings is not None and settings.tracking.required
        (problems if required else warnings).append(unreachable)
    here = socket.gethostname()
    return MachineCheck(here, versions(), found, free, time.time(), tuple(problems), tuple(warnings))


def _gpus() -> tuple[tuple[str, int], ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    found = (torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count()))
    return tuple((gpu.name, int(gpu.total_memory)) for gpu in found)


def _memory(recipe: CompareSettings, gpus: tuple[tuple[str, int], ...]) -> Iterator[str]:
    asked = recipe.target_tokenizer
    try:
        rows = asked.size if isinstance(asked, TokenizerSettings) else load_vocabulary(asked).size
        needed = cell_bytes(recipe, read_header(recipe.source), rows)
    except LexigraftError:  # found before, by the check of the recipe
        return
    for name, memory in gpus:
        if memory < needed:
            yield f"{name} has {memory / 1e9:.1f} GB, and a cell needs about {needed / 1e9:.1f} GB"


def _free(folder: Path, problems: list[str]) -> int | None:
    """Free space, found by writing too: a quota does not show in what the file system says is free."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".check.") as file:
            file.write(os.urandom(_TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
        return shutil.disk_usage(folder).free
    except OSError as error:
        problems.append(f"{folder} cannot be written: {error.strerror or error}")
        return None


def _needed(recipe: CompareSettings) -> int:
    """Bytes on disk: kept models, or the checkpoints of one cell."""
    source = Path(recipe.source)
    model = sum(path.stat().st_size for path in source.glob("*.safetensors")) if source.is_dir() else 0
    cells = len(recipe.lines) * len(recipe.seeds)
    kept = cells if recipe.keep_models else 0
    return _SPARE_BYTES + model * (kept + (3 if recipe.adaptation.checkpoint_every else 0))


def _unreachable(tracking: str) -> str:
    address = urlsplit(tracking)
    if address.scheme not in _PORTS or not address.hostname:
        return ""
    place = address.hostname, address.port or _PORTS[address.scheme]
    try:
        socket.create_connection(place, timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        return f"the tracking server {place[0]}:{place[1]} cannot be reached: {error.strerror or error}"
    return ""
