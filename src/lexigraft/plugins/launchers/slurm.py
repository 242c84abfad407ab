"""The launcher `slurm`: one job array of a Slurm cluster for each wave of jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lexigraft.core.errors import LexigraftError
from lexigraft.core.remote.job_files import CREDENTIALS, last_lines, read_json, write_credentials, write_json
from lexigraft.core.remote.job_state import Evidence, State
from lexigraft.core.remote.launcher import (
    HARMLESS,
    NETWORK_FILES_SECONDS,
    Handle,
    Job,
    Launcher,
    Number,
    Resources,
    Seconds,
)
from lexigraft.plugins.launchers._slurm import commands, scripts

_SUBMITTED = "slurm.json"
"""Written before a job is submitted: under which name, and which number of the array it is."""
_ARRAY = "slurm_job"
"""Written by the batch script: the array's number."""
_MARGIN = 30.0
"""Seconds of the notice that are kept for writing down the end and going back to the queue."""
_OVER_MEMORY = ("exceeded memory limit", "exceeded job memory limit", "oom-kill", "oom_kill")
_HINT = "See partition, account, qos, gpus, memory and time in the backend configuration"


@dataclass(frozen=True)
class Slurm(Launcher):
    """Jobs of a Slurm cluster whose machines see this machine's files: one job array for each wave.

    Attributes:
        partition: Partition.
        account: Account.
        qos: Quality of service.
        constraint: Features that the machines must have.
        gres: Generic resources, such as ``gpu:a100:2``; ``gpus`` then only says how many processes torchrun starts.
        nodes: Machines of a job; with several, or several GPUs, torchrun starts a process for each GPU.
        options: Further options of sbatch, such as ``--exclude=node7``.
        modules: Environment modules to load.
        before: Lines of shell to run before the command.
        container: Image to run the command in; ``python`` then names the Python in it.
        container_program: What runs the image.
        mounts: Folders that the container sees under the same paths.
        template: Jinja template of the batch script instead of the one that comes with the package.
        notice: Time before the time limit at which a job is ended to go back to the queue.
        requeues: How often a job goes back to the queue.
    """

    name: ClassVar[str] = "slurm"
    limits_parallel: ClassVar[bool] = True
    orders_jobs: ClassVar[bool] = True
    late_seconds: ClassVar[float] = NETWORK_FILES_SECONDS

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    gres: str = ""
    nodes: Annotated[int, Field(ge=1, le=2**16)] = 1
    options: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    container: str = ""
    container_program: Literal["apptainer", "enroot"] = "apptainer"
    mounts: tuple[str, ...] = ()
    template: str = ""
    notice: Seconds = 120.0
    requeues: Number = 20

    @property
    def resources(self) -> Resources:
        """What each job asks for, by the fields."""
        return replace(super().resources, nodes=self.nodes)

    def check(self) -> None:
        """Ask sbatch whether it would take such a job."""
        script = self._batch_script(["/"], self.resources)
        said = commands.ask(["sbatch", "--test-only"], text=script)
        if said.code is None:
            hint = "Submit from a machine of the cluster, where Slurm's commands are installed"
            raise LexigraftError("Slurm cannot be asked", said.error, hint)
        if said.code != 0:
            raise LexigraftError("sbatch refuses such jobs", said.error, _HINT)

    def submit(self, command: Sequence[str], resources: Resources, env: Mapping[str, str], workdir: Path) -> Handle:
        """Submit an array of one job."""
        return self.submit_many([Job(command, resources, env, workdir)], 1)[0]

    def submit_many(self, jobs: Sequence[Job], parallel: int, after: Sequence[Handle] = ()) -> list[Handle]:
        """Submit one array; where Slurm wants smaller ones, or jobs ask for different things, one after the other."""
        handles: list[Handle] = []
        order = ["afterok:" + ":".join(handle.id for handle in after)] if after else []
        for wave in _waves(jobs):
            last = [f"afterany:{handles[-1].id.partition('_')[0]}"] if handles else []
            try:
                handles += self._submit(wave, parallel, [*order, *last])
            except LexigraftError:
                for handle in handles:
                    self.cancel(handle)
                raise
        return handles

    def _submit(self, jobs: Sequence[Job], parallel: int, after: Sequence[str]) -> list[Handle]:
        first = jobs[0].workdir
        script, log = first / "batch.sh", f"{first}/slurm-%a.log"
        name = f"lexigraft-{blake2b(str(first.resolve()).encode(), digest_size=8).hexdigest()}"
        script.write_text(self._batch_script([str(job.workdir) for job in jobs], jobs[0].resources), encoding="utf-8")
        for number, job in enumerate(jobs):
            (job.workdir / _ARRAY).unlink(missing_ok=True)
            (job.workdir / "run.sh").write_text(self._run_script(job), encoding="utf-8")
            write_json(job.workdir / _SUBMITTED, {"name": name, "task": number, "log": log.replace("%a", str(number))})
            write_credentials(job.workdir, job.env)
        options = [f"--array=0-{len(jobs) - 1}%{max(1, parallel)}", f"--job-name={name}"]
        options += [f"--output={str(first).replace('%', '%%')}/slurm-%a.log"]
        options += ["--kill-on-invalid-dep=yes", f"--dependency={','.join(after)}"] if after else []
        said = commands.ask(["sbatch", "--parsable", *options, str(script)])
        if said.code != 0:
            for job in (
                jobs if said.code is not None else ()
            ):  # without an answer there may be a job, which `find` finds
                write_credentials(job.workdir, {})
                (job.workdir / _SUBMITTED).unlink()
            raise LexigraftError("sbatch refuses the job", said.error, _HINT)
        array = said.out.strip().partition(";")[0]
        return [self._handle(array, job.workdir) for job in jobs]

    def _handle(self, array: str, workdir: Path) -> Handle:
        known = read_json(workdir / _SUBMITTED) or {}
        return Handle(self.name, f"{array}_{known['task']}", str(workdir), {"log": known["log"]})

    def _batch_script(self, folders: Sequence[str], resources: Resources) -> str:
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        more = {"seconds_of_notice": max(1, round(self.notice)), "credentials": CREDENTIALS}
        return scripts.batch_script(self.template, folders, resources, {**values, **more})

    def _run_script(self, job: Job) -> str:
        asked = job.resources
        processes = max(1, asked.gpus or 1)
        words: list[str] = []
        command = job.command if asked.nodes > 1 else self.by_torchrun(job.command, processes)
        if asked.nodes > 1:
            words += [scripts.srun(asked.nodes, asked.cpus)]
        if self.container:
            names = sorted(
                {*HARMLESS - {"PATH", "HOME", "SHELL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"}, *job.env}
            )
            words += [scripts.container(self.container_program, self.container, self.mounts, bool(asked.gpus), names)]
        if asked.nodes > 1:
            words += [scripts.torchrun_on_nodes(self.interpreter, processes, asked.nodes)]
        # The wrapper runs outside of the container: signals, the memory's limit and srun are outside.
        outside = replace(self, python="") if self.container else self
        grace = f"{max(self.notice - _MARGIN, self.notice / 2):g}"
        wrapper = outside.wrapped([], str(job.workdir), "--requeued", "--grace", grace)
        return scripts.run_script(wrapper, " ".join(words), command, asked.cpus and max(1, asked.cpus // processes))

    def evidence(self, handle: Handle) -> Evidence:
        """What squeue says; where it knows nothing any more, ``scontrol show job``; then sacct, if it answers."""
        array, _, task = handle.id.partition("_")
        queue = commands.in_queue(array)
        if isinstance(queue, str):
            return Evidence(reason=f"Slurm does not answer: {queue}")
        seen = queue.get(task) or queue.get("") or commands.in_controller(handle.id) or commands.in_accounts(handle.id)
        if seen is None:
            return Evidence(alive=False, reason="Slurm no longer knows the job")
        found = commands.evidence(seen)
        if found.state is State.FAILED and self._over_memory(handle):
            return replace(found, state=State.OUT_OF_MEMORY)
        return found

    def _over_memory(self, handle: Handle) -> bool:
        """Whether Slurm itself has ended a job for its memory; without control groups it calls that a failure."""
        log = Path(handle.data["log"])
        text = "\n".join(last_lines(log.parent, 20, log.name)).lower()
        return any(words in text for words in _OVER_MEMORY)

    def stop(self, handle: Handle) -> None:
        """Cancel one job of the array."""
        said = commands.ask(["scancel", handle.id])
        if said.code != 0 and not said.unknown_job:
            raise LexigraftError("the job cannot be cancelled", handle.id, said.error)

    def find(self, workdir: Path) -> Handle | None:
        """The job by what its batch script wrote, or by its array's name, which holds its folder's hash."""
        known = read_json(workdir / _SUBMITTED)
        if known is None:
            return None
        try:
            array: str | None = (workdir / _ARRAY).read_text(encoding="utf-8").strip()
        except OSError:
            array = commands.array_by_name(known["name"])
        return self._handle(array, workdir) if array else None

    def tail(self, handle: Handle, lines: int) -> list[str]:
        """The last lines of the job's log; of Slurm's own, where the command was never started."""
        log = Path(handle.data["log"])
        return super().tail(handle, lines) or last_lines(log.parent, lines, log.name)


def _waves(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """Jobs in groups that one array can hold."""
    size = commands.largest_array() if len(jobs) > 1 else 1
    for _, group in groupby(jobs, key=lambda job: job.resources):
        alike = list(group)
        for begin in range(0, len(alike), size):
            yield alike[begin : begin + size]
