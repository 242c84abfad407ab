"""TEMA where most tokens are rare: bits per byte of poor models whose rare rows are made anew, before any adaptation.

    LEXIGRAFT_DATA=… LEXIGRAFT_MODELS=… python benchmarks/strategies/tema_regime.py CASE FOLDER

CASE is `clone` (the English side of Global Voices in a cloned language: the dictionary has every word), `swahili` (its
Swahili side, Wiktionary) or `quechua` (GATITOS). Every seed draws other training lines, trains a WordPiece tokenizer
and a small causal model on them, and keeps the model of the step with the lowest loss on development lines. All arms
then change rows of that one model and are measured on the same held-out lines, some after further training. Models and
figures are kept in FOLDER and not made again.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lexigraft.adapters.training.adapt import adapt
from lexigraft.adapters.training.pretrain import pretrain
from lexigraft.api.objectives import objective_for
from lexigraft.api.pretrain import pretraining_objective
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.recipe import DictionarySettings, PretrainSettings, TokenizerSettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.data.dictionary import Dictionary, load_dictionary
from lexigraft.core.evaluation.evaluator import EvaluationContext, TextData
from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.evaluation.token_groups import FREQUENCIES
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.grafting.resources import PoorModel
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.tables import FloatTables, Role, tables_of
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import replacing, whole_folder
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.report.formats import interval

sys.path.extend([str(Path(__file__).resolve().parents[1])])
from strategies.tema_regime_arms import (
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

DATA, MODELS = (Path(os.environ.get(name, "")) for name in ("LEXIGRAFT_DATA", "LEXIGRAFT_MODELS"))
LINES, WORDS, VOCABULARY = 8_000, 20_000, 16_000
SEEDS, HELDOUT, DEVELOPMENT = range(3), 200, 30
STEPS, EVERY = 250, 50
SHAPE = {"model_type": "llama", "tie_word_embeddings": True, "hidden_size": 128, "intermediate_size": 352}
SHAPE |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
MEASURE = BitsPerByte()
ADAPTATION = 50
POOR, LEVELED, ADAPTED = "poor model", "; mean logits kept", f"; {ADAPTATION} steps later"
GROUPS = {"all text": "", **{f"seen {name}": f"_seen_{name}" for name in FREQUENCIES}, "moved rows": "_moved"}

Figures = dict[str, dict[str, float]]
"""Figures by arm and name."""


class Case(NamedTuple):
    """A language: its text, and a dictionary, English first."""

    lines: Sequence[str]
    heldout: Sequence[str]
    development: Sequence[str]
    dictionary: Dictionary

    def sample(self, seed: int) -> Corpus:
        """Lines of about `WORDS` words."""
        order = np.random.default_rng(seed).permutation(len(self.lines))
        words = np.cumsum([len(self.lines[i].split()) for i in order])
        return Corpus.of(self.lines[i] for i in order[: np.searchsorted(words, WORDS) + 1])


def main(name: str, folder: str) -> None:
    """Print the table."""
    work = Path(folder) / name
    work.mkdir(parents=True, exist_ok=True)
    case = _case(name)
    _print([_measured(case, work, seed) for seed in SEEDS])


def _case(name: str) -> Case:
    """Read a language; the held-out lines are the same for every seed."""
    if name == "quechua":
        text = load_corpus([DATA / "quechua/qubert.txt.gz", DATA / "quechua/leipzig.txt.gz"]).lines
    else:
        sides = (load_corpus([DATA / f"swahili/train.{s}.gz"], deduplicate=False).lines for s in ("en", "swa"))
        text = [pair[name == "swahili"] for pair in dict.fromkeys(zip(*sides, strict=True))]
    lines: Sequence[str] = [text[i] for i in np.random.default_rng(0).permutation(len(text))[:LINES]]
    if name == "clone":
        language = clone_language(lines, seed=0)
        lines, dictionary = language.lines, language.dictionary
    else:
        words = {"swahili": "swahili/wiktionary-en-sw.tsv.gz", "quechua": "multilingual/gatitos/en_qu.tsv.gz"}[name]
        dictionary = load_dictionary(DictionarySettings(path=[str(DATA / words)]))
    heldout, development, rest = lines[:HELDOUT], lines[HELDOUT:][:DEVELOPMENT], lines[HELDOUT + DEVELOPMENT :]
    unseen = {*heldout, *development}
    return Case([line for line in rest if line not in unseen], heldout, development, dictionary)


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
    rare = (counts < MIN_COUNT).mean()
    print(f"seed {seed}: {vocabulary.size:,} tokens, {rare:.0%} of them rare; {counts.sum():,} in the text", flush=True)
    state = mean_state(model, vocabulary, train.lines[:200])

    made: dict[str, Callable[[], Made]] = {
        POOR: lambda: Made(poor.tables[Role.INPUT], np.empty(0, np.int64)),
        **{arm: partial(tema_rows, rich, poor, case.dictionary, fields, seed) for arm, fields in TEMA.items()},
    }
    moved = made["tema"]().moved
    made |= {arm: partial(rival_rows, poor, train, name, moved, seed, work) for arm, name in RIVALS.items()}
    made |= {f"{arm}{LEVELED}": lambda arm=arm: leveled(made[arm](), poor, state) for arm in PLACEMENTS}
    made |= {f"{arm}{ADAPTED}": made[arm] for arm in (POOR, *PLACEMENTS)}

    def measure(table: torch.Tensor, steps: int) -> dict[str, float]:
        changed = copy.deepcopy(model)
        with torch.no_grad():
            changed.get_input_embeddings().weight.copy_(table)
        if steps:
            settings = AdaptSettings(steps=steps, batch_tokens=512, body="full", learning_rate=1e-3, seed=seed)
            adapt(changed, vocabulary, train, settings, objective=objective_for(changed.config, None, {}))
        context = EvaluationContext(token_counts=counts, moved_ids=moved)
        return {**MEASURE.evaluate(changed, vocabulary, TextData.of(case.heldout), context).figures}

    for arm in [arm for arm in made if arm not in figures]:
        changed = made[arm]()
        measured = measure(changed.table, ADAPTATION * arm.endswith(ADAPTED))
        figures[arm] = {**measured, "rows": len(changed.moved)}
        with replacing(path) as draft:
            draft.write_text(json.dumps(figures, indent=1))
    return figures


def _poor_model(case: Case, train: Corpus, work: Path, seed: int) -> Path:
    """The model of the step with the lowest loss on the development lines."""
    out = work / f"poor-{seed}"
    if out.exists():
        return out
    tokenizer = train_tokenizer(TokenizerSettings(type="wordpiece", size=VOCABULARY, lowercase=True), train)
    vocabulary = Vocabulary.of(tokenizer)
    preset = work / "shape.json"
    preset.write_text(json.dumps(SHAPE))
    settings = PretrainSettings(preset=str(preset), steps=STEPS, batch_tokens=512, learning_rate=4e-3, seed=seed)
    size = sum(len(line.encode()) for line in case.development)
    best: tuple[float, Any] = (np.inf, None)

    def keep_best(step: int, model: Any) -> None:
        nonlocal best
        bits = float(MEASURE.line_bits(model, vocabulary, case.development).sum()) / size
        print(f"poor model {seed}: {bits:.4f} bits per byte after {step} steps", flush=True)
        if bits < best[0]:
            best = bits, copy.deepcopy(model.state_dict())

    steps = range(EVERY, STEPS + 1, EVERY)
    objective = pretraining_objective(settings)
    model = pretrain(train, vocabulary, settings, objective=objective, on_step=keep_best, eval_steps=steps)
    model.load_state_dict(best[1])
    with whole_folder(out, force=False) as draft:
        write_model(draft, model, vocabulary)
    return out


def _print(seeds: Sequence[Figures]) -> None:
    """The poor model's bits per byte, and each arm's difference to them, with 95% intervals over the seeds."""
    print(f"| arm | rows | {' | '.join(GROUPS)} |\n|---|--:|{'--:|' * len(GROUPS)}")
    for arm in seeds[0]:
        cells = []
        for group in (f"bits_per_byte{g}" for g in GROUPS.values()):
            unchanged = POOR + ADAPTED * arm.endswith(ADAPTED)
            base = [0.0 if arm == unchanged else seed[unchanged][group] for seed in seeds]
            cells.append(interval(estimate([seed[arm][group] - b for seed, b in zip(seeds, base, strict=True)])))
        rows = np.mean([seed[arm]["rows"] for seed in seeds])
        print(f"| {arm} | {rows:,.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*sys.argv[1:3])
