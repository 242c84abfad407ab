"""One cell of a comparison: graft, measure, adapt, measure; picklable, so that it can run in another process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from lexigraft.api.adapt import adapt_model
from lexigraft.api.augment import extend_for
from lexigraft.api.compare.cell_evaluation import Measurements
from lexigraft.api.compare.cell_keys import start_key
from lexigraft.api.compare.inputs import Prepared, Shared, open_shared, strategy_inputs
from lexigraft.api.compare.shared_start import SharedStart
from lexigraft.api.further_texts import texts_of
from lexigraft.core.config.arms import Line
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Score
from lexigraft.core.grafting.folder import write_model, write_provenance
from lexigraft.core.grafting.pipeline import Grafted, graft_model
from lexigraft.core.grafting.tracked_rows import TrackedRows
from lexigraft.core.tokenization.token_counts import stored_counts
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.memory import peak_rss_bytes


class CellRunner:
    """Runs any cell of one comparison; unpickled in another process, it opens the shared inputs there, once.

    Args:
        recipe: The recipe.
        prepared: Paths and hashes of the prepared inputs.
        out: The comparison's folder.
        shared: The cells' shared inputs, where this process has opened them already.
    """

    def __init__(self, recipe: CompareSettings, prepared: Prepared, out: Path, shared: Shared | None = None) -> None:
        self.recipe, self.prepared, self.out = recipe, prepared, out
        if shared is not None:
            self.shared = shared

    def __reduce__(self) -> tuple[type[CellRunner], tuple[CompareSettings, Prepared, Path]]:
        """Pickle the recipe and the paths, without opened inputs."""
        return CellRunner, (self.recipe, self.prepared, self.out)

    @cached_property
    def shared(self) -> Shared:
        """The cells' shared inputs."""
        return open_shared(self.recipe, self.prepared)

    def __call__(self, cell: Cell) -> CellResult:
        """Graft, measure at step 0, adapt with measurements at the probe and the end.

        Of several processes all make the same graft and train; only the first one measures and writes.
        """
        started = time.perf_counter()
        line = next(line for line in self.recipe.lines if line.label == cell.label)
        texts = self.shared.texts
        grafted = self._graft(line, cell.seed)
        grafted_at = time.perf_counter()
        settings = line.adaptation.model_copy(update={"seed": cell.seed})
        extended = extend_for(grafted.model, grafted.vocabulary, settings)
        vocabulary = extended.vocabulary
        counts = self.out / "prepared" / "counts"
        start = self._shared_start(line, cell.seed) if vocabulary is grafted.vocabulary else None
        measurements = Measurements(
            self.recipe, texts, grafted, cell.seed, self._folder(cell), counts, vocabulary, start
        )
        scores = _scores(0, measurements.take(0, grafted.model))
        losses: tuple[tuple[int, float], ...] = ()
        cost: dict[str, float] = {"tokens_trained": 0, "trainable_parameters": 0, "adapt_seconds": 0}
        if settings.steps:
            tracked = TrackedRows(grafted, stored_counts(grafted.vocabulary, texts.train, counts))
            stops = {settings.probe_step, settings.steps} - {0}
            adapted = adapt_model(
                grafted.model,
                vocabulary,
                texts.train,
                settings,
                annotations=texts.annotations,
                unseen=texts.unseen,
                texts=texts_of(settings, texts.further),
                new_ids=[*grafted.alignment.new.tolist(), *extended.added.tolist()],
                eval_steps={s for s in stops if s <= settings.steps},
                on_step=measurements.take,
                work=self._folder(cell) / "work" if settings.checkpoint_every else None,
            )
            losses = adapted.losses
            scores += [s for step in sorted(adapted.evaluations) for s in _scores(step, adapted.evaluations[step])]
            scores += _scores(settings.steps, measurements.take_last(adapted.model))
            cost = {
                "tokens_trained": adapted.tokens_trained,
                "trainable_parameters": adapted.trainable_parameters,
                "adapt_seconds": adapted.seconds,
                **{f"tokens_trained/{name}": tokens for name, tokens in adapted.tokens_by_text.items()},
            }
            if processes().first:
                tracked.write(self._folder(cell), adapted.model)
                if self.recipe.keep_models:
                    write_model(self._folder(cell) / "model", adapted.model, vocabulary)
        cost |= {
            "seconds": time.perf_counter() - started + (start.seconds if start is not None else 0),
            "graft_seconds": grafted_at - started,
            "plan_seconds": grafted.rows.plan_seconds,
            "learned_tokens": grafted.rows.counts["learned_tokens"],
            "peak_rss_bytes": peak_rss_bytes(),
        }
        if processes().first:
            source = self.shared.source.vocabulary if cell.body == "source" else None
            write_provenance(self._folder(cell), grafted.rows.provenance, grafted.vocabulary, source)
        notes = (*grafted.rows.notes, *measurements.notes)
        return CellResult(cell, tuple(scores), losses, _coverage(grafted), cost, notes)

    def _shared_start(self, line: Line, seed: int) -> SharedStart | None:
        key = start_key(self.recipe, self.prepared, self.shared, line, seed)
        return None if key is None else SharedStart(self.out / "prepared" / "start", key)

    def _folder(self, cell: Cell) -> Path:
        folder = self.out / "cells" / cell.folder
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _graft(self, line: Line, seed: int) -> Grafted:
        shared, settings = self.shared, self.recipe.graft
        if line.norm_calibration is not None:
            settings = settings.model_copy(update={"norm_calibration": line.norm_calibration})
        inputs = strategy_inputs(self.recipe, self.prepared.poor_model, shared.texts, settings)
        return graft_model(
            shared.source,
            shared.target,
            shared.chains[line.label],
            inputs.loaders(shared.target, self.out / "prepared" / "vectors"),
            poor=self.prepared.poor_model,
            seed=seed,
            settings=settings,
        )


def _scores(step: int, figures: Mapping[str, float]) -> list[Score]:
    return [Score(step, metric, value) for metric, value in figures.items()]


def _coverage(grafted: Grafted) -> dict[str, int | float]:
    counts = grafted.rows.counts
    matched = {f"matched/{rule}": n for rule, n in counts["matched"].items()}
    return {key: counts[key] for key in ("target_tokens", "new", "covered", "fallback")} | matched
