"""TEMA where most tokens are rare: bits per byte of poor models whose rare rows are made anew, before any adaptation.

    LEXIGRAFT_DATA=… LEXIGRAFT_MODELS=… python benchmarks/strategies/tema_regime.py CASE KIND FOLDER [SEED …]

CASE is `clone` (the English side of Global Voices in a cloned language: the dictionary has every word), `swahili` (its
Swahili side, Wiktionary) or `quechua` (GATITOS). KIND is that of the poor model: `causal` (Llama-shaped; the output
layer has no bias), `larger` (the same with ten times the text) or `masked` (ModernBERT-shaped; it has a bias). Every
seed (0 1 2) draws other training lines, trains a WordPiece tokenizer and a small model on them, and keeps the model of
the step with the lowest loss on development lines. All arms then change rows of that one model and are measured on the
same held-out lines, some after further training; in Quechua some by named entities too. Models and figures are kept in
FOLDER and not made again. `clone causal` has more arms than the others.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexigraft.adapters.training.adapt import adapt
from lexigraft.adapters.training.pretrain import pretrain
from lexigraft.api.objectives import objective_for
from lexigraft.api.pretrain import pretraining_objective
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.recipe import PretrainSettings, TokenizerSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.grafting.resources import PoorModel
from lexigraft.core.methods.tema import link_tokens
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.tables import FloatTables, Role, tables_of
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import replacing, whole_folder

sys.path.extend([str(Path(__file__).resolve().parents[1])])
from strategies.tema_regime_arms import (
    FEW,
    MAIN,
    MIN_COUNT,
    PLACEMENTS,
    RIVALS,
    TEMA,
    Made,
    leveled,
    mean_state,
    rival_rows,
    tema_rows,
)
from strategies.tema_regime_cases import ENTITIES, KINDS, MODELS, Case, case_of
from strategies.tema_regime_table import ADAPTATION, ADAPTED, LEVELED, POOR, Figures, print_table


def main(name: str, kind: str, folder: str, *seeds: str) -> None:
    """Print the table."""
    work = Path(folder) / f"{name}-{kind}"
    work.mkdir(parents=True, exist_ok=True)
    case = case_of(name, kind)
    print_table([_measured(case, work, int(seed)) for seed in seeds or "012"])


def _measured(case: Case, work: Path, seed: int) -> Figures:
    """Figures of every arm of one seed, made or read; saved after every arm."""
    path = work / f"figures-{seed}.json"
    figures: Figures = json.loads(path.read_text()) if path.exists() else {}
    train = case.sample(seed)
    disk = DiskModel(str(_poor_model(case, train, work, seed)))
    model, vocabulary = disk.model, disk.vocabulary
    counts = token_counts(vocabulary, train.lines)
    poor = PoorModel({role: t.clone() for role, t in FloatTables(tables_of(model).by_role).items()}, vocabulary, counts)
    source = DiskModel(str(MODELS / "minilm-mlm-en"))
    rich = source.vocabulary, FloatTables(source.tables().by_role)
    _say_regime(case, source.vocabulary, poor, seed)
    every_arm = case.name == "clone" and case.kind is KINDS["causal"]
    arms, later = (TEMA, list(PLACEMENTS)) if every_arm else (MAIN, FEW)

    made: dict[str, Callable[[], Made]] = {
        POOR: lambda: Made(poor.tables[Role.INPUT], np.empty(0, np.int64)),
        **{arm: partial(tema_rows, rich, poor, case.dictionary, fields, seed) for arm, fields in arms.items()},
    }
    moved = made["tema"]().moved
    made |= {arm: partial(rival_rows, poor, train, name, moved, seed, work) for arm, name in RIVALS.items()}
    if not case.masked:
        state = mean_state(model, vocabulary, train.lines[:200])
        made |= {f"{arm}{LEVELED}": lambda arm=arm: leveled(made[arm](), poor, state) for arm in PLACEMENTS}
    made |= {f"{arm}{ADAPTED}": made[arm] for arm in (POOR, *later)}

    def measure(table: torch.Tensor, steps: int, entities: bool) -> dict[str, float]:
        changed = copy.deepcopy(model)
        with torch.no_grad():
            changed.get_input_embeddings().weight.copy_(table)
        if steps:
            settings = AdaptSettings(steps=steps, batch_tokens=512, body="full", learning_rate=1e-3, seed=seed)
            adapt(changed, vocabulary, train, settings, objective=objective_for(changed.config, None, {}))
        context = EvaluationContext(token_counts=counts, moved_ids=moved)
        found = {**case.kind.measure.evaluate(changed, vocabulary, TextData.of(case.heldout), context).figures}
        if entities and case.entities is not None:
            found["f1"] = ENTITIES.evaluate(changed, vocabulary, case.entities, context).figures["f1"]
        return found

    for arm in [arm for arm in made if arm not in figures]:
        changed = made[arm]()
        measured = measure(changed.table, ADAPTATION * arm.endswith(ADAPTED), arm in (POOR, *FEW))
        figures[arm] = {**measured, "rows": len(changed.moved)}
        with replacing(path) as draft:
            draft.write_text(json.dumps(figures, indent=1))
    return figures


def _say_regime(case: Case, rich: Vocabulary, poor: PoorModel, seed: int) -> None:
    """Print how rare the tokens are, what the dictionary has of them, and what their frequencies alone cost."""
    vocabulary, counts = poor.vocabulary, poor.counts
    rare = counts < MIN_COUNT
    heldout = token_counts(vocabulary, case.heldout)
    links = link_tokens(
        rich, vocabulary, case.dictionary, align(rich, vocabulary), single_only=False, shared=False
    ).target_ids
    moved = links[rare[links]]
    bits = heldout @ -np.log2((counts + 1) / (counts + 1).sum()) / sum(len(line.encode()) for line in case.heldout)
    print(
        f"seed {seed}: {counts.sum():,} tokens of text; of {vocabulary.size:,} {rare.mean():.0%} are rare and "
        f"{len(links):,} a word of the dictionary: {len(links) - len(moved):,} references, {len(moved):,} that move. "
        f"Of the held-out tokens {heldout[rare].sum() / heldout.sum():.0%} are rare, "
        f"{heldout[moved].sum() / heldout.sum():.1%} move; frequencies alone cost {bits:.3f} bits per byte",
        flush=True,
    )


def _poor_model(case: Case, train: Corpus, work: Path, seed: int) -> Path:
    """The model of the step with the lowest loss on the development lines."""
    out = work / f"poor-{seed}"
    if out.exists():
        return out
    kind = case.kind
    tokenizer = train_tokenizer(TokenizerSettings(type="wordpiece", size=kind.tokens, lowercase=True), train)
    vocabulary = Vocabulary.of(tokenizer)
    preset = work / "shape.json"
    preset.write_text(json.dumps(kind.shape))
    settings = PretrainSettings(preset=str(preset), batch_tokens=512, seed=seed, **kind.training)
    size = sum(len(line.encode()) for line in case.development)
    best: tuple[float, Any] = (np.inf, None)

    def keep_best(step: int, model: Any) -> None:
        nonlocal best
        bits = float(kind.measure.line_bits(model, vocabulary, case.development).sum()) / size
        print(f"poor model {seed}: {bits:.4f} bits per byte after {step} steps", flush=True)
        if bits < best[0]:
            best = bits, copy.deepcopy(model.state_dict())

    steps = range(kind.every, settings.steps + 1, kind.every)
    objective = pretraining_objective(settings)
    model = pretrain(train, vocabulary, settings, objective=objective, on_step=keep_best, eval_steps=steps)
    model.load_state_dict(best[1])
    with whole_folder(out, force=False) as draft:
        write_model(draft, model, vocabulary)
    return out


if __name__ == "__main__":
    main(*sys.argv[1:])
