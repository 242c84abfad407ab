"""Scripts of a wave of jobs: the batch script from its template, and the command of each job."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.launcher import Resources

_MEBIBYTE = 2**20
_FIRST_PORT, _PORTS = 20000, 20000


def batch_script(template: str, folders: Sequence[str], resources: Resources, values: Mapping[str, Any]) -> str:
    """The batch script of a wave.

    Args:
        template: The file of a Jinja template; empty for the one that comes with the package.
        folders: The jobs' folders.
        resources: What each job asks for.
        values: Further values by the names under which the template knows them.

    Raises:
        LexigraftError: The template cannot be read, or has a mistake.
    """
    from jinja2 import Environment, StrictUndefined, TemplateError

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    asked = {
        "folders": folders,
        "nodes": resources.nodes,
        "cpus": resources.cpus,
        "gpus": resources.gpus,
        "memory_mb": resources.memory and math.ceil(resources.memory / _MEBIBYTE),
        "minutes": resources.seconds and math.ceil(resources.seconds / 60),
    }
    try:
        return environment.from_string(_read(template)).render({**values, **asked})
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f"{template or 'batch.sh.j2'}{f', line {line}' if line else ''}"
        raise LexigraftError("template of the batch script has a mistake", where, str(error)) from None


def _read(template: str) -> str:
    if not template:
        return files(__package__).joinpath("batch.sh.j2").read_text(encoding="utf-8")
    try:
        return Path(template).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LexigraftError("template of the batch script cannot be read", template, str(error)) from None


def run_script(wrapper: Sequence[str], prefix: str, command: Sequence[str], threads: int | None) -> str:
    """The script that runs one job's command in the wrapper.

    Args:
        wrapper: The wrapper's command line, up to the command.
        prefix: Shell words before the command.
        command: The command.
        threads: Threads of arithmetic in each process; None for what the machine's settings say.
    """
    lines = ["#!/bin/bash", "# The command of one job; the batch script of its wave starts it."]
    if threads:
        lines.append(f"export OMP_NUM_THREADS={threads}")
    if "$first" in prefix:
        lines.append('first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)')
        lines.append(f"port=$(({_FIRST_PORT} + SLURM_JOB_ID % {_PORTS}))")
    lines.append(" ".join(filter(None, ["exec", shlex.join(wrapper), prefix, shlex.join(command)])))
    return "\n".join(lines) + "\n"


def torchrun_on_nodes(python: str, processes: int, nodes: int) -> str:
    """Shell words that run a command in several processes on each of several machines, inside of ``srun``."""
    where = '--rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:$port"'
    many = f"--nnodes {nodes} --nproc-per-node={processes}"
    return f"{shlex.quote(python)} -m torch.distributed.run {many} {where} --no-python"


def srun(nodes: int, cpus: int | None) -> str:
    """Shell words that run a command once on each machine of a job."""
    once = f"srun --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 --kill-on-bad-exit=1"
    return f"{once} --cpus-per-task {cpus}" if cpus else once


def container(program: str, image: str, mounts: Sequence[str], gpus: bool, names: Sequence[str]) -> str:
    """Shell words that run a command in a container.

    Args:
        program: ``apptainer``, which passes the environment on, or ``enroot``, which is told the names of variables.
        image: The image.
        mounts: Folders of the machine that the container sees under the same paths.
        gpus: Whether it needs GPUs.
        names: Names of the variables that it gets.
    """
    if program == "apptainer":
        words = ["apptainer", "exec", *(["--nv"] if gpus else [])]
        words += [word for folder in mounts for word in ("--bind", folder)]
    else:
        words = ["enroot", "start", *(word for folder in mounts for word in ("--mount", f"{folder}:{folder}"))]
        words += [word for name in names for word in ("--env", name)]
    return shlex.join([*words, image])
