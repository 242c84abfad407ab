"""Study on other machines: stages and cells as jobs of a launcher, one report here."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from lexigraft.api.study.finished import Finished
from lexigraft.api.study.study import COMPARISON, R, Say, Study
from lexigraft.api.tracking import open_tracker
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import (
    load_comparison,
    load_result,
    load_results,
    locked,
    save_comparison,
    save_failure,
)
from lexigraft.core.evaluation.cells.runner import Progress
from lexigraft.core.remote.backend import backend_values, read_backend
from lexigraft.core.remote.driver import Driver, Outcome, Task
from lexigraft.core.remote.job_files import read_json, write_json
from lexigraft.core.remote.job_store import JobStore
from lexigraft.core.remote.launcher import Handle, Launcher, Resources
from lexigraft.core.remote.remote_recipe import write_remote_recipe
from lexigraft.core.utils.files import emptied_after_error, refuse_other_output
from lexigraft.core.utils.hashing import hash_of
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from lexigraft.adapters.tracking.tracker import MlflowTracker

CHECK = "check"
_ANSWER, _CELLS = "answer.json", "comparison.json"
_SKEW_SECONDS = 300.0
"""How far two clocks may be apart; Kerberos and certificates bear no more."""


@dataclass(frozen=True)
class Backend:
    """Where jobs run.

    Attributes:
        name: The launcher's name.
        config: Its configuration, a YAML or JSON file.
        parallel: Most jobs at a time.
    """

    name: str
    config: Path | None = None
    parallel: int = 1


def run_remotely(study: Study[R], folder: Path, backend: Backend, say: Say, progress: Progress) -> Finished[R]:
    """Run a study's stages and cells as jobs, or take up those of an earlier start.

    Args:
        study: The study.
        folder: Its folder on this machine.
        backend: Where jobs run.
        say: Called with a line on what happens.
        progress: Called when a cell has come to its end.

    Raises:
        LexigraftError: Anything wrong with the recipe, the configuration or the machines; or cells that failed (the
            others are kept).
    """
    launcher = read_backend(backend.name, backend.config)
    launcher.passed()
    study.check_from_afar(files=launcher.shares_files)
    launcher.check()
    refuse_other_output(folder)
    store = JobStore(folder)
    _refuse_other_backend(store, backend.name)
    with emptied_after_error(folder):
        tracker = open_tracker(study.recipe.tracking, study.recipe.name, folder)
    with locked(folder):
        store.save_backend(backend.name, backend_values(backend.config))
        store.go_on()
        remote = _Remote(study, folder, launcher, store, backend.parallel, tracker, say, progress)
        try:
            return remote.run()
        except KeyboardInterrupt:
            say(f"\nThe jobs run on; to end them: lexigraft remote cancel {folder}")
            raise


@dataclass
class _Remote(Generic[R]):
    """One run of the driver."""

    study: Study[R]
    folder: Path
    launcher: Launcher
    store: JobStore
    parallel: int
    tracker: MlflowTracker | None
    say: Say
    progress: Progress

    def run(self) -> Finished[R]:
        recipe, inputs = write_remote_recipe(self.study.recipe, self.launcher, self.store.folder)
        self.launcher.push([recipe, *inputs])
        self._recipe, self._text = self.launcher.there(recipe), recipe.read_text(encoding="utf-8")
        self._driver = Driver(self.launcher, self.store, self.parallel, self.study.recipe.execution, self.say)
        found = self._check()
        tag = hash_of([self.launcher.name, self._text, found["versions"]])[:8]
        ends = self._driver.run(self._stages(tag), self._accept_stage)
        comparison = self._comparison(ends, tag)
        if self.tracker:
            self.tracker.start(comparison, self.study.recipe_text)
        failed = self._cells(comparison, {name for name, end in ends.items() if not end.finished}, tag)
        return self._finish(comparison, failed)

    def _command(self, *arguments: str) -> tuple[str, ...]:
        there = ("--recipe", self._recipe, "--out", self.launcher.there(self.folder.resolve()))
        return (self.launcher.interpreter, "-m", "lexigraft", "cell", *arguments, *there)

    @property
    def _single(self) -> Resources:
        """What a job of one process asks for."""
        asked = self.launcher.resources
        return replace(asked, gpus=min(1, asked.gpus) if asked.gpus else asked.gpus, nodes=1)

    def _check(self) -> Mapping[str, Any]:
        """What a job finds out about the machine of the jobs; what the last one found while jobs of it still run."""
        before, recipe = self.store.latest(CHECK), hash_of(self._text)
        if before is not None and (kept := read_json(before.folder / _ANSWER)) and kept["recipe"] == recipe:
            latest = (self.store.latest(job) for job in self.store.jobs() if job != CHECK)
            states = (self._driver.state(one.handle) for one in latest if one is not None and one.handle is not None)
            if any(state is None or not state.over for state in states):
                found: Mapping[str, Any] = kept["found"]
                return found
        old = "" if before is None else str(before.folder)
        from lexigraft.adapters.tracking.tracker import asked_for

        address = masked_uris(asked_for(self.study.recipe.tracking)) if self.study.recipe.tracking.enabled else ""
        wanted = ["--gpus", str(self._single.gpus or 0), "--json"]
        wanted += ["--tracking", address] if address.startswith("http") else []
        task = Task(CHECK, "the check of the machine", self._command(CHECK, *wanted), self._single)
        begun = time.time()
        patience = self.launcher.start_seconds
        end = self._driver.run([task], lambda task, handle: handle.workdir != old, stuck_seconds=patience)[CHECK]
        if end.stuck:
            hint = f"It {end.words}. Mend that, or give it more time by `start_within` in the backend configuration"
            raise LexigraftError("the check of the machine did not start", f"within {patience:,.0f} s", hint)
        answer = self._answer(end.handle)
        if answer is None:
            hint = f"{end.words}. Give the Python that has Lexigraft as `python` in the backend configuration"
            raise LexigraftError("the machine of the jobs cannot run Lexigraft", self.launcher.name, hint)
        if problems := [*answer["problems"], *_differences(answer, begun)]:
            raise LexigraftError("the machine of the jobs cannot run this recipe", answer["host"], "; ".join(problems))
        for line in answer["warnings"]:
            self.say(f"warning: {answer['host']}: {line}")
        if end.handle is not None:
            write_json(Path(end.handle.workdir) / _ANSWER, {"recipe": recipe, "found": answer})
        return answer

    def _answer(self, handle: Handle | None) -> dict[str, Any] | None:
        for line in reversed(self.launcher.tail(handle, 50) if handle is not None else []):
            if line.startswith('{"checked":'):
                answer: dict[str, Any] = json.loads(line)["checked"]
                return answer
        return None

    def _stages(self, tag: str) -> list[Task]:
        return [
            Task(
                f"{stage}-{tag}",
                stage,
                self._command("prepare", "--stage", stage),
                self._single,
                tuple(f"{name}-{tag}" for name in after),
            )
            for stage, after in self.study.stages_after.items()
        ]

    def _accept_stage(self, task: Task, handle: Handle) -> bool:
        """Bring what a stage made; the list of cells is kept with its job, since another recipe may replace it."""
        kept = Path(handle.workdir) / _CELLS
        if task.title == COMPARISON and not kept.exists():
            self.launcher.fetch(handle, self.folder)
            comparison = load_comparison(self.folder)
            if tuple((cell.label, cell.seed) for cell in comparison.cells) != self.study.cell_names:
                return False
            write_json(kept, comparison.as_json())
        return True

    def _comparison(self, ends: Mapping[str, Outcome], tag: str) -> Comparison:
        end = ends[f"{COMPARISON}-{tag}"]
        if not end.finished or end.handle is None:
            failed = [f"{name.removesuffix(f'-{tag}')} {one.words}" for name, one in ends.items() if not one.finished]
            hint = f"Its log: lexigraft remote logs {self.folder}. The same command tries it again"
            raise LexigraftError("what the cells share could not be made", "; ".join(failed), hint)
        comparison = Comparison.from_json(read_json(Path(end.handle.workdir) / _CELLS) or {})
        save_comparison(self.folder, comparison, self.study.recipe_text)
        return comparison

    def _cells(self, comparison: Comparison, lacking: set[str], tag: str) -> dict[Cell, str]:
        """Run the cells that are not finished; returns those that failed, with the reason."""
        after = self.study.cells_after
        resources = self.launcher.resources if self.study.several_processes else self._single
        cells = {cell.folder: cell for cell in comparison.cells}
        seeds = list(comparison.seeds)
        failed: dict[Cell, str] = {}
        tasks, total = [], len(cells)
        for cell in sorted(comparison.cells, key=lambda cell: seeds.index(cell.seed)):
            missing = [stage for stage in after[cell.label] if f"{stage}-{tag}" in lacking]
            if (result := load_result(self.folder, cell)) is not None:
                self._log(result)
            elif missing:
                failed[cell] = f"was not started: {', '.join(missing)} failed"
                save_failure(self.folder, cell, failed[cell])
            else:
                command = self._command("run", "--cell", cell.folder, "--no-track")
                tasks.append(Task(cell.folder, cell.title, command, resources))
        ended = total - len(tasks)
        if ended > len(failed):
            self.progress(f"{ended - len(failed)} finished before", ended, total)

        def accept(task: Task, handle: Handle) -> bool:
            self.launcher.fetch(handle, self.folder)
            return load_result(self.folder, cells[task.id]) is not None

        def on_end(task: Task, outcome: Outcome) -> None:
            nonlocal ended
            ended += 1
            cell = cells[task.id]
            if (result := load_result(self.folder, cell)) is not None:
                self._log(result)
            else:
                failed[cell] = outcome.words
                save_failure(self.folder, cell, outcome.words)
            self.progress(f"{cell.title} {outcome.words if cell in failed else 'done'}", ended, total)

        self._driver.run(tasks, accept, on_end)
        return failed

    def _log(self, result: CellResult) -> None:
        if self.tracker:
            self.tracker.log_cell(result, self.folder)

    def _finish(self, comparison: Comparison, failed: Mapping[Cell, str]) -> Finished[R]:
        save_comparison(self.folder, comparison, self.study.recipe_text)  # fetching brings the other machine's
        results = load_results(self.folder, comparison)
        report = self.study.write_report(self.folder) if results else None
        message = self.tracker.finish(self.folder, report or (), failed=bool(failed)) if self.tracker else ""
        if not message and (name := self.study.recipe.tracking.registered_model):
            message = f"the winner was not registered as {name}: the same command without --backend registers it"
        if failed or report is None:
            listed = "; ".join(f"{cell.title} {why}" for cell, why in failed.items())
            hint = "Finished cells are kept; the same command runs only the failed ones again"
            logs = f"lexigraft remote logs {self.folder}"
            raise LexigraftError(
                f"{len(failed)} of {len(comparison.cells)} cells failed", listed, f"{hint}. Logs: {logs}"
            )
        store = self.tracker.uri if self.tracker else ""
        return Finished(self.folder, comparison, tuple(results), report, store, message)


def _differences(answer: Mapping[str, Any], begun: float) -> list[str]:
    """What is wrong with a machine beside this one: another version of Lexigraft, another time."""
    problems = []
    mine, theirs = versions()["lexigraft"], answer["versions"].get("lexigraft")
    if theirs != mine:
        problems.append(f"it has Lexigraft {theirs}, and this machine {mine}")
    early, late = begun - answer["time"], answer["time"] - time.time()
    if (skew := max(early, late)) > _SKEW_SECONDS:
        problems.append(f"its clock is {skew:,.0f} s {'behind' if early > late else 'ahead of'} this machine's")
    return problems


def _refuse_other_backend(store: JobStore, name: str) -> None:
    """Refuse to start jobs a second time while another launcher's still run."""
    jobs = [attempt.handle for job in store.jobs() if (attempt := store.latest(job)) is not None]
    for handle in jobs:
        if handle is not None and handle.launcher != name and not store.launcher().poll(handle).over:
            hint = f"Go on with --backend {handle.launcher}, or end them: lexigraft remote cancel {store.folder.parent}"
            raise LexigraftError("jobs of another backend still run in this folder", handle.launcher, hint)
