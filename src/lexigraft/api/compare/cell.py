"""One cell of a comparison: graft, measure, adapt, measure; picklable, so that it can run in another process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lexigraft.api.adapt import adapt_model
from lexigraft.api.augment import extend_for, learns_entities
from lexigraft.api.compare.cell_evaluation import Measurements
from lexigraft.api.compare.inputs import Prepared, Shared, Texts, open_shared, strategy_inputs
from lexigraft.api.evaluate import text_evaluators
from lexigraft.api.further_texts import texts_of
from lexigraft.api.objectives import adaptation_values
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.arms import Line
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.data.augmentation import make_augmenters
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Score
from lexigraft.core.grafting.folder import write_model, write_provenance
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import Grafted, graft_model
from lexigraft.core.grafting.strategy import Strategy, uses_of
from lexigraft.core.grafting.tracked_rows import TrackedRows
from lexigraft.core.tokenization.token_counts import stored_counts
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.hashing import flat, hash_of
from lexigraft.core.utils.memory import peak_rss_bytes
from lexigraft.core.utils.versions import result_versions


def cells_of(
    recipe: CompareSettings,
    prepared: Prepared,
    texts: Texts,
    tokenizer_hash: str,
    chains: Mapping[str, Sequence[Strategy]],
) -> tuple[Cell, ...]:
    """Every cell of a recipe, with the content hash of everything that makes its result.

    Args:
        recipe: The recipe.
        prepared: Paths and hashes of the prepared inputs.
        texts: Its texts.
        tokenizer_hash: Content of the target tokenizer.
        chains: The configured strategies by label.
    """
    common = {
        **shared_inputs(recipe, texts, prepared.source_hash),
        "tokenizer": tokenizer_hash,
        "versions": result_versions(),
    }
    entries = [(line, chains[line.label]) for line in recipe.lines]
    needs = frozenset[Need]().union(*(uses_of(chain) for _, chain in entries))
    inputs = strategy_inputs(recipe, prepared.poor_model, texts).contents(needs)
    anchors = texts.annotations.hash if texts.annotations is not None else None
    return tuple(
        _cell(line, chain, seed, common | _arm(line, anchors) | _further(line.adaptation, texts), inputs)
        for line, chain in entries
        for seed in recipe.seeds
    )


def shared_inputs(recipe: CompareSettings, texts: Texts, source_hash: str) -> dict[str, Any]:
    """What every cell of a recipe depends on, but for the target tokenizer and the versions of packages.

    Args:
        recipe: The recipe.
        texts: Its texts.
        source_hash: Content of the source model.
    """
    return {
        "source": source_hash,
        "train": texts.train.hash,
        "measured": {name: text.hash for name, text in texts.measured.items()},
        "graft": recipe.graft.model_dump(mode="json", exclude={"memory_budget", "device", "verify"}),
        "adaptation": adaptation_values(recipe.adaptation),
        "evaluation": recipe.evaluation.model_dump(mode="json", include={"max_lines"})
        | {evaluator.name: evaluator.parameters() for evaluator in text_evaluators(recipe.evaluation)},
        "tasks": {task.name: task.described() for task in texts.tasks},
    }


def _arm(line: Line, anchors: str | None) -> dict[str, Any]:
    """What is another in an arm than in the recipe."""
    augmenters = make_augmenters(line.adaptation.augment)
    inputs: dict[str, Any] = {"anchors": anchors} if augmenters or learns_entities(line.adaptation) else {}
    if contents := [one.content for one in augmenters if one.content]:
        inputs["augmenter_files"] = hash_of(contents)
    if line.arm is None:
        return inputs
    return {"arm": line.arm, "adaptation": adaptation_values(line.adaptation), **inputs}


def _further(settings: AdaptSettings, texts: Texts) -> dict[str, Any]:
    further = {name: text.hash for name, text in texts_of(settings, texts.further).items()}
    return {"texts": further} if further else {}


def _cell(
    line: Line, chain: Sequence[Strategy], seed: int, common: Mapping[str, Any], inputs: Mapping[Need, Any]
) -> Cell:
    needs = uses_of(chain)
    own = {str(need): content for need, content in inputs.items() if need in needs}
    if line.norm_calibration is not None:
        own["norm_calibration"] = line.norm_calibration
    made_by = {"chain": [[s.name, s.parameters()] for s in chain], "seed": seed, **own}
    described = {
        **common,
        **own,
        "seed": seed,
        "strategy": "+".join(s.name for s in chain),
        "keeps_tokenizer": any(s.keeps_tokenizer for s in chain),
        "fields": {s.name: s.parameters() for s in chain},
    }
    return Cell(line.label, seed, chain[0].body.value, hash_of([common, made_by]), flat(described))


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
        measurements = Measurements(self.recipe, texts, grafted, cell.seed, self._folder(cell), counts, vocabulary)
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
            "seconds": time.perf_counter() - started,
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
