"""One cell of a comparison: graft, measure, adapt, measure; picklable, so that it can run in another process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.api.adapting import adapt_model
from lexigraft.api.evaluating import measure
from lexigraft.api.preparing import Prepared, Texts, load_texts
from lexigraft.api.supplies import load_answer, supplies
from lexigraft.core.cell import Cell, CellResult, Score
from lexigraft.core.dictionary import load_dictionary
from lexigraft.core.fingerprint import file_hash, flat, hash_of, model_hash
from lexigraft.core.graft_folder import write_model, write_provenance
from lexigraft.core.pipeline import Grafted, graft_model, make_chain, needs_of, peak_rss_bytes
from lexigraft.core.recipe import CompareSettings, StrategySettings
from lexigraft.core.strategy import Need, Strategy
from lexigraft.core.tokenizer_files import load_vocabulary
from lexigraft.core.versions import versions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CODE = ("lexigraft", "torch", "transformers", "peft", "tokenizers")


def cells_of(recipe: CompareSettings, prepared: Prepared, texts: Texts, tokenizer_hash: str) -> tuple[Cell, ...]:
    """Every cell of a recipe, with the content hash of everything that makes its result."""
    shared = {
        "source": prepared.source_hash,
        "tokenizer": tokenizer_hash,
        "train": texts.train.hash,
        "measured": {name: text.hash for name, text in texts.measured.items()},
        "graft": recipe.graft.model_dump(mode="json", exclude={"memory_budget", "verify"}),
        "adaptation": recipe.adaptation.model_dump(mode="json", exclude={"seed", "checkpoint_every"}),
        "evaluation": recipe.evaluation.model_dump(mode="json"),
        "versions": {name: versions()[name] for name in _CODE},
    }
    chains = [(s.label, make_chain(s.chain)) for s in recipe.strategies]
    inputs = _inputs(recipe, prepared, frozenset().union(*(needs_of(chain) for _, chain in chains)))
    return tuple(_cell(label, chain, seed, shared, inputs) for label, chain in chains for seed in recipe.seeds)


def _inputs(recipe: CompareSettings, prepared: Prepared, needs: frozenset[Need]) -> dict[Need, Any]:
    """The content of what strategies lean on, by need; never a path."""
    found: dict[Need, Any] = {}
    if Need.TARGET_VECTORS in needs:
        vectors = recipe.target_vectors
        found[Need.TARGET_VECTORS] = vectors.model_dump(mode="json") | {
            "file": file_hash(Path(vectors.file)) if vectors.file else None,
            "extend_tokenizer": load_vocabulary(vectors.extend_tokenizer).hash if vectors.extend_tokenizer else None,
        }
    if Need.DICTIONARY in needs and recipe.dictionary:
        found[Need.DICTIONARY] = load_dictionary(recipe.dictionary).hash
    if Need.POOR_MODEL in needs:
        found[Need.POOR_MODEL] = prepared.poor_hash
    if Need.DONOR in needs and recipe.donor:
        found[Need.DONOR] = model_hash(recipe.donor)
    if Need.ANSWER in needs and recipe.answer:
        found[Need.ANSWER] = load_answer(recipe.answer).hash
    return found


def _cell(
    label: str, chain: Sequence[Strategy], seed: int, shared: Mapping[str, Any], inputs: Mapping[Need, Any]
) -> Cell:
    needs = needs_of(chain)
    leans_on = {need.value: content for need, content in inputs.items() if need in needs}
    made_by = {"chain": [[s.name, s.parameters()] for s in chain], "seed": seed, **leans_on}
    described = {
        **shared,
        **leans_on,
        "seed": seed,
        "strategy": "+".join(s.name for s in chain),
        "keeps_tokenizer": any(s.keeps_tokenizer for s in chain),
        "fields": {s.name: s.parameters() for s in chain},
    }
    return Cell(label, seed, chain[0].body.value, hash_of([shared, made_by]), flat(described))


@dataclass(frozen=True)
class CellRunner:
    """Runs any cell of one comparison.

    Attributes:
        recipe: The recipe.
        prepared: What the cells share.
        out: The comparison's folder.
    """

    recipe: CompareSettings
    prepared: Prepared
    out: Path

    def __call__(self, cell: Cell) -> CellResult:
        """Graft, measure at step 0, adapt with measurements at the probe and the end."""
        started = time.perf_counter()
        strategy = next(s for s in self.recipe.strategies if s.label == cell.label)
        texts = load_texts(self.recipe)
        grafted = self._graft(strategy, cell.seed, texts)
        grafted_at = time.perf_counter()
        scores = _scores(0, self._measure(grafted.model, grafted, texts))
        settings = self.recipe.adaptation.model_copy(update={"seed": cell.seed})
        losses: tuple[tuple[int, float], ...] = ()
        cost: dict[str, float] = {"tokens_trained": 0, "trainable_parameters": 0, "adapt_seconds": 0}
        if settings.steps:
            stops = {settings.probe_step, settings.steps} - {0}
            adapted = adapt_model(
                grafted.model,
                grafted.vocabulary,
                texts.train,
                settings,
                new_ids=grafted.alignment.new.tolist(),
                eval_steps={s for s in stops if s <= settings.steps},
                on_step=lambda step, model: self._measure(model, grafted, texts),
                work=self._home(cell) / "work" if settings.checkpoint_every else None,
            )
            losses = adapted.losses
            scores += [s for step in sorted(adapted.evaluations) for s in _scores(step, adapted.evaluations[step])]
            cost = {
                "tokens_trained": adapted.tokens_trained,
                "trainable_parameters": adapted.trainable_parameters,
                "adapt_seconds": adapted.seconds,
            }
            if self.recipe.keep_models:
                write_model(self._home(cell) / "model", adapted.model, grafted.vocabulary)
        cost |= {
            "seconds": time.perf_counter() - started,
            "graft_seconds": grafted_at - started,
            "peak_rss_bytes": peak_rss_bytes(),
        }
        write_provenance(self._home(cell), grafted.rows.provenance, grafted.vocabulary)
        return CellResult(cell, tuple(scores), losses, _coverage(grafted), cost)

    def _home(self, cell: Cell) -> Path:
        home = self.out / "cells" / cell.folder
        home.mkdir(parents=True, exist_ok=True)
        return home

    def _graft(self, strategy: StrategySettings, seed: int, texts: Texts) -> Grafted:
        target = load_vocabulary(self.prepared.target_tokenizer)
        loaders = supplies(
            target,
            cache_folder=self.out / "prepared" / "vectors",
            corpus=texts.train,
            vectors=self.recipe.target_vectors,
            dictionary=self.recipe.dictionary,
            poor=self.prepared.poor_model,
            donor=self.recipe.donor,
            answer=self.recipe.answer,
        )
        return graft_model(
            self.recipe.source,
            target,
            make_chain(strategy.chain),
            loaders,
            poor=self.prepared.poor_model,
            seed=seed,
            settings=self.recipe.graft,
        )

    def _measure(self, model: PreTrainedModel, grafted: Grafted, texts: Texts) -> dict[str, float]:
        named = {name: text.lines for name, text in texts.measured.items()}
        return measure(model, grafted.vocabulary, named, self.recipe.evaluation)


def _scores(step: int, figures: Mapping[str, float]) -> list[Score]:
    return [Score(step, metric, value) for metric, value in figures.items()]


def _coverage(grafted: Grafted) -> dict[str, int | float]:
    counts = grafted.rows.counts
    matched = {f"matched/{rule}": n for rule, n in counts["matched"].items()}
    return {key: counts[key] for key in ("target_tokens", "new", "covered", "fallback")} | matched
